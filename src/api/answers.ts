/**
 * What the inference routes answer, as validators: the OpenAPI document is made from them, and tests hold every real
 * answer against them. Answers about models and the server itself are in `model-answers.ts`.
 */
import * as z from 'zod/mini';
import type { BodySchema } from './validate.js';
import { type VectorType, vectorTypes } from './vectors/vector-codes.js';

/** The answers of a route by media type; null where a body is no JSON. */
export type Answers = Readonly<Record<string, BodySchema | null>>;

/** A route that answers JSON. */
export const json = (schema: BodySchema): Answers => ({ 'application/json': schema });

/** The same text in every example of the document. */
export const textLike = (example: string) => z.string().register(z.globalRegistry, { examples: [example] });

export const modelName = textLike('all-MiniLM-L6-v2');
const index = z.int().register(z.globalRegistry, { examples: [0] });
const tokens = z.int().register(z.globalRegistry, { examples: [5] });
const unixSeconds = z.int().register(z.globalRegistry, { examples: [1_754_000_000] });
const score = z.number().register(z.globalRegistry, { examples: [0.875] });
const value = z.number().register(z.globalRegistry, { examples: [0.0625] });
const label = textLike('positive');
const passage = textLike('A text.');
const base64 = textLike('AACAPQAAgD0=');

/** vLLM counts what it has generated, too. */
const usage = z.strictObject({ prompt_tokens: tokens, total_tokens: tokens, completion_tokens: z.optional(tokens) });
const vector = z.array(value);
const labelScore = z.strictObject({ score, label });

/** One field for each type of vector that was asked for. */
const byType = <Value extends BodySchema>(of: (type: VectorType) => Value) =>
  z.strictObject(Object.fromEntries(vectorTypes.map((type) => [type, z.optional(of(type))])));
const typedVector = (type: VectorType) => (type === 'base64' ? base64 : vector);

export const embeddingsAnswer = z.strictObject({
  object: z.literal('list'),
  data: z.array(
    z.strictObject({
      object: z.literal('embedding'),
      index,
      embedding: z.union([vector, base64, z.array(vector), byType(typedVector)]),
      encoding_format: z.optional(z.literal('base64')),
    }),
  ),
  model: modelName,
  usage,
  // Of vLLM and Infinity.
  id: z.optional(textLike('embd-1')),
  created: z.optional(unixSeconds),
});

/** Jina's, with a vector for every token. */
export const multiVectorAnswer = z.strictObject({
  model: modelName,
  object: z.literal('list'),
  usage,
  data: z.array(z.strictObject({ object: z.literal('embeddings'), index, embeddings: z.array(vector) })),
});

export const rerankAnswer = z.strictObject({
  id: textLike('rerank-1'),
  object: z.optional(z.literal('rerank')),
  created: z.optional(unixSeconds),
  model: modelName,
  results: z.array(
    z.strictObject({
      index,
      relevance_score: score,
      document: z.optional(z.union([z.strictObject({ text: passage }), passage])),
    }),
  ),
  usage,
});

const billed = z.record(z.string(), z.int());
const cohereMeta = z.strictObject({
  api_version: z.strictObject({ version: textLike('2') }),
  billed_units: billed,
  tokens: z.strictObject({ input_tokens: tokens }),
});
const cohereVectors = byType((type) => z.array(typedVector(type)));

export const cohereEmbedAnswer = z.strictObject({
  id: textLike('embd-1'),
  embeddings: cohereVectors,
  texts: z.array(passage),
  meta: cohereMeta,
});
/** Of `/v1/embed`: vectors alone, or by type where the request names types. */
export const cohereEmbedV1Answer = z.union([
  z.strictObject({
    id: textLike('embd-1'),
    response_type: z.literal('embeddings_floats'),
    embeddings: z.array(vector),
    texts: z.array(passage),
    meta: cohereMeta,
  }),
  z.strictObject({
    id: textLike('embd-1'),
    response_type: z.literal('embeddings_by_type'),
    embeddings: cohereVectors,
    texts: z.array(passage),
    meta: cohereMeta,
  }),
]);
export const cohereRerankAnswer = z.strictObject({
  id: textLike('rerank-1'),
  results: z.array(z.strictObject({ index, relevance_score: score })),
  meta: cohereMeta,
});

