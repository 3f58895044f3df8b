/**
 * The page's handle on an engine: typed calls, `fetch`, progress events and the end of it all. It validates nothing: the
 * engine worker does, with the same words as over HTTP. Where that engine is decides `open-line.ts`.
 */
import { type EmbedOptions, type RerankOptions, toEmbeddingsBody, toRerankBody } from '../api/client-bodies.js';
import type { CallOptions, EmbeddingsResponse, ModelsResponse, RerankResponse } from '../api/responses.js';
import { defaultModel, maxInputs } from '../config.js';
import type { EngineStatus, JobProgress, LoadOptions, ModelStatus } from '../core/engine.js';
import { similarity } from '../core/similarity.js';
import { VecinityError } from '../errors.js';
import { callRules, checkObject, checkRules } from '../rules.js';
import type { EngineLine } from '../wire/engine-line.js';
import { type Comparable, isOne, toList } from './comparable.js';
import { createFetch } from './fetch.js';
import { askPersistence, type ModelStorage } from './model-storage.js';
import { openLine } from './open-line.js';
import { checkPageOptions, type Progress, toApiConfig, type VecinityOptions } from './options.js';
import type { RegisterOptions, Registration } from './registration.js';
import { ServiceWorkerLink } from './service-worker-link.js';

export interface RankedDocument {
  /** Position in the list that was given. */
  index: number;
  score: number;
  /** The document as it was given; absent with `returnDocuments: false`. */
  document?: string;
}

export interface VecinityEventMap {
  progress: CustomEvent<Progress>;
}

/** Loads a model in a worker, unless `model` is null. Rejects with the reason when that fails, and leaves no worker behind. */
export async function createVecinity(options: VecinityOptions = {}): Promise<Vecinity> {
  checkPageOptions(options);
  const vecinity = new Vecinity(options);
  try {
    const { model = defaultModel, revision, signal } = options;
    if (model === null) return vecinity;
    await vecinity.load(model, { revision, signal });
    if (options.persist) void vecinity.storage.persist();
    return vecinity;
  } catch (error) {
    await vecinity.dispose();
    throw error;
  }
}

/**
 * A page's engine, in this tab or shared with others. Emits 'progress' while models load and while many texts are
 * embedded or ranked.
 */
export class Vecinity extends EventTarget {
  readonly #line: EngineLine;
  readonly #serviceWorker: ServiceWorkerLink;
  readonly #onProgress: VecinityOptions['onProgress'];

  /** Drop-in for `fetch`: answers `/v1/…` of this origin without a Service Worker, passes everything else on. */
  readonly fetch: typeof fetch;
  /** OpenAI's calls, with bodies and results as over HTTP; vectors are `Float32Array`s unless `base64` was asked for. */
  readonly embeddings: { create(body: unknown, options?: CallOptions): Promise<EmbeddingsResponse> };
  readonly rerankings: { create(body: unknown, options?: CallOptions): Promise<RerankResponse> };
  readonly models: { list(): Promise<ModelsResponse> };
  /** The models that the browser keeps for this site. */
  readonly storage: ModelStorage;
  /** Lets plain `fetch('/v1/…')` calls of pages, frames and workers be answered by this tab. */
  readonly serviceWorker: { register(options?: RegisterOptions): Promise<Registration> };

