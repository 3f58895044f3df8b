/**
 * One model that is ready: requests in, vectors and scores out. Tokenizes in turns while the first texts already run.
 * Where the model runs and what happens when a device fails is hidden behind the batcher and its backend.
 */
import type { Backend } from '../backend/backend.js';
import { poolPacked } from '../backend/pooling.js';
import { abortError, toVecinityError, VecinityError } from '../errors.js';
import { objectField, stringField } from '../models/json-fields.js';
import { resolvePrompt } from '../models/prompts.js';
import type { ModelSpec } from '../models/spec.js';
import { Batcher } from './batcher.js';
import { type Computed, type ComputeRequest, compute } from './computation.js';
import type {
  ClassifyRequest,
  ClassifyResult,
  DecodeRequest,
  DecodeResult,
  EmbedRequest,
  EmbedResult,
  EmbedTokensRequest,
  EmbedTokensResult,
  EngineInput,
  RerankRequest,
  RerankResult,
  RunListener,
  TokenizeRequest,
  TokenizeResult,
} from './engine.js';
import { chooseDimensions, requireRoom } from './request-limits.js';
import { cosine } from './similarity.js';
import { withoutTokens } from './token-refusals.js';
import type { Encoding, Tokenizer } from './tokenizer.js';
import { inTurns } from './turns.js';
import { shapeRows, sigmoid, toProbabilities } from './vectors.js';

export interface LoadedModelParts {
  spec: ModelSpec;
  tokenizer: Tokenizer;
  backend: Backend;
  maxBatchTokens: number;
  maxQueue: number;
  now: () => number;
  onRun?: RunListener | undefined;
}

export class LoadedModel {
  readonly spec: ModelSpec;
  readonly backend: Backend;
  readonly #tokenizer: Tokenizer;
  readonly #batcher: Batcher;
  readonly #now: () => number;

  constructor(parts: LoadedModelParts) {
    const { maxBatchTokens, maxQueue, now, onRun } = parts;
    this.spec = parts.spec;
    this.backend = parts.backend;
    this.#tokenizer = parts.tokenizer;
    this.#now = now;
    this.#batcher = new Batcher({ runner: parts.backend, maxBatchTokens, maxQueue, now, onRun });
  }

  /** Inputs and tokens that wait. */
  get queue(): { inputs: number; tokens: number } {
    return this.#batcher.statistics;
  }

  async embed(request: EmbedRequest): Promise<EmbedResult> {
    const { inputs } = request;
    this.#requireEmbeddings();
    const dimensions = chooseDimensions(request.dimensions, this.spec);
    const prompt = resolvePrompt(this.spec, request);
    const computed = request.lateChunking
      ? await this.#embedChunks(request, prompt)
      : await this.#embedEach(request, prompt);
    const normalize = request.normalize ?? (this.spec.normalize || dimensions < this.spec.dimensions);
    const embeddings = shapeRows(computed.values, { width: this.backend.width, dimensions, normalize });
    const { usage, truncated, timing } = computed;
    return { model: this.spec.id, embeddings, count: inputs.length, dimensions, usage, truncated, timing };
  }

  /** Throws `invalid_request` for more tokens than can be answered at once. */
  async embedTokens({ inputs, ...request }: EmbedTokensRequest): Promise<EmbedTokensResult> {
    this.#requireEmbeddings();
    const { signal, client, onProgress, maxTotalTokens } = request;
    const options = { ...cutOf(request), prompt: resolvePrompt(this.spec, request) };
    const offsets = new Int32Array(inputs.length + 1);
    const encode = (index: number) => {
      const encoding = this.#encodeInput(inputs[index] ?? '', { ...options, index });
      offsets[index + 1] = (offsets[index] ?? 0) + encoding.inputIds.length;
      requireRoom(offsets[index + 1] ?? 0, this.backend.width);
      return encoding;
    };
    const compute = {
      signal,
      client,
      onProgress,
      maxTotalTokens,
      count: inputs.length,
      encode,
      output: 'tokens',
    } as const;
    const { values: embeddings, ...rest } = await this.#compute(compute);
    return {
      ...{ model: this.spec.id, embeddings, offsets, count: inputs.length },
      ...{ dimensions: this.backend.width, ...rest },
    };
  }

