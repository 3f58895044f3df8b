/**
 * What a page asks of an engine, wherever that engine is: operations whose arguments and results can be posted to
 * another tab, and the line to an engine of the page's own.
 */
import type { EngineStatus, JobProgress, LoadOptions, LoadProgress, ModelStatus } from './core/engine.js';
import type { EngineLink } from './engine-link.js';
import type { StorageUsage, StoredModel } from './models/stored-models.js';
import type { EmbeddingsResponse, ModelsResponse, RerankResponse, WireRequest, WireResponse } from './protocol.js';

/** A model to load, with the options that can be posted. */
export interface LoadRequest extends Pick<LoadOptions, 'device' | 'dtype' | 'revision'> {
  model: string;
}

interface Operations {
  embeddings: [argument: unknown, result: EmbeddingsResponse];
  rerank: [argument: unknown, result: RerankResponse];
  models: [argument: null, result: ModelsResponse];
  listStored: [argument: null, result: StoredModel[]];
  storageUsage: [argument: null, result: StorageUsage];
  deleteStored: [argument: { model: string; revision: string | undefined }, result: boolean];
  status: [argument: null, result: EngineStatus];
  load: [argument: LoadRequest, result: ModelStatus];
  unload: [argument: string, result: undefined];
  exchange: [argument: WireRequest, result: WireResponse];
}

export type Operation = keyof Operations;
export type EngineCall<O extends Operation = Operation> = {
  [K in O]: { operation: K; argument: Operations[K][0] };
}[O];
export type EngineResult<O extends Operation> = Operations[O][1];

/** The parts of a call that stay in the tab that made it. */
export interface CallLife {
  signal?: AbortSignal;
  /** A load reports its files, every other operation its texts; as a method, so that it may take just its own kind. */
  onProgress?(progress: LoadProgress | JobProgress): void;
}

export interface EngineLine {
  /** Settles as the engine's work does; throws `aborted` when the signal fires and `disposed` after the end. */
  run<O extends Operation>(call: EngineCall<O>, life?: CallLife): Promise<EngineResult<O>>;
  /** Answers whole requests that arrive on this port, after a `hello`. */
  connect(port: MessagePort): Promise<void>;
  dispose(): void;
}

/** The line to an engine worker of this page. */
export class OwnEngine implements EngineLine {
  readonly #link: EngineLink;

  constructor(link: EngineLink) {
    this.#link = link;
  }

  async run<O extends Operation>(call: EngineCall<O>, life: CallLife = {}): Promise<EngineResult<O>> {
    // The compiler cannot see that the branch of an operation gives that operation's result.
    return (await this.#run(call as EngineCall, { ...life })) as EngineResult<O>;
  }

  async connect(port: MessagePort): Promise<void> {
    await this.#link.connect(port);
  }

  dispose(): void {
    this.#link.dispose();
  }

  #run({ operation, argument }: EngineCall, life: CallLife): Promise<EngineResult<Operation>> {
    const link = this.#link;
    switch (operation) {
      case 'embeddings':
        return link.callWith(life, (api, line) => api.embeddings.create(argument, line));
      case 'rerank':
        return link.callWith(life, (api, line) => api.rerank.create(argument, line));
      case 'models':
        return link.call((api) => api.models.list(), life.signal);
      case 'listStored':
        return link.call((api) => api.storage.list(), life.signal);
      case 'storageUsage':
        return link.call((api) => api.storage.usage(), life.signal);
      case 'deleteStored':
        return link.call((api) => api.storage.delete(argument.model, argument.revision), life.signal);
      case 'status':
        return link.call((api) => api.status(), life.signal);
      case 'load': {
        const { model, ...options } = argument;
        return link.load(model, { ...options, ...life });
      }
      case 'unload':
        return link.unload(argument).then(() => undefined);
      case 'exchange':
        return link.exchange(argument, life.signal ?? new AbortController().signal);
    }
  }
}
