/** What the API and the client can ask of an engine, in the project's own words; wire spelling stays in `src/api`. */
import type { BackendInfo, BackendName, DevicePreference, DtypePreference } from '../backend/backend.js';
import type { ErrorCode } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';

/** A text, or token ids that are used as given; texts among them become their tokens, without special ones. */
export type EngineInput = string | readonly (number | string)[];

export interface Usage {
  /** Real tokens that were embedded, after truncation, special tokens included. */
  promptTokens: number;
}

/** Milliseconds that one request spent in each stage. */
export interface Timing {
  tokenizeMs: number;
  queueMs: number;
  inferenceMs: number;
  totalMs: number;
}

/** Inputs finished so far of one long job. */
export interface JobProgress {
  done: number;
  total: number;
}

export interface RequestOptions {
  signal?: AbortSignal | undefined;
  /** Who asks: clients that wait get the same share of the device. Requests that name none are of one client. */
  client?: string | undefined;
  onProgress?: ((progress: JobProgress) => void) | undefined;
}

export interface EmbedRequest extends RequestOptions {
  /** Null takes the default model. */
  model: string | null;
  inputs: readonly EngineInput[];
  /** Name of a prompt of the model; null takes the model's default prompt. */
  promptName: string | null;
  /** Text put before each input; wins over `promptName`; '' turns the default prompt off. */
  prompt: string | null;
  /** Null keeps the model's width. */
  dimensions: number | null;
  /** Null does what the model declares. */
  normalize: boolean | null;
  /** True cuts an input that is too long, false throws `context_length_exceeded`. */
  truncate: boolean;
  truncateSide: 'left' | 'right';
  /** Tokens to keep of each input at most; null is the model's limit. */
  maxTokens: number | null;
  /** False leaves the model's special tokens away; default true. */
  addSpecialTokens?: boolean;
  /** Tokens of all inputs together at most; more throws `invalid_request`. Default: no limit. */
  maxTotalTokens?: number | null;
  /**
   * True reads all inputs as one text, in their order, and gives the mean of each one's tokens in it. Nothing is cut;
   * throws `invalid_request` for a model that does not pool by the mean.
   */
  lateChunking?: boolean;
}

/** What of an embedding request concerns single tokens. */
export type EmbedTokensRequest = Omit<EmbedRequest, 'dimensions' | 'normalize' | 'lateChunking'>;

/** The last hidden state of every token, special tokens included, as the model gave them. */
export interface EmbedTokensResult {
  model: string;
  /** `[tokens, dimensions]` in the order of the inputs. */
  embeddings: Float32Array<ArrayBuffer>;
  /** `[count + 1]`: input `i` owns rows `offsets[i]` to `offsets[i + 1]`. */
  offsets: Int32Array;
  count: number;
  dimensions: number;
  usage: Usage;
  truncated: number;
  timing: Timing;
}

export interface EmbedResult {
  model: string;
  /** `[count, dimensions]`, rows in the order of the inputs, in a buffer of its own. */
  embeddings: Float32Array<ArrayBuffer>;
  count: number;
  dimensions: number;
  usage: Usage;
  /** How many inputs were cut. */
  truncated: number;
  timing: Timing;
}

export interface RerankRequest extends RequestOptions {
  model: string | null;
  query: string;
  documents: readonly string[];
  /** Applies to cross-encoders; a bi-encoder's score is the cosine. */
  scoreActivation: 'sigmoid' | 'none';
  /** Tokens to keep of each document at most; null cuts to what fits beside the query. */
  maxTokensPerDocument: number | null;
  /** True cuts documents that are too long (a query that alone does not fit always throws). */
  truncate: boolean;
  /** Tokens of a pair at most, of each text for a bi-encoder; null is the model's limit. */
  maxTokens?: number | null;
}

export interface RerankResult {
  model: string;
  /** One score a document, in the order of the documents. */
  scores: Float32Array<ArrayBuffer>;
  usage: Usage;
  truncated: number;
  timing: Timing;
}

export interface ClassifyRequest extends RequestOptions {
  model: string | null;
  /** Texts, or pairs of texts. */
  inputs: readonly (string | readonly [string, string])[];
  /** `probability`: softmax over the labels, the sigmoid of a single one; `none`: the logits. */
  activation: 'probability' | 'none';
  truncate: boolean;
  truncateSide: 'left' | 'right';
  /** Tokens to keep of each input at most; null is the model's limit. */
  maxTokens?: number | null;
}

