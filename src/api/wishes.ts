/** What every dialect's request comes to before it meets an engine or another server. */
import type { EngineInput } from '../core/engine.js';
import type { PromptWish } from './prompts.js';

/** Embeddings; what is left out takes the engine's default. */
export interface EmbedWish {
  model: string | null;
  inputs: readonly EngineInput[];
  prompt?: Partial<PromptWish>;
  dimensions?: number | null;
  normalize?: boolean | null;
  /** True cuts what is too long; default false. */
  truncate?: boolean;
  truncateSide?: 'left' | 'right';
  /** Tokens to keep at most; more than the model takes means the model's own limit. */
  maxTokens?: number | null;
  /** The same of vLLM's, where more than the model takes is an error. */
  truncateTo?: number | null;
  /** False leaves the special tokens away; default true. */
  addSpecialTokens?: boolean | null;
  /** True reads the inputs as one text; see `EmbedRequest`. */
  lateChunking?: boolean;
}

/** Scores; what is left out takes the API's default. */
export interface RerankWish {
  model: string | null;
  query: string;
  documents: readonly string[];
  /** Null takes the server's option `scoreActivation`. */
  rawScores?: boolean | null;
  maxTokensPerDocument?: number | null;
  /** Chunks of a long document that are read, the best of which counts; by default it is cut instead. */
  maxChunksPerDocument?: number | null;
  /** False refuses documents that are too long; default true. */
  truncate?: boolean;
  /** Tokens of a query with its document at most; more than the model takes is an error. */
  truncateTo?: number | null;
}
