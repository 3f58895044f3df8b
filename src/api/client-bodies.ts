/** The page's typed options in the wire's spelling: bodies as they would be sent over HTTP. Inverse of the validators. */

/** How texts become embeddings. */
export interface EmbedOptions {
  /** A loaded model; default the first one. */
  model?: string;
  /** Width to cut to; the result is normalised again. */
  dimensions?: number;
  /** Name of one of the model's prompts, for example `query`. */
  promptName?: string;
  /** Text put before each input; '' turns the model's default prompt off. */
  prompt?: string;
  /** Overrides what the model declares. */
  normalize?: boolean;
  /** True cuts a text that is too long, false rejects with `context_length_exceeded`; default false. */
  truncate?: boolean;
  truncateSide?: 'left' | 'right';
}

/** How documents are scored. */
export interface RerankOptions {
  model?: string;
  /** Results at most; default all. */
  topN?: number;
  /** True gives a cross-encoder's logits instead of their sigmoid. */
  rawScores?: boolean;
  /** True (the default) cuts documents that are too long beside the query. */
  truncate?: boolean;
  maxTokensPerDocument?: number;
}

export function toEmbeddingsBody(input: unknown, options: EmbedOptions): Record<string, unknown> {
  return {
    input,
    model: options.model,
    dimensions: options.dimensions,
    prompt_name: options.promptName,
    prompt: options.prompt,
    normalize: options.normalize,
    truncate: options.truncate,
    truncation_direction: options.truncateSide,
  };
}

/** Documents do not come back: the caller has them. */
export function toRerankBody(query: unknown, documents: unknown, options: RerankOptions): Record<string, unknown> {
  return {
    query,
    documents,
    model: options.model,
    top_n: options.topN,
    raw_scores: options.rawScores,
    truncate: options.truncate,
    max_tokens_per_doc: options.maxTokensPerDocument,
    return_documents: false,
  };
}