export interface ClassifyResult {
  model: string;
  labels: string[];
  /** `[count, labels]` */
  scores: Float32Array<ArrayBuffer>;
  count: number;
  usage: Usage;
  truncated: number;
  timing: Timing;
}

export interface TokenizeRequest extends RequestOptions {
  model: string | null;
  texts: readonly string[];
  addSpecialTokens: boolean;
  /** As in `EmbedRequest`. */
  promptName: string | null;
}

export interface Token {
  id: number;
  /** What it stands for in the text; a special token's own name. */
  text: string;
  special: boolean;
  /** UTF-8 bytes of the text from here on; null for special tokens, and where no place can be told. */
  start: number | null;
  stop: number | null;
}

export interface TokenizeResult {
  model: string;
  tokens: Token[][];
  maxTokens: number;
}

export interface DecodeRequest extends RequestOptions {
  model: string | null;
  ids: readonly (readonly number[])[];
  skipSpecialTokens: boolean;
}

export interface DecodeResult {
  model: string;
  texts: string[];
}

/** One step on the ladder of devices: what was tried, and why it was not taken or not kept. */
export interface Attempt {
  /** When, in ISO 8601. */
  at: string;
  backend: BackendName;
  device: 'webgpu' | 'wasm';
  ok: boolean;
  reason: string;
}

/** `unloaded`: not in memory; the next request for it brings it back. */
export type ModelState = 'loading' | 'ready' | 'failed' | 'unloaded';

/** How far a load is: all files together, and each of them by its path. */
export interface LoadProgress {
  type: 'load';
  model: string;
  phase: 'download' | 'compile' | 'check' | 'ready';
  loadedBytes: number;
  /** Null until the weights and every other file that was begun have said their size. */
  totalBytes: number | null;
  /** Part of `loadedBytes`: what was kept from before, whole files and the beginnings that a break had left. */
  resumedBytes: number;
  /** Over the last seconds; null until there is enough to tell, and outside the phase `download`. */
  bytesPerSecond: number | null;
  /** What is missing at that speed; null where either is not known. */
  remainingMs: number | null;
  files: Record<string, { loadedBytes: number; totalBytes: number | null; resumedBytes: number }>;
}

export interface ModelStatus {
  id: string;
  state: ModelState;
  spec: ModelSpec | null;
  backend: BackendInfo | null;
  /** In the order of time; of a long record the end. */
  tried: Attempt[];
  /** How often a compute worker that died, hung or computed nonsense had to be replaced since the model was loaded. */
  recoveries: number;
  progress: LoadProgress | null;
  error: { code: ErrorCode; message: string } | null;
}

/** An engine that ended and was replaced by another one. */
export interface FormerEngine {
  /** When that was seen, in ISO 8601. */
  at: string;
  reason: string;
}

export interface EngineStatus {
  models: ModelStatus[];
  defaultModel: string | null;
  queue: { inputs: number; tokens: number; maxInputs: number; maxBatchTokens: number };
  /**
   * Whose place this engine took, in the order of time and of a long record the end: engine workers that died, and tabs
   * that had the engine before, as far as this engine's tab saw it. Requests went on; counts began anew.
   */
  formerEngines: FormerEngine[];
}

export interface LoadOptions {
  device?: DevicePreference | undefined;
  dtype?: DtypePreference | undefined;
  revision?: string | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** One run on a backend, as it starts. */
export interface RunSize {
  texts: number;
  /** Real tokens; padding is not counted. */
  tokens: number;
}

export type RunListener = (run: RunSize) => void;

/** One engine: loaded models, one queue a model. Every promise ends: with a value, an error of ours, or the caller's abort. */
export interface Engine {
  load(model: string, options?: LoadOptions): Promise<ModelStatus>;
  unload(model: string): Promise<void>;
  embed(request: EmbedRequest): Promise<EmbedResult>;
  embedTokens(request: EmbedTokensRequest): Promise<EmbedTokensResult>;
  rerank(request: RerankRequest): Promise<RerankResult>;
  classify(request: ClassifyRequest): Promise<ClassifyResult>;
  tokenize(request: TokenizeRequest): Promise<TokenizeResult>;
  decode(request: DecodeRequest): Promise<DecodeResult>;
  status(): EngineStatus;
  /** Tells of every run from now on, whichever model it is of. */
  onRun(listener: RunListener): void;
  dispose(): Promise<void>;
}
