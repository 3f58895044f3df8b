/**
 * `vecinity/ai-sdk`: a provider for version 6 of the AI SDK (package `ai`): embedding and reranking models that run in
 * this tab or this process. Errors that a retry can mend become the SDK's own, so that its `maxRetries` is kept.
 */
import { APICallError, type EmbeddingModel, NoSuchModelError, type RerankingModel } from 'ai';
import type { EmbedOptions, RerankOptions } from '../api/client-bodies.js';
import { maxInputs } from '../config.js';
import { VecinityError } from '../errors.js';
import { wrongOption } from '../rules.js';
import { checkSource, embedTexts, rankDocuments, type VecinitySource } from './source.js';

export type { VecinitySource } from './source.js';

type EmbeddingModelV3 = Extract<EmbeddingModel, { specificationVersion: 'v3' }>;
type RerankingModelV3 = Extract<RerankingModel, { specificationVersion: 'v3' }>;

/** What `createVecinityProvider` gives; `providerOptions: { vecinity: … }` of a call takes the model's options too. */
export interface VecinityProvider {
  readonly specificationVersion: 'v3';
  /** For `embed` and `embedMany`. */
  embeddingModel(modelId: string, options?: Omit<EmbedOptions, 'model'>): EmbeddingModelV3;
  /** For `rerank`; documents that are objects are ranked by their JSON. */
  rerankingModel(modelId: string, options?: Omit<RerankOptions, 'model' | 'topN'>): RerankingModelV3;
  /** Throws `NoSuchModelError`: nothing here writes text. */
  languageModel(modelId: string): never;
  /** Throws `NoSuchModelError`. */
  imageModel(modelId: string): never;
}

const name = 'vecinity';

/** Makes the provider of a client or an engine. Throws `invalid_request` for what is neither. */
export function createVecinityProvider(source: VecinitySource): VecinityProvider {
  checkSource(source);
  return {
    specificationVersion: 'v3',
    embeddingModel: (modelId, options = {}) => createEmbeddingModel(source, modelId, options),
    rerankingModel: (modelId, options = {}) => createRerankingModel(source, modelId, options),
    languageModel: (modelId) => {
      throw new NoSuchModelError({ modelId, modelType: 'languageModel' });
    },
    imageModel: (modelId) => {
      throw new NoSuchModelError({ modelId, modelType: 'imageModel' });
    },
  };
}

function createEmbeddingModel(source: VecinitySource, modelId: string, options: EmbedOptions): EmbeddingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: name,
    modelId,
    maxEmbeddingsPerCall: maxInputs,
    // One queue serves them all: parallel parts would only fill it.
    supportsParallelCalls: false,
    async doEmbed({ values, abortSignal: signal, providerOptions }) {
      const wish = { ...options, ...ownOptions(providerOptions), model: modelId, signal };
      const { vectors, promptTokens } = await inTermsOfSdk(embedTexts(source, values, wish), signal);
      return { embeddings: vectors.map((vector) => [...vector]), usage: { tokens: promptTokens }, warnings: [] };
    },
  };
}

function createRerankingModel(source: VecinitySource, modelId: string, options: RerankOptions): RerankingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: name,
    modelId,
    async doRerank({ documents, query, topN, abortSignal: signal, providerOptions }) {
      const texts = documents.type === 'text' ? documents.values : documents.values.map(toText);
      const wish = {
        ...options,
        ...ownOptions(providerOptions),
        model: modelId,
        ...(topN === undefined ? {} : { topN }),
        signal,
      };
      const { ranking, model } = await inTermsOfSdk(rankDocuments(source, query, texts, wish), signal);
      return {
        ranking: ranking.map(({ index, score }) => ({ index, relevanceScore: score })),
        ...(model === null ? {} : { response: { modelId: model } }),
      };
    },
  };
}

/** Throws `invalid_request` for what JSON cannot hold. */
function toText(value: unknown, index: number): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    throw wrongOption(`documents[${index}]`, 'a value that JSON can hold', value);
  }
}

/** The call's options for us, as they came: the engine checks them. */
function ownOptions(providerOptions: Record<string, Record<string, unknown>> | undefined): Record<string, unknown> {
  return { ...providerOptions?.[name] };
}

/** Settles as `work` does; an abort rejects with the signal's own reason, as the SDK expects it. */
async function inTermsOfSdk<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await work;
  } catch (thrown) {
    if (signal?.aborted) throw signal.reason;
    throw thrown instanceof VecinityError ? toSdkError(thrown) : thrown;
  }
}

/** Worth another try: a full queue, a model on its way, a worker that is replaced. */
const passing = new Set<VecinityError['code']>([
  'overloaded',
  'model_loading',
  'worker_died',
  'engine_crashed',
  'timeout',
]);

function toSdkError(error: VecinityError): Error {
  const { message, code, param, status, retryAfterMs } = error;
  return new APICallError({
    message,
    url: `${name}:`,
    requestBodyValues: {},
    statusCode: status,
    isRetryable: passing.has(code),
    data: { code, param },
    cause: error,
    ...(retryAfterMs === null ? {} : { responseHeaders: { 'retry-after-ms': String(retryAfterMs) } }),
  });
}