  /** Use `createVecinity`, which also loads the model. */
  constructor(options: VecinityOptions) {
    super();
    const api = toApiConfig(options);
    const line = openLine(options, () => this.#serviceWorker.engineLost());
    const serviceWorker = new ServiceWorkerLink({
      connect: (port) => line.connect(port),
      routePrefix: api.routePrefix,
    });
    const mount = {
      origin: location.origin,
      base: new URL('.', document.baseURI).pathname,
      routePrefix: api.routePrefix,
    };
    this.#line = line;
    this.#serviceWorker = serviceWorker;
    this.#onProgress = options.onProgress;
    this.fetch = createFetch((argument, signal) => line.run({ operation: 'exchange', argument }, { signal }), mount);
    this.embeddings = {
      create: async (argument, call) => line.run({ operation: 'embeddings', argument }, checkCall(call)),
    };
    this.rerankings = {
      create: async (argument, call) => line.run({ operation: 'rerank', argument }, checkCall(call)),
    };
    this.models = { list: () => line.run({ operation: 'models', argument: null }) };
    this.storage = {
      list: () => line.run({ operation: 'listStored', argument: null }),
      usage: () => line.run({ operation: 'storageUsage', argument: null }),
      delete: (model, revision) => line.run({ operation: 'deleteStored', argument: { model, revision } }),
      persist: askPersistence,
    };
    this.serviceWorker = { register: (register) => serviceWorker.register(register) };
  }

  /** Vectors of `[dimensions]`, in the order of the texts. Several are views of one buffer: copy one before you transfer it. */
  embed(text: string, options?: EmbedOptions & CallOptions): Promise<Float32Array>;
  embed(texts: readonly string[], options?: EmbedOptions & CallOptions): Promise<Float32Array[]>;
  async embed(
    input: string | readonly string[],
    options: EmbedOptions & CallOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    checkCall(options);
    if (!Array.isArray(input) || input.length <= maxInputs) {
      const isSingle = !Array.isArray(input) || input.length === 1;
      const report = (progress: JobProgress) => this.#reportJob(progress, options);
      // The port that reports travel on would cost a query a noticeable part of its time.
      const vectors = await this.#embedPart(input, options, isSingle ? undefined : report);
      if (isSingle) report({ done: 1, total: 1 });
      return Array.isArray(input) ? vectors : firstOf(vectors);
    }
    const vectors: Float32Array[] = [];
    for (let start = 0; start < input.length; start += maxInputs) {
      const part = input.slice(start, start + maxInputs);
      const report = ({ done }: JobProgress) => this.#reportJob({ done: start + done, total: input.length }, options);
      vectors.push(...(await this.#embedPart(part, options, report)));
    }
    return vectors;
  }

  /** Documents by relevance to the query, best first. */
  async rerank(
    query: string,
    documents: readonly string[],
    options: RerankOptions & CallOptions & { returnDocuments?: boolean } = {},
  ): Promise<RankedDocument[]> {
    checkCall(options);
    const onProgress = (progress: JobProgress) => this.#reportJob(progress, options);
    const body = toRerankBody(query, documents, options);
    const { results } = await this.rerankings.create(body, { signal: options.signal, onProgress });
    return results.map(({ index, relevance_score: score }) => {
      const document = documents[index];
      return options.returnDocuments === false || document === undefined
        ? { index, score }
        : { index, score, document };
    });
  }

  /** The model's own measure (cosine for most), of two things or of every pair: rows for `a`, columns for `b`. */
  similarity(a: Comparable, b: Comparable, options?: EmbedOptions & CallOptions): Promise<number>;
  similarity(
    a: readonly Comparable[],
    b: readonly Comparable[],
    options?: EmbedOptions & CallOptions,
  ): Promise<number[][]>;
  async similarity(
    a: Comparable | readonly Comparable[],
    b: Comparable | readonly Comparable[],
    options: EmbedOptions & CallOptions = {},
  ): Promise<number | number[][]> {
    checkCall(options);
    const [left, right] = [toList(a, 'a'), toList(b, 'b')];
    const vectors = await this.#toVectors([...left, ...right], options);
    const model = options.model ?? null;
    const measure = await this.#line.run({ operation: 'measure', argument: model }, { signal: options.signal });
    const columns = vectors.slice(left.length);
    const rows = vectors.slice(0, left.length).map((row) => columns.map((column) => similarity(row, column, measure)));
    return isOne(a) && isOne(b) ? (rows[0]?.[0] ?? Number.NaN) : rows;
  }

  /** Loads a model beside those that are there; it is loaded again by itself if the worker dies. */
  async load(model: string, options: LoadOptions = {}): Promise<ModelStatus> {
    const { onProgress: tell, signal, ...choice } = checkCall(options);
    const onProgress: NonNullable<LoadOptions['onProgress']> = (progress) => {
      tell?.(progress);
      this.#report(progress);
    };
    const call = { operation: 'load', argument: { ...choice, model } } as const;
    return await this.#line.run(call, { signal, onProgress });
  }

  async unload(model: string): Promise<void> {
    await this.#line.run({ operation: 'unload', argument: model });
  }

  /** Loaded models with device, dtype and what was tried, the length of the queue, and engines that were replaced. */
  async status(): Promise<EngineStatus> {
    return await this.#line.run({ operation: 'status', argument: null });
  }

  /** Ends the worker and frees its memory; tabs that share it go on in one of theirs. Calls reject with `disposed`. */
  async dispose(): Promise<void> {
    this.#serviceWorker.dispose();
    this.#line.dispose();
  }

  override addEventListener<K extends keyof VecinityEventMap>(
    type: K,
    listener: (this: Vecinity, event: VecinityEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    // The platform's own signature cannot see that a listener for `type` takes that type's event.
    listener: never,
    options?: boolean | AddEventListenerOptions,
  ): void {
    super.addEventListener(type, listener, options);
  }

  async #embedPart(
    input: string | readonly string[],
    options: EmbedOptions & CallOptions,
    onProgress: ((progress: JobProgress) => void) | undefined,
  ): Promise<Float32Array[]> {
    const body = toEmbeddingsBody(input, options);
    const { data } = await this.embeddings.create(body, { signal: options.signal, onProgress });
    // The cast is safe: no `encoding_format` was asked for, so no vector is a string.
    return data.map(({ embedding }) => embedding as Float32Array);
  }

  /** Embeds the texts among the items in one request and leaves the vectors as they are. */
  async #toVectors(
    items: readonly Comparable[],
    options: EmbedOptions & CallOptions,
  ): Promise<(Float32Array | readonly number[])[]> {
    const texts = items.filter((item) => typeof item === 'string');
    const embedded = texts.length > 0 ? await this.embed(texts, options) : [];
    let next = 0;
    return items.map((item) => (typeof item === 'string' ? firstOf(embedded.slice(next++)) : item));
  }

  #reportJob(progress: JobProgress, { onProgress }: CallOptions): void {
    onProgress?.(progress);
    this.#report({ type: 'job', ...progress });
  }

  #report(progress: Progress): void {
    this.#onProgress?.(progress);
    this.dispatchEvent(new CustomEvent('progress', { detail: progress }));
  }
}

/** The same options. Throws `invalid_request` for those that no call can have. */
function checkCall<Options extends object>(options: Options = {} as Options): Options {
  checkObject(options);
  checkRules(callRules, options);
  return options;
}

function firstOf(vectors: readonly Float32Array[]): Float32Array {
  const [first] = vectors;
  if (!first) throw new VecinityError('internal_error', 'The engine gave no vector for a text.');
  return first;
}
