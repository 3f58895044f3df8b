/** The engine: which models are loaded or loading, which one answers a request, and the end of all of them. */
import { abortError, fromErrorData, VecinityError } from '../errors.js';
import { callRules, checkObject, checkRules, isFunction, wrongOption } from '../rules.js';
import { bestModel, isUnknown, type WantedTask } from './default-model.js';
import type {
  ClassifyRequest,
  ClassifyResult,
  DecodeRequest,
  DecodeResult,
  EmbedRequest,
  EmbedResult,
  EmbedTokensRequest,
  EmbedTokensResult,
  Engine,
  EngineStatus,
  LoadOptions,
  ModelStatus,
  RerankRequest,
  RerankResult,
  RunListener,
  TokenizeRequest,
  TokenizeResult,
} from './engine.js';
import { isOther, type LoadChoice, pickChoice } from './load-choice.js';
import type { LoadedModel } from './loaded-model.js';
import { type EntryOptions, ModelEntry } from './model-entry.js';
import type { EngineParts } from './model-loader.js';
import { checkLoadChoice, checkModelName } from './options.js';
import { checkRequest, type RequestKind } from './request-check.js';

export type { EngineParts } from './model-loader.js';

/** Makes an engine without a model. */
export function createEngine(parts: EngineParts): Engine {
  return new ModelEngine(parts);
}

type Asked = Pick<EmbedRequest, 'model' | 'signal'>;

class ModelEngine implements Engine {
  readonly #parts: EngineParts;
  /** By id, in the order of loading: the first one that is usable is the default. */
  readonly #entries = new Map<string, ModelEntry>();
  readonly #runListeners = new Set<RunListener>();
  #disposed = false;

  constructor(parts: EngineParts) {
    this.#parts = { ...parts, onRun: (run) => this.#runListeners.forEach((listen) => void listen(run)) };
    for (const { model, error } of parts.past?.failed ?? []) this.#remember(model, fromErrorData(error));
  }

  /**
   * Loads a model, or joins the load of the same model. Another device, dtype or revision than the one that is loaded
   * replaces it. Rejects with the load's error or the caller's abort.
   */
  async load(model: string, options: LoadOptions = {}): Promise<ModelStatus> {
    checkModelName(model);
    checkObject(options);
    checkRules(callRules, options);
    const choice = pickChoice(options);
    checkLoadChoice(choice);
    this.#requireLife();
    const id = this.#parts.modelIdOf(model);
    let entry = this.#entries.get(id);
    if (!entry?.usable || isOther(choice, entry.options)) entry = this.#replace(id, model, options);
    await entry.wait({ signal: options.signal, onProgress: options.onProgress });
    return entry.status;
  }

  async unload(model: string): Promise<void> {
    checkModelName(model);
    const entry = this.#find(model);
    this.#entries.delete(entry.options.id);
    await entry.dispose();
  }

  embed(request: EmbedRequest): Promise<EmbedResult> {
    return this.#run(request, 'embed', (model) => model.embed(request));
  }

  embedTokens(request: EmbedTokensRequest): Promise<EmbedTokensResult> {
    return this.#run(request, 'embedTokens', (model) => model.embedTokens(request));
  }

  rerank(request: RerankRequest): Promise<RerankResult> {
    return this.#run(request, 'rerank', (model) => model.rerank(request));
  }

  classify(request: ClassifyRequest): Promise<ClassifyResult> {
    return this.#run(request, 'classify', (model) => model.classify(request));
  }

  tokenize(request: TokenizeRequest): Promise<TokenizeResult> {
    return this.#run(request, 'tokenize', (model) => model.tokenize(request));
  }

  decode(request: DecodeRequest): Promise<DecodeResult> {
    return this.#run(request, 'decode', (model) => model.decode(request));
  }