  async rerank(request: RerankRequest): Promise<RerankResult> {
    if (this.spec.task !== 'rerank') return await this.#rerankByCosine(request);
    if (this.backend.width !== 1) throw this.#unsupported(`it has ${this.backend.width} labels and a reranker has one`);
    const { query, documents, truncate, maxTokensPerDocument, maxTokens = null } = request;
    const encode = (index: number) =>
      this.#tokenizer.encodePair(query, documents[index] ?? '', { truncate, maxTokensPerDocument, maxTokens, index });
    const { values, ...rest } = await this.#compute({ ...request, count: documents.length, encode });
    return {
      model: this.spec.id,
      scores: request.scoreActivation === 'sigmoid' ? values.map(sigmoid) : values,
      ...rest,
    };
  }

  async classify(request: ClassifyRequest): Promise<ClassifyResult> {
    const { inputs, activation, truncate, truncateSide, maxTokens = null, ...options } = request;
    if (this.spec.task !== 'rerank') throw this.#unsupported('it makes embeddings and has no labels');
    const encode = (index: number) => {
      const input = inputs[index] ?? '';
      if (typeof input === 'string') return this.#tokenizer.encode(input, { truncate, truncateSide, maxTokens, index });
      return this.#tokenizer.encodePair(...input, { truncate, strategy: 'longest_first', maxTokens, index });
    };
    const { values, ...rest } = await this.#compute({ ...options, count: inputs.length, encode });
    const scores = activation === 'none' ? values : toProbabilities(values, this.backend.width);
    return {
      model: this.spec.id,
      labels: labelsOf(this.spec, this.backend.width),
      scores,
      count: inputs.length,
      ...rest,
    };
  }

  async tokenize({ texts, addSpecialTokens, promptName, signal }: TokenizeRequest): Promise<TokenizeResult> {
    const prompt = resolvePrompt(this.spec, { promptName, ...(promptName === null ? { prompt: '' } : {}) });
    const take = (text: string) => this.#tokenizer.tokenize(prompt + text, { addSpecialTokens });
    const tokens = await this.#eachInTurns(texts, take, signal);
    return { model: this.spec.id, tokens, maxTokens: this.spec.maxTokens };
  }

  /** Throws `invalid_request` for ids outside the vocabulary. */
  async decode({ ids, skipSpecialTokens, signal }: DecodeRequest): Promise<DecodeResult> {
    const take = (sequence: readonly number[]): string => {
      // Only for its check of the range: the library leaves ids out that it does not know.
      this.#tokenizer.encodeIds(sequence, { truncate: true });
      return this.#tokenizer.decode(sequence, { skipSpecialTokens });
    };
    return { model: this.spec.id, texts: await this.#eachInTurns(ids, take, signal) };
  }

  /** What `take` makes of each item. Throws as it does, and `aborted`. */
  async #eachInTurns<Item, Result>(
    items: readonly Item[],
    take: (item: Item) => Result,
    signal: AbortSignal | undefined,
  ): Promise<Result[]> {
    const results: Result[] = [];
    const takeTurn = (_: number, mayGoOn: () => boolean): number => {
      // The cast is safe: a turn begins, and goes on, only while there are more items than results.
      do results.push(take(items[results.length] as Item));
      while (results.length < items.length && mayGoOn());
      return results.length;
    };
    await inTurns(takeTurn, { count: items.length, now: this.#now, stopped: () => signal?.aborted ?? false });
    if (signal?.aborted) throw abortError(signal);
    return results;
  }

  /** Ends what waits; what runs ends with the backend. */
  async dispose(): Promise<void> {
    this.#batcher.dispose();
    await this.backend.dispose();
  }

  async #embedEach(request: EmbedRequest, prompt: string): Promise<Computed> {
    const { inputs } = request;
    const options = { ...cutOf(request), prompt };
    const encode = (index: number) => this.#encodeInput(inputs[index] ?? '', { ...options, index });
    return await this.#compute({ ...request, count: inputs.length, encode });
  }

  /** One text of all inputs, whose token vectors are averaged by input: `[inputs, width]`. */
  async #embedChunks({ inputs, signal, client }: EmbedRequest, prompt: string): Promise<Computed> {
    const { id, pooling } = this.spec;
    if (pooling !== 'mean') {
      const message = `The model ${id} pools by ${pooling}; \`late_chunking\` needs one that pools by the mean.`;
      throw new VecinityError('invalid_request', message, { param: 'late_chunking' });
    }
    const chunks = this.#tokenizer.encodeChunks(inputs, { prompt });
    const computed = await this.#compute({ signal, client, count: 1, encode: () => chunks, output: 'tokens' });
    const rows = { hidden: computed.values, width: this.backend.width, offsets: chunks.offsets };
    return { ...computed, values: poolPacked(rows, 'mean') };
  }

