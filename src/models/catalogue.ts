/**
 * Models known by a short name. A model's own files always win; an entry fills what they leave out, and says where
 * ONNX weights lie when the original repository has none.
 */
import canaries from './canaries.json' with { type: 'json' };
import type { Canary, Pooling, Similarity, Task } from './spec.js';

export interface CatalogueEntry {
  id: string;
  /** On the hub. */
  repository: string;
  revision: string;
  /** Where ONNX files are that `repository` lacks. */
  onnxRepository: string | null;
  task: Task;
  pooling: Pooling;
  normalize: boolean;
  prompts: Record<string, string>;
  dimensions: number;
  maxTokens: number;
  similarity: Similarity;
  license: string;
}

const embedding = {
  revision: 'main',
  onnxRepository: null,
  task: 'embedding',
  pooling: 'cls',
  normalize: true,
  prompts: {},
  similarity: 'cosine',
  license: 'mit',
} as const;

const reranker = { ...embedding, task: 'rerank', dimensions: 1 } as const;

const bgeEnglishPrompts = { query: 'Represent this sentence for searching relevant passages: ' };

export const catalogue: readonly CatalogueEntry[] = [
  {
    ...embedding,
    id: 'all-MiniLM-L6-v2',
    repository: 'sentence-transformers/all-MiniLM-L6-v2',
    onnxRepository: 'Xenova/all-MiniLM-L6-v2',
    pooling: 'mean',
    dimensions: 384,
    maxTokens: 256,
    license: 'apache-2.0',
  },
  {
    ...embedding,
    id: 'bge-small-en-v1.5',
    repository: 'BAAI/bge-small-en-v1.5',
    onnxRepository: 'Xenova/bge-small-en-v1.5',
    prompts: bgeEnglishPrompts,
    dimensions: 384,
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'bge-base-en-v1.5',
    repository: 'BAAI/bge-base-en-v1.5',
    onnxRepository: 'Xenova/bge-base-en-v1.5',
    prompts: bgeEnglishPrompts,
    dimensions: 768,
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'bge-large-en-v1.5',
    repository: 'BAAI/bge-large-en-v1.5',
    onnxRepository: 'Xenova/bge-large-en-v1.5',
    prompts: bgeEnglishPrompts,
    dimensions: 1024,
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'bge-m3',
    repository: 'BAAI/bge-m3',
    onnxRepository: 'Xenova/bge-m3',
    dimensions: 1024,
    maxTokens: 8192,
  },
  {
    ...reranker,
    id: 'bge-reranker-v2-m3',
    repository: 'BAAI/bge-reranker-v2-m3',
    onnxRepository: 'onnx-community/bge-reranker-v2-m3-ONNX',
    maxTokens: 8192,
    license: 'apache-2.0',
  },
  {
    ...reranker,
    id: 'bge-reranker-base',
    repository: 'BAAI/bge-reranker-base',
    onnxRepository: 'Xenova/bge-reranker-base',
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'multilingual-e5-small',
    repository: 'intfloat/multilingual-e5-small',
    onnxRepository: 'Xenova/multilingual-e5-small',
    pooling: 'mean',
    prompts: { query: 'query: ', passage: 'passage: ' },
    dimensions: 384,
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'gte-small',
    repository: 'thenlper/gte-small',
    onnxRepository: 'Xenova/gte-small',
    pooling: 'mean',
    dimensions: 384,
    maxTokens: 512,
  },
  {
    ...embedding,
    id: 'clip-vit-base-patch32',
    repository: 'openai/clip-vit-base-patch32',
    onnxRepository: 'Xenova/clip-vit-base-patch32',
    task: 'clip',
    dimensions: 512,
    maxTokens: 77,
  },
];

/** The entry of a catalogue id or of a hub repository, in any case of letters; null when there is none. */
export function findEntry(name: string): CatalogueEntry | null {
  const wanted = name.toLowerCase();
  return (
    catalogue.find((entry) => entry.id.toLowerCase() === wanted || entry.repository.toLowerCase() === wanted) ?? null
  );
}

const canaryById: Readonly<Record<string, Canary>> = canaries;

/** The known text of a catalogue model with its vector, or null. */
export function findCanary(id: string): Canary | null {
  return Object.hasOwn(canaryById, id) ? (canaryById[id] ?? null) : null;
}