  status(): EngineStatus {
    const entries = [...this.#entries.values()];
    const { maxQueue, maxBatchTokens } = this.#parts.config;
    const queue = { inputs: 0, tokens: 0, maxInputs: maxQueue, maxBatchTokens };
    for (const entry of entries) {
      queue.inputs += entry.queue.inputs;
      queue.tokens += entry.queue.tokens;
    }
    const models = entries.map((entry) => entry.status);
    const formerEngines = [...(this.#parts.past?.ended ?? [])];
    return { models, defaultModel: this.#default()?.options.id ?? null, queue, formerEngines };
  }

  onRun(listener: RunListener): void {
    if (!isFunction(listener)) throw wrongOption('listener', 'a function', listener);
    this.#runListeners.add(listener);
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map((entry) => entry.dispose()));
  }

  /** Works on the model of a request, and on the one that took its place when that went meanwhile. */
  async #run<Result>(
    request: Asked,
    kind: RequestKind,
    work: (model: LoadedModel) => Result | Promise<Result>,
  ): Promise<Result> {
    checkRequest(kind, request);
    const task = kind === 'rerank' || kind === 'classify' ? 'rerank' : 'embedding';
    for (;;) {
      const entry = await this.#entryOf(request, task);
      try {
        return await work(await entry.wait({ signal: request.signal }));
      } catch (thrown) {
        if (!this.#isReplaced(entry, thrown)) throw thrown;
      }
    }
  }

  /** The model of a request, or the one that fits the task best; what that is may be known only once it is there. */
  async #entryOf({ model, signal }: Asked, task: WantedTask): Promise<ModelEntry> {
    for (;;) {
      this.#requireLife();
      const entry = model === null ? this.#best(task) : this.#find(model);
      if (!entry)
        throw new VecinityError('model_not_loaded', 'No model is loaded; load one first.', { param: 'model' });
      if (model !== null || !isUnknown(entry.status)) return entry;
      // Once it is known it may be made for something else, or have failed beside one that works.
      await entry.wait({ signal }).catch(() => {});
      if (signal?.aborted) throw abortError(signal);
    }
  }

  #isReplaced(entry: ModelEntry, thrown: unknown): boolean {
    const successor = this.#entries.get(entry.options.id) ?? entry;
    return thrown instanceof VecinityError && thrown.code === 'disposed' && successor !== entry;
  }

  #best(task: WantedTask): ModelEntry | undefined {
    const best = bestModel(this.status(), task);
    return best && this.#entries.get(best.id);
  }

  #find(name: string): ModelEntry {
    const entry = this.#entries.get(name) ?? this.#entries.get(this.#parts.modelIdOf(name));
    if (entry) return entry;
    const loaded = [...this.#entries.keys()].join(', ') || 'none';
    throw new VecinityError('model_not_found', `The model '${name}' is not loaded; loaded: ${loaded}.`, {
      param: 'model',
    });
  }

  /** The first that is usable; a failed model only while there is no other. */
  #default(): ModelEntry | undefined {
    const entries = [...this.#entries.values()];
    return entries.find((entry) => entry.usable) ?? entries[0];
  }

  /** Starts a load in the old entry's place, which ends at once: two copies of a model may not fit into memory. */
  #replace(id: string, name: string, options: LoadOptions): ModelEntry {
    // Whether the old copy goes cleanly is not the concern of the one who loads the new.
    this.#entries
      .get(id)
      ?.dispose()
      .catch(() => {});
    return this.#enter({ id, name, ...pickChoice(options) });
  }

  /** Whoever asks for a model that an earlier engine could not load hears why. */
  #remember(name: string, error: VecinityError): void {
    this.#enter({ id: this.#parts.modelIdOf(name), name }, error);
  }

  #enter(options: Pick<EntryOptions, 'id' | 'name'> & LoadChoice, failure?: VecinityError): ModelEntry {
    const { device, dtype } = this.#parts.config;
    const entry = new ModelEntry(this.#parts, { device, dtype, revision: undefined, ...options }, failure);
    this.#entries.set(options.id, entry);
    return entry;
  }

  #requireLife(): void {
    if (this.#disposed) throw new VecinityError('disposed', 'The engine was disposed.');
  }
}