  /** The query is the first row, the documents follow. */
  async #rerankByCosine(request: RerankRequest): Promise<RerankResult> {
    const { documents } = request;
    const encode = (index: number) =>
      index === 0 ? this.#encodeQuery(request) : this.#encodeDocument(request, index - 1);
    const { values, ...rest } = await this.#compute({ ...request, count: documents.length + 1, encode });
    const { width } = this.backend;
    const query = values.subarray(0, width);
    const score = (_: unknown, i: number) => cosine(query, values.subarray((i + 1) * width, (i + 2) * width));
    return { model: this.spec.id, scores: Float32Array.from(documents, score), ...rest };
  }

  /** A limit of the caller's cuts the query too; the model's own never does. */
  #encodeQuery({ query, maxTokens: asked = null }: RerankRequest): Encoding {
    const prompt = resolvePrompt(this.spec, { role: 'query' });
    const encoding = this.#tokenizer.encode(query, { prompt, truncate: true, maxTokens: asked });
    if (!encoding.truncated || asked !== null) return encoding;
    const message =
      `query is too large: ${encoding.totalTokens} tokens, the model's maximum context length is ` +
      `${this.spec.maxTokens} tokens; the input length exceeds the context length. Please shorten the query.`;
    throw new VecinityError('context_length_exceeded', message, { param: 'query' });
  }

  #encodeDocument(request: RerankRequest, index: number): Encoding {
    const { documents, truncate, maxTokensPerDocument, maxTokens: asked = null } = request;
    const prompt = resolvePrompt(this.spec, { role: 'document' });
    const text = documents[index] ?? '';
    try {
      // A limit on the document always cuts; only the model's own limit may be an error.
      if (maxTokensPerDocument === null && asked === null)
        return this.#tokenizer.encode(text, { prompt, truncate, index });
      const document = (maxTokensPerDocument ?? Number.POSITIVE_INFINITY) + this.#tokenizer.countTokens('');
      const maxTokens = Math.min(document, asked ?? Number.POSITIVE_INFINITY);
      return this.#tokenizer.encode(text, {
        prompt,
        truncate: truncate || maxTokens < this.spec.maxTokens,
        maxTokens,
        index,
      });
    } catch (thrown) {
      throw withParam(thrown, 'documents');
    }
  }

  #encodeInput(input: EngineInput, options: Parameters<Tokenizer['encode']>[1]): Encoding {
    if (typeof input === 'string') return this.#tokenizer.encode(input, options);
    const encoding = this.#tokenizer.encodeIds(input, options);
    // An empty list, or one of texts that stand for nothing.
    if (encoding.inputIds.length === 0) throw withoutTokens(options?.index);
    return encoding;
  }

  #compute(request: ComputeRequest): Promise<Computed> {
    return compute(request, { batcher: this.#batcher, now: this.#now });
  }

  #requireEmbeddings(): void {
    if (this.spec.task === 'rerank') throw this.#unsupported('it is a reranker and makes no embeddings');
  }

  #unsupported(reason: string): VecinityError {
    return new VecinityError('unsupported_task', `The model ${this.spec.id} cannot do this: ${reason}.`, {
      param: 'model',
    });
  }
}

/** The names of a classifier's labels, in the order of its outputs; transformers' own names where it has none. */
function labelsOf({ config }: ModelSpec, count: number): string[] {
  const names = objectField(config, 'id2label');
  return Array.from({ length: count }, (_, label) => stringField(names, String(label)) ?? `LABEL_${label}`);
}

/** How the tokenizer shall cut and frame each input. */
function cutOf(request: Omit<EmbedTokensRequest, 'inputs'>) {
  const { truncate, truncateSide, maxTokens, addSpecialTokens } = request;
  return { truncate, truncateSide, maxTokens, addSpecialTokens };
}

/** The same error about another parameter: a document is an input to the tokenizer. */
function withParam(thrown: unknown, param: string): VecinityError {
  const error = toVecinityError(thrown);
  return new VecinityError(error.code, error.message, { param, cause: error });
}
