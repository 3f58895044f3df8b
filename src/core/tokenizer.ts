/** What a tokenizer is to the engine: texts, pairs and given ids in, the tokens of one input out. */
import type { ModelSpec } from '../models/spec.js';
import type { EngineInput, Token } from './engine.js';

/** What the tokenizer needs to know of a model. */
export type TokenizerSpec = Pick<
  ModelSpec,
  'id' | 'maxTokens' | 'vocabSize' | 'includePrompt' | 'lowercase' | 'config'
>;

export interface Encoding {
  inputIds: Int32Array;
  /** Segment ids; null for models that have none, and where all are zero. */
  typeIds: Int32Array | null;
  truncated: boolean;
  /** Tokens before truncation, special tokens included; of a giant text, as many as were looked at. */
  totalTokens: number;
  /** Leading tokens that pooling leaves out; more than 0 only for models that do not pool their prompt. */
  skippedTokens: number;
}

/** Several inputs as one text: input `i` owns tokens `offsets[i]` to `offsets[i + 1]` of it. */
export interface ChunksEncoding extends Encoding {
  /** `[inputs + 1]` */
  offsets: Int32Array;
}

export interface EncodeOptions {
  /** False throws `context_length_exceeded` for an input that is too long. */
  truncate?: boolean;
  /** Which end is cut off; `right` when left out. */
  truncateSide?: 'left' | 'right';
  /** Tokens to keep at most; the model's own limit holds as well. */
  maxTokens?: number | null;
  /** False leaves the special tokens away; default true. */
  addSpecialTokens?: boolean | undefined;
  /** Text to put before the input. */
  prompt?: string;
  /** Place of the input in its request, for messages. */
  index?: number;
}

export interface PairOptions {
  truncate?: boolean;
  /** `longest_first` cuts both texts, `only_second` (the default) the document alone. */
  strategy?: 'longest_first' | 'only_second';
  maxTokens?: number | null;
  /** Tokens of the document to keep at most, before anything else is cut; never an error. */
  maxTokensPerDocument?: number | null;
  index?: number;
}

export interface Tokenizer {
  encode(text: string, options?: EncodeOptions): Encoding;
  encodePair(query: string, document: string, options?: PairOptions): Encoding;
  /**
   * Takes ids as they are, special tokens and all; a text among them becomes its own tokens. Throws `invalid_request`
   * for ids outside the vocabulary.
   */
  encodeIds(ids: readonly (number | string)[], options?: EncodeOptions): Encoding;
  /** Joins inputs into one text that is never cut. Throws `context_length_exceeded`, and for an input without tokens. */
  encodeChunks(chunks: readonly EngineInput[], options?: { prompt?: string }): ChunksEncoding;
  decode(ids: ArrayLike<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** The tokens of a text, uncut, with their places in it. */
  tokenize(text: string, options: { addSpecialTokens: boolean }): Token[];
  /** Tokens of a text with its special tokens, uncut. */
  countTokens(text: string): number;
}
