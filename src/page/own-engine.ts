/** The line to an engine worker of this page. */
import type { WireRequest } from '../protocol.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../wire/engine-line.js';
import { withClient } from '../wire/http.js';
import type { EngineLink } from './engine-link.js';

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
      case 'measure':
        return link.call((api) => api.measure(argument), life.signal);
      case 'status':
        return link.call((api) => api.status(), life.signal);
      case 'load': {
        const { model, ...options } = argument;
        const { client: _, ...listener } = life;
        return link.load(model, { ...options, ...listener });
      }
      case 'unload':
        return link.unload(argument).then(() => undefined);
      case 'exchange':
        return link.exchange(inNameOf(argument, life.client), life.signal ?? new AbortController().signal);
    }
  }
}

function inNameOf(request: WireRequest, client: string | undefined): WireRequest {
  return client === undefined ? request : withClient(request, client);
}
