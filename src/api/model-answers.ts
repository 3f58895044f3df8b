/** What the routes about models and the server itself answer, as validators; see `answers.ts`. */
import * as z from 'zod/mini';
import { modelName, textLike } from './answers.js';

const name = z.nullable(z.string());
const count = z.nullable(z.int());
const widths = z.array(z.int());
const state = z.enum(['loading', 'ready', 'failed', 'unloaded']);
const task = z.nullable(z.enum(['embedding', 'rerank']));
const date = textLike('2026-01-31T12:00:00.000Z');
const bytes = z.int().register(z.globalRegistry, { examples: [90_000_000] });

export const modelAnswer = z.strictObject({
  id: modelName,
  object: z.literal('model'),
  created: z.int(),
  owned_by: textLike('sentence-transformers'),
  root: z.string(),
  parent: name,
  state,
  task,
  revision: name,
  dimensions: count,
  matryoshka_dimensions: widths,
  max_model_len: count,
  pooling: name,
  normalize: z.nullable(z.boolean()),
  prompts: z.array(z.string()),
  license: name,
  backend: name,
  capabilities: z.array(z.enum(['embed', 'rerank', 'classify'])),
  stats: z.strictObject({
    queue_fraction: z.number(),
    queue_absolute: z.int(),
    results_pending: z.int(),
    batch_size: z.int(),
  }),
});
export const modelsAnswer = z.strictObject({ object: z.literal('list'), data: z.array(modelAnswer) });

export const healthAnswer = z.strictObject({ status: z.literal('ok'), unix: z.number(), model: modelName });
export const versionAnswer = z.strictObject({ version: textLike('0.1.0') });

const progress = z.nullable(
  z.strictObject({
    model: modelName,
    phase: z.enum(['download', 'compile', 'check', 'ready']),
    loaded_bytes: bytes,
    total_bytes: z.nullable(bytes),
    resumed_bytes: bytes,
    bytes_per_second: z.nullable(z.number()),
    remaining_ms: z.nullable(z.number()),
    files: z.array(z.strictObject({ file: z.string(), loaded_bytes: bytes, total_bytes: z.nullable(bytes) })),
  }),
);
const modelInfo = {
  model: name,
  state: z.optional(state),
  repository: z.optional(name),
  revision: z.optional(name),
  task: z.optional(task),
  architecture: z.optional(name),
  device: z.optional(name),
  dtype: z.optional(name),
  backend: z.optional(name),
  threads: z.optional(count),
  details: z.optional(z.record(z.string(), z.unknown())),
  tried: z.optional(
    z.array(
      z.strictObject({
        at: z.string(),
        backend: z.string(),
        device: z.string(),
        ok: z.boolean(),
        reason: z.string(),
      }),
    ),
  ),
  recoveries: z.optional(z.int()),
  max_tokens: z.optional(count),
  dimensions: z.optional(count),
  pooling: z.optional(name),
  normalize: z.optional(z.nullable(z.boolean())),
  similarity: z.optional(name),
  prompts: z.optional(z.record(z.string(), z.string())),
  progress: z.optional(progress),
  error: z.optional(z.nullable(z.strictObject({ code: z.string(), message: z.string() }))),
};
const labels = z.strictObject({ id2label: z.record(z.string(), z.string()), label2id: z.record(z.string(), z.int()) });

/** TEI's names are there as soon as a model is; ours are there for every model. */
export const infoAnswer = z.strictObject({
  version: textLike('0.1.0'),
  ...modelInfo,
  model_id: z.optional(modelName),
  model_sha: z.optional(name),
  model_dtype: z.optional(name),
  served_model_name: z.optional(modelName),
  model_type: z.optional(
    z.nullable(
      z.union([
        z.strictObject({ embedding: z.strictObject({ pooling: name }) }),
        z.strictObject({ reranker: labels }),
        z.strictObject({ classifier: labels }),
      ]),
    ),
  ),
  max_concurrent_requests: z.optional(z.int()),
  max_input_length: z.optional(count),
  max_batch_tokens: z.optional(z.int()),
  max_batch_requests: z.optional(z.null()),
  max_client_batch_size: z.optional(z.int()),
  auto_truncate: z.optional(z.boolean()),
  tokenization_workers: z.optional(z.int()),
  sha: z.optional(z.null()),
  docker_label: z.optional(z.null()),
  queue: z.strictObject({ inputs: z.int(), tokens: z.int(), max_inputs: z.int() }),
  former_engines: z.array(z.strictObject({ at: z.string(), reason: z.string() })),
  models: z.array(z.strictObject(modelInfo)),
});

const details = z.strictObject({
  parent_model: z.string(),
  format: textLike('safetensors'),
  family: textLike('bert'),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: textLike('F32'),
});
const listed = {
  name: modelName,
  model: modelName,
  modified_at: date,
  size: bytes,
  digest: z.string(),
  details,
};

export const ollamaTagsAnswer = z.strictObject({ models: z.array(z.strictObject(listed)) });
export const ollamaRunningAnswer = z.strictObject({
  models: z.array(z.strictObject({ ...listed, expires_at: date, size_vram: z.int(), context_length: count })),
});
export const ollamaShowAnswer = z.strictObject({
  modelfile: z.string(),
  parameters: z.string(),
  template: z.string(),
  details,
  model_info: z.record(z.string(), z.unknown()),
  capabilities: z.array(z.string()),
  modified_at: date,
});
/** A line of the stream, or the whole answer without one. */
export const pullAnswer = z.union([
  z.strictObject({
    status: textLike('success'),
    digest: z.optional(z.string()),
    total: z.optional(bytes),
    completed: z.optional(bytes),
  }),
  z.strictObject({ error: z.string() }),
]);

/** What describes the API is described by the standard that it follows. */
export const documentAnswer = z.looseObject({ openapi: z.literal('3.1.0'), paths: z.looseObject({}) });
