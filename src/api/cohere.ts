/** Cohere's routes: `/v2/embed` with several types of vectors at once, and `/v2/rerank`, which returns no documents. */
import * as z from 'zod/mini';
import type { EmbedResult } from '../core/engine.js';
import type { VecinityError } from '../errors.js';
import { cohereEmbedAnswer, cohereRerankAnswer, json } from './answers.js';
import { embedInputs } from './embed-inputs.js';
import { type JsonPart, writeJson } from './embeddings-json.js';
import { toOpenaiError } from './error-response.js';
import { choice, maxInputs, positiveInteger, text } from './fields.js';
import { createId } from './ids.js';
import { documents, query, rank, scoreDocuments } from './rerank.js';
import { jsonResponse, timingHeaders } from './respond.js';
import type { Call, Dialect } from './route.js';
import { truncationFields } from './truncation.js';
import { count, invalidField, parseBody } from './validate.js';
import { toTypedRows, type VectorType, vectorTypes } from './vector-codes.js';

const allowedTexts = `an array of 1 to ${count(maxInputs)} strings`;
const allowedTypes = `an array of one or more of ${vectorTypes.map((type) => JSON.stringify(type)).join(', ')}`;
const allowedParts = 'an array of one or more {"type": "text", "text": string}; images cannot be embedded here';
const textPart = z.object({ type: z.literal('text', 'the word "text"'), text: text() }, allowedParts);
const content = z.object({ content: z.array(textPart, allowedParts).check(z.minLength(1, allowedParts)) });

const embedBody = z.object({
  model: z.nullish(text()),
  input_type: z.nullish(text()),
  texts: z.nullish(
    z.array(text(), allowedTexts).check(z.minLength(1, allowedTexts), z.maxLength(maxInputs, allowedTexts)),
  ),
  inputs: z.nullish(z.array(content).check(z.minLength(1, allowedTexts), z.maxLength(maxInputs, allowedTexts))),
  embedding_types: z.nullish(z.array(choice(vectorTypes), allowedTypes).check(z.minLength(1, allowedTypes))),
  output_dimension: z.nullish(positiveInteger()),
  max_tokens: z.nullish(positiveInteger()),
  truncate: z.nullish(choice(['NONE', 'START', 'END'])),
});

const rerankBody = z.object({
  model: z.nullish(text()),
  query,
  documents,
  top_n: z.nullish(positiveInteger()),
  max_tokens_per_doc: z.nullish(positiveInteger()),
  // vLLM has this route too.
  ...truncationFields,
});

/** Cohere's clients read `message`; those of vLLM, which has these routes too, read `error`. */
const formatError = (error: VecinityError) => ({ body: { message: error.message, ...toOpenaiError(error) } });

export const cohere: Dialect = [
  {
    method: 'POST',
    paths: ['/v2/embed'],
    summary: 'Embeds texts as Cohere does, in one or several types of vectors.',
    body: embedBody,
    examples: [{ texts: ['Lima', 'Quito'], input_type: 'search_document', embedding_types: ['float'] }],
    answers: json(cohereEmbedAnswer),
    guarded: true,
    formatError,
    handle: embed,
  },
  {
    method: 'POST',
    paths: ['/v2/rerank'],
    summary: 'Sorts documents as Cohere does: places and scores only.',
    body: rerankBody,
    examples: [{ query: 'capital of Peru', documents: ['Lima', 'Quito'] }],
    answers: json(cohereRerankAnswer),
    guarded: true,
    formatError,
    handle: rerank,
  },
];

async function embed({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(embedBody, body);
  const texts = parsed.texts ?? parsed.inputs?.map(({ content }) => content.map(({ text }) => text).join('\n'));
  if (!texts) throw invalidField(['texts'], `${allowedTexts} (or \`inputs\` must hold texts)`, undefined);
  const { input_type: role } = parsed;
  const result = await embedInputs(
    {
      model: parsed.model ?? null,
      inputs: texts,
      prompt: { role: role ? { field: 'input_type', value: role } : null },
      dimensions: parsed.output_dimension ?? null,
      truncate: parsed.truncate !== 'NONE',
      truncateSide: parsed.truncate === 'START' ? 'left' : 'right',
      maxTokens: parsed.max_tokens ?? null,
    },
    context,
  );
  const bytes = await writeJson(toParts(result, texts, parsed.embedding_types ?? ['float']));
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

/** `{"id", "embeddings": {"float": [...], "int8": [...]}, "texts", "meta"}` */
function toParts(result: EmbedResult, texts: readonly string[], types: readonly VectorType[]): JsonPart[] {
  const vectors = [...new Set(types)].flatMap((type, place): JsonPart[] => [
    `${place > 0 ? ',' : ''}"${type}":[`,
    toTypedRows(result, type),
    ']',
  ]);
  const tail = { texts, meta: meta(result.usage.promptTokens, { input_tokens: result.usage.promptTokens }) };
  return [`{"id":"${createId('embd-')}","embeddings":{`, ...vectors, `},${JSON.stringify(tail).slice(1)}`];
}

async function rerank({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(rerankBody, body);
  const result = await scoreDocuments(
    {
      model: parsed.model ?? null,
      query: parsed.query,
      documents: parsed.documents,
      maxTokensPerDocument: parsed.max_tokens_per_doc ?? null,
      truncateTo: parsed.truncate_prompt_tokens ?? null,
    },
    context,
  );
  const results = rank(result.scores, parsed.top_n).map(({ index, score }) => ({ index, relevance_score: score }));
  const { promptTokens } = result.usage;
  const answer = { id: createId('rerank-'), results, meta: meta(promptTokens, { search_units: 1 }) };
  return jsonResponse(answer, { headers: timingHeaders(result) });
}

/** What Cohere would bill, and the tokens that were really read. */
function meta(tokens: number, billed: Record<string, number>) {
  return { api_version: { version: '2' }, billed_units: billed, tokens: { input_tokens: tokens } };
}
