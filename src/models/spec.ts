/** What Vecinity knows of a model before it loads weights: read from the model's own files, gaps filled by the catalogue. */

export type Pooling = 'mean' | 'cls' | 'last_token';
export type Similarity = 'cosine' | 'dot' | 'euclidean' | 'manhattan';
export type Task = 'embedding' | 'rerank' | 'clip';

export interface ModelSpec {
  /** The name that requests use, for example `all-MiniLM-L6-v2`. */
  id: string;
  /** The repository it comes from, for example `sentence-transformers/all-MiniLM-L6-v2`; equals `id` for folders. */
  repository: string;
  revision: string;
  task: Task;
  /** `model_type` of config.json, for example `bert`. */
  architecture: string;
  pooling: Pooling;
  normalize: boolean;
  /** Width of an embedding, or the number of labels of a classifier. */
  dimensions: number;
  /** Widths that the model was trained to be cut to; empty when it declares none (any width may be asked for). */
  matryoshkaDimensions: number[];
  /** Tokens of one text at most, special tokens included. */
  maxTokens: number;
  vocabSize: number;
  /** Text put before an input, by name (`query`, `passage`, ...). */
  prompts: Record<string, string>;
  defaultPromptName: string | null;
  similarity: Similarity;
  /** False when pooling leaves the prompt's tokens out (`include_prompt` of the pooling file). */
  includePrompt: boolean;
  /** True when a text is turned to lower case before it is tokenized; absent means false. */
  lowercase?: boolean;
  license: string | null;
  /** config.json as it came, for backends that need more of it. */
  config: Record<string, unknown>;
  /** A known text and its vector, computed by another implementation; null when none is known. */
  canary: Canary | null;
}

export interface Canary {
  text: string;
  embedding: number[];
}
