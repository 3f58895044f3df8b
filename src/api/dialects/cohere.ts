/** Cohere's routes: `/v1/embed` and `/v2/embed`, with several types of vectors at once, and `/v2/rerank`, which returns no documents. */
import * as z from 'zod/mini';
import { maxInputs } from '../../config.js';
import type { EmbedResult } from '../../core/engine.js';
import type { VecinityError } from '../../errors.js';
import { cohereEmbedAnswer, cohereEmbedV1Answer, cohereRerankAnswer, json } from '../answers.js';
import { embedInputs } from '../embed-inputs.js';
import { toOpenaiError } from '../error-response.js';
import { choice, listOf, needsOneOf, positiveInteger, text } from '../fields.js';
import { createId } from '../ids.js';
import { documents, query, rank, scoreDocuments } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call, Dialect } from '../route.js';
import { truncationFields } from '../truncation.js';
import { count, invalidField, parseBody } from '../validate.js';
import { type JsonPart, writeJson } from '../vectors/embeddings-json.js';
import { toTypedRows, type VectorType, vectorTypes } from '../vectors/vector-codes.js';

const allowedTexts = `an array of 1 to ${count(maxInputs)} strings`;
const typeNames = vectorTypes.map((type) => JSON.stringify(type)).join(', ');
const allowedTypes = `an array of 1 to ${vectorTypes.length} of ${typeNames}`;
const allowedPart = '{"type": "text", "text": string}; images cannot be embedded here';
const allowedParts = `an array of 1 to ${count(maxInputs)} ${allowedPart}`;
const allowedContent = '{"content": array of texts}';
const allowedInputs = `an array of 1 to ${count(maxInputs)} ${allowedContent}`;
const textPart = z.object({ type: z.literal('text', 'the word "text"'), text: text() }, allowedPart);
const content = z.object({ content: listOf(textPart, maxInputs, allowedParts) }, allowedContent);

const embedBody = needsOneOf(
  [['texts'], ['inputs']],
  z.object({
    model: z.nullish(text()),
    input_type: z.nullish(text()),
    texts: z.nullish(listOf(text(), maxInputs, allowedTexts)),
    inputs: z.nullish(listOf(content, maxInputs, allowedInputs)),
    embedding_types: z.nullish(listOf(choice(vectorTypes), vectorTypes.length, allowedTypes)),
    output_dimension: z.nullish(positiveInteger()),
    max_tokens: z.nullish(positiveInteger()),
    truncate: z.nullish(choice(['NONE', 'START', 'END'])),
  }),
);

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
    paths: ['/v1/embed'],
    summary: 'Embeds texts as the first version of Cohere’s API does.',
    body: embedBody,
    examples: [{ texts: ['Lima', 'Quito'] }, { texts: ['Lima'], embedding_types: ['int8'] }],
    answers: json(cohereEmbedV1Answer),
    guarded: true,
    formatError,
    handle: embedV1,
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

async function embed(call: Call): Promise<Response> {
  const { result, texts, types } = await embedTexts(call);
  const id = createId('embd-');
  const tail = { texts, meta: embedMeta('2', result) };
  const parts = [`{"id":"${id}","embeddings":`, ...toParts(result, types ?? ['float']), tailOf(tail)];
  return jsonResponse(await writeJson(parts), { headers: timingHeaders(result) });
}

/** Bare vectors, unless the request names types. */
async function embedV1(call: Call): Promise<Response> {
  const { result, texts, types } = await embedTexts(call);
  const head = { id: createId('embd-'), response_type: types ? 'embeddings_by_type' : 'embeddings_floats' };
  const vectors = types ? toParts(result, types) : ['[', toTypedRows(result, 'float'), ']'];
  const start = `${JSON.stringify(head).slice(0, -1)},"embeddings":`;
  const parts = [start, ...vectors, tailOf({ texts, meta: embedMeta('1', result) })];
  return jsonResponse(await writeJson(parts), { headers: timingHeaders(result) });
}

async function embedTexts({ body, context }: Call) {
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
  return { result, texts, types: parsed.embedding_types ?? null };
}

/** `{"float": [...], "int8": [...]}` */
function toParts(result: EmbedResult, types: readonly VectorType[]): JsonPart[] {
  const vectors = [...new Set(types)].flatMap((type, place): JsonPart[] => [
    `${place > 0 ? ',' : ''}"${type}":[`,
    toTypedRows(result, type),
    ']',
  ]);
  return ['{', ...vectors, '}'];
}

/** The fields after the vectors. */
function tailOf(fields: object): string {
  return `,${JSON.stringify(fields).slice(1)}`;
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
  const answer = { id: createId('rerank-'), results, meta: meta('2', promptTokens, { search_units: 1 }) };
  return jsonResponse(answer, { headers: timingHeaders(result) });
}

function embedMeta(version: string, { usage }: EmbedResult) {
  return meta(version, usage.promptTokens, { input_tokens: usage.promptTokens });
}

/** What Cohere would bill, and the tokens that were really read. */
function meta(version: string, tokens: number, billed: Record<string, number>) {
  return { api_version: { version }, billed_units: billed, tokens: { input_tokens: tokens } };
}
