/** What the typed calls of a client take and give. Types only, without those of a browser: Node's adapters name them, too. */
import type { JobProgress } from '../core/engine.js';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: JobProgress) => void) | undefined;
}

/** OpenAI's embeddings response; in a page the vectors are `Float32Array` views of one transferred buffer. */
export interface EmbeddingsResponse {
  object: 'list';
  data: { object: 'embedding'; index: number; embedding: Float32Array | number[] | string }[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

export interface RerankResponse {
  id: string;
  model: string;
  results: { index: number; relevance_score: number; document?: { text: string } }[];
  usage: { prompt_tokens: number; total_tokens: number };
}

export interface ModelsResponse {
  object: 'list';
  data: { id: string; object: 'model'; created: number; owned_by: string }[];
}
