/** The native routes of llama.cpp's server: vectors inside a list for each input, scores as logits, flat token ids. */
import * as z from 'zod/mini';
import type { VecinityError } from '../../errors.js';
import { json, llamaEmbedAnswer, llamaRerankAnswer, llamaTokenizeAnswer } from '../answers.js';
import { embedInputs } from '../embed-inputs.js';
import { errorType } from '../error-response.js';
import { flag, inputs, integerFrom, positiveInteger, text } from '../fields.js';
import { passedOn } from '../remote/remote.js';
import { documents, query, rank, scoreDocuments } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call } from '../route.js';
import { tokenizeTexts } from '../tokens.js';
import { toUsage } from '../usage.js';
import { parseBody } from '../validate.js';
import { toJsonRows, writeJson } from '../vectors/embeddings-json.js';
import { scaleRows } from '../vectors/norms.js';
import type { Variant } from './shared-route.js';

const common = { model: z.nullish(text()), embd_normalize: z.nullish(integerFrom(-1)) };
const contentBody = z.object({ ...common, content: inputs('content') });
const inputBody = z.object({ ...common, input: inputs('input') });
const rerankBody = z.object({
  model: z.nullish(text()),
  query,
  documents,
  top_n: z.nullish(positiveInteger()),
});
const tokenizeBody = z.object({
  model: z.nullish(text()),
  content: text(),
  add_special: z.nullish(flag()),
  with_pieces: z.nullish(flag()),
});

/** The status stands in the body too. */
export function formatError({ message, status }: VecinityError) {
  return { body: { error: { code: status, message, type: errorType(status) } } };
}

/** `/embedding`, and `/embeddings` for bodies that have `content`. */
export const llamaContent: Variant = {
  key: 'content',
  body: contentBody,
  example: { content: 'Lima' },
  answers: json(llamaEmbedAnswer),
  formatError,
  handle: embedContent,
};
export const llamaInput: Variant = {
  key: 'input',
  body: inputBody,
  example: { input: 'Lima' },
  answers: json(llamaEmbedAnswer),
  formatError,
  handle: embedInput,
};

/** llama.cpp's half of `/reranking`. */
export const llamaRerank: Variant = {
  key: 'documents',
  body: rerankBody,
  example: { query: 'capital of Peru', documents: ['Lima', 'Quito'] },
  answers: json(llamaRerankAnswer),
  formatError,
  handle: rerank,
};

/** llama.cpp's part of `/tokenize`. */
export const llamaTokenize: Variant = {
  key: 'content',
  body: tokenizeBody,
  example: { content: 'Lima' },
  answers: json(llamaTokenizeAnswer),
  formatError,
  handle: passedOn({ path: '/tokenize', fromRoot: true }, tokenize),
};

function embedContent({ body, context }: Call): Promise<Response> {
  const { content, ...rest } = parseBody(contentBody, body);
  return embed({ ...rest, input: content }, context);
}

function embedInput({ body, context }: Call): Promise<Response> {
  return embed(parseBody(inputBody, body), context);
}

async function embed(
  { model = null, input, embd_normalize }: z.output<typeof inputBody>,
  context: Call['context'],
): Promise<Response> {
  const norm = embd_normalize ?? 2;
  const result = await embedInputs({ model, inputs: input, normalize: norm === 2 }, context);
  if (norm !== 2) scaleRows(result, norm);
  const { count, row } = toJsonRows(result, 'float');
  const item = (index: number) => `{"index":${index},"embedding":[${row(index)}]}`;
  const bytes = await writeJson(['[', { count, row: item }, ']']);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

async function rerank({ body, context }: Call): Promise<Response> {
  const { model = null, top_n, ...texts } = parseBody(rerankBody, body);
  const result = await scoreDocuments({ model, ...texts, rawScores: true }, context);
  const results = rank(result.scores, top_n).map(({ index, score }) => ({ index, relevance_score: score }));
  const answer = { model: result.model, object: 'list', usage: toUsage(result), results };
  return jsonResponse(answer, { headers: timingHeaders(result) });
}

async function tokenize({ body, context }: Call): Promise<Response> {
  const { model = null, content, add_special, with_pieces } = parseBody(tokenizeBody, body);
  const result = await tokenizeTexts({ model, texts: [content], addSpecialTokens: add_special ?? false }, context);
  const tokens = (result.tokens[0] ?? []).map(({ id, text: piece }) => (with_pieces ? { id, piece } : id));
  return jsonResponse({ tokens }, { headers: timingHeaders(result) });
}