export const jinaClassifyAnswer = z.strictObject({
  model: modelName,
  data: z.array(
    z.strictObject({
      object: z.literal('classification'),
      index,
      prediction: label,
      score,
      predictions: z.array(z.strictObject({ label, score })),
    }),
  ),
  usage,
});

export const teiEmbedAnswer = z.array(vector);
export const teiTokensAnswer = z.array(z.array(vector));
export const teiSparseAnswer = z.array(z.array(z.strictObject({ index, value })));
export const teiPredictAnswer = z.union([z.array(labelScore), z.array(z.array(labelScore))]);
export const teiRerankAnswer = z.array(z.strictObject({ index, score, text: z.optional(passage) }));
export const teiSimilarityAnswer = z.array(score);
export const teiTokenizeAnswer = z.array(
  z.array(
    z.strictObject({
      id: index,
      text: textLike('hello'),
      special: z.boolean(),
      start: z.nullable(z.int()),
      stop: z.nullable(z.int()),
    }),
  ),
);
export const teiDecodeAnswer = z.array(passage);
export const teiOwnAnswer = z.union([teiEmbedAnswer, teiRerankAnswer, teiPredictAnswer, teiSimilarityAnswer]);
export const vertexAnswer = z.strictObject({ predictions: z.array(teiOwnAnswer) });

/** vLLM's list of anything, by the kind of its items. */
const vllmList = <Item extends BodySchema>(id: string, item: Item) =>
  z.strictObject({
    id: textLike(id),
    object: z.literal('list'),
    created: unixSeconds,
    model: modelName,
    data: z.array(item),
    usage,
  });

export const scoreAnswer = vllmList('score-1', z.strictObject({ index, object: z.literal('score'), score }));
export const poolingAnswer = vllmList(
  'pool-1',
  z.strictObject({ index, object: z.literal('pooling'), data: z.union([vector, z.array(vector), base64]) }),
);
const vllmClasses = z.strictObject({ index, label, probs: z.array(score), num_classes: z.int() });
export const classifyAnswer = z.union([
  vllmList('classify-1', vllmClasses),
  z.strictObject({
    id: textLike('classify-1'),
    object: z.literal('classify'),
    created: unixSeconds,
    model: modelName,
    data: z.array(z.array(labelScore)),
    usage,
  }),
]);
export const loadAnswer = z.strictObject({ server_load: z.int() });
export const vllmTokenizeAnswer = z.strictObject({
  count: tokens,
  max_model_len: z.int(),
  tokens: z.array(index),
  token_strs: z.nullable(z.array(z.string())),
});
export const detokenizeAnswer = z.strictObject({ prompt: passage, content: passage });

export const llamaEmbedAnswer = z.array(z.strictObject({ index, embedding: z.array(vector) }));
export const llamaRerankAnswer = z.strictObject({
  model: modelName,
  object: z.literal('list'),
  usage,
  results: z.array(z.strictObject({ index, relevance_score: score })),
});
export const llamaTokenizeAnswer = z.strictObject({
  tokens: z.array(z.union([index, z.strictObject({ id: index, piece: z.string() })])),
});

const slot = z.strictObject({
  id: index,
  model: modelName,
  n_ctx: z.nullable(z.int()),
  speculative: z.literal(false),
  is_processing: z.boolean(),
});
export const llamaSlotsAnswer = z.array(slot);
export const llamaPropsAnswer = z.strictObject({
  default_generation_settings: z.strictObject({ n_ctx: z.nullable(z.int()), params: z.strictObject({}) }),
  total_slots: z.int(),
  model_alias: z.nullable(modelName),
  model_path: z.nullable(z.string()),
  modalities: z.strictObject({ vision: z.literal(false), audio: z.literal(false) }),
  chat_template: z.literal(''),
  bos_token: z.null(),
  eos_token: z.null(),
  build_info: textLike('vecinity 0.1.0'),
});

const nanoseconds = z.int().register(z.globalRegistry, { examples: [12_000_000] });
export const ollamaEmbedAnswer = z.strictObject({
  model: modelName,
  embeddings: z.array(vector),
  total_duration: z.optional(nanoseconds),
  load_duration: z.optional(nanoseconds),
  prompt_eval_count: z.optional(tokens),
});
export const ollamaPromptAnswer = z.strictObject({ model: z.optional(modelName), embedding: vector });
export const ollamaRerankAnswer = z.strictObject({
  model: modelName,
  results: z.array(z.strictObject({ index, relevance_score: score, document: z.optional(passage) })),
});
