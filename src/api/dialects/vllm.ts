/** vLLM's routes for pooling models: scores of pairs in their order, pooled vectors, classes, and its words for tokens. */
import * as z from 'zod/mini';
import { VecinityError } from '../../errors.js';
import {
  classifyAnswer,
  detokenizeAnswer,
  json,
  loadAnswer,
  poolingAnswer,
  scoreAnswer,
  vllmTokenizeAnswer,
} from '../answers.js';
import { classifyTexts, labelScores } from '../classify.js';
import { embedBody, embedBodyTokens, embeddingsBody } from '../embeddings.js';
import { flag, integerFrom, needsOneOf, text, texts, textsOrObjects, tokenSequences } from '../fields.js';
import { createId, nowSeconds } from '../ids.js';
import { type Pairs, type Scored, scorePairs } from '../pairs.js';
import { passedOn, type RemotePlace } from '../remote/remote.js';
import { toRawScores } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call, CallContext, Dialect, Route } from '../route.js';
import { decodeIds, tokenizeTexts } from '../tokens.js';
import { truncationFields } from '../truncation.js';
import { toUsage, usageOf } from '../usage.js';
import { invalidField, parseBody } from '../validate.js';
import { bytesResponse } from '../vectors/embeddings-bytes.js';
import { type JsonRows, toTokenParts, writeJson } from '../vectors/embeddings-json.js';
import { toRows } from '../vectors/vector-codes.js';
import type { Variant } from './shared-route.js';

/** The names that the two sides of a pair have had. */
const sides = [
  ['queries', 'documents'],
  ['queries', 'items'],
  ['data_1', 'data_2'],
  ['text_1', 'text_2'],
] as const;

const allowedSpecials = 'true: the special tokens tell a query from its document';

const scoreBody = needsOneOf(
  sides,
  z.object({
    model: z.nullish(text()),
    ...Object.fromEntries(sides.flat().map((name) => [name, z.nullish(textsOrObjects(name))])),
    raw_scores: z.nullish(flag()),
    use_activation: z.nullish(flag()),
    add_special_tokens: z.nullish(z.literal(true, allowedSpecials)),
    max_tokens_per_doc: z.nullish(integerFrom(0)),
    ...truncationFields,
  }),
);
const classifyBody = z.object({
  model: z.nullish(text()),
  input: texts('input'),
  use_activation: z.nullish(flag()),
  raw_scores: z.nullish(flag()),
  ...truncationFields,
});
const tokenizeBody = z.object({
  model: z.nullish(text()),
  prompt: text(),
  add_special_tokens: z.nullish(flag()),
  return_token_strs: z.nullish(flag()),
});
const detokenizeBody = z.object({ model: z.nullish(text()), tokens: tokenSequences('tokens') });

const typeByStatus: Record<number, string> = {
  400: 'BadRequestError',
  401: 'AuthenticationError',
  404: 'NotFoundError',
  429: 'RateLimitError',
};

/** OpenAI's keys with the status as `code`. */
function formatError({ message, status, param }: VecinityError) {
  return { body: { error: { message, type: typeByStatus[status] ?? 'InternalServerError', param, code: status } } };
}

export const vllm: Dialect = [
  {
    ...post(
      ['/score', '/v1/score'],
      'Scores pairs of texts, in their order.',
      passedOn({ path: '/score', orElse: true }, score),
    ),
    ...{ body: scoreBody, examples: [{ text_1: 'capital of Peru', text_2: ['Lima', 'Quito'] }] },
    answers: json(scoreAnswer),
  },
  {
    ...post(['/pooling'], 'Embeds texts; the vectors are called data.', passedOn(native('/pooling', true), pooling)),
    ...{ body: embeddingsBody, examples: [{ input: ['Lima', 'Quito'] }] },
    answers: { ...json(poolingAnswer), 'application/octet-stream': null },
  },
  {
    method: 'GET',
    paths: ['/load'],
    summary: 'Requests that are being computed, as vLLM says it.',
    body: null,
    answers: json(loadAnswer),
    guarded: false,
    handle: ({ metrics }) => jsonResponse({ server_load: metrics.running() }),
  },
  {
    ...post(['/detokenize'], 'Turns token ids into a text.', passedOn(native('/detokenize'), detokenize)),
    ...{ body: detokenizeBody, examples: [{ tokens: [101, 102] }], answers: json(detokenizeAnswer) },
  },
];

/** vLLM's pairs in `/invocations`, by the name of their first side. */
export const vllmScores: readonly Variant[] = [...new Set(sides.map(([first]) => first))].map((key) => ({
  key,
  body: scoreBody,
  example: { [key]: 'capital of Peru', [sides.find(([first]) => first === key)?.[1] ?? '']: ['Lima', 'Quito'] },
  answers: json(scoreAnswer),
  formatError,
  handle: passedOn({ path: '/score', orElse: true }, score),
}));

/** vLLM's part of `/classify`; Infinity's, where the option `compat` says so. */
export const vllmClassify: Variant = {
  key: 'input',
  body: classifyBody,
  example: { input: ['I like it.'] },
  answers: json(classifyAnswer),
  formatError,
  handle: passedOn(native('/classify'), classify),
};

/** vLLM's part of `/tokenize`. */
export const vllmTokenize: Variant = {
  key: 'prompt',
  body: tokenizeBody,
  example: { prompt: 'Lima' },
  answers: json(vllmTokenizeAnswer),
  formatError,
  handle: passedOn(native('/tokenize'), tokenize),
};

/** What lies beside OpenAI's routes on a server of vLLM. */
function native(path: string, orElse = false): RemotePlace {
  return { path, fromRoot: true, orElse };
}

function post(paths: readonly string[], summary: string, handle: Route['handle']) {
  return { method: 'POST' as const, paths, summary, guarded: true, formatError, handle };
}

async function score({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(scoreBody, body);
  const wish = {
    model: parsed.model ?? null,
    rawScores: toRawScores(parsed),
    maxTokensPerDocument: parsed.max_tokens_per_doc || null,
    truncateTo: parsed.truncate_prompt_tokens ?? null,
  };
  const result = await scorePairs(toPairs(parsed), wish, context);
  const data = Array.from(result.scores, (value, index) => ({ index, object: 'score', score: value }));
  return list('score-', { model: result.model, data, result });
}

/** vLLM's own words for `task` choose what is pooled; any other word is a role, as on `/v1/embeddings`. */
async function pooling({ body, context }: Call): Promise<Response> {
  const { task, ...rest } = parseBody(z.looseObject({ task: z.nullish(text()) }), body);
  if (task === 'token_embed') return await poolNothing(rest, context);
  if (task === 'classify') return await poolClasses(rest, context);
  if (task === 'token_classify' || task === 'plugin') throw unsupportedTask(task);
  const embedded = await embedBody(task === 'embed' ? rest : body, context);
  if (embedded.bytes !== null) return bytesResponse(embedded.bytes, embedded);
  const { result } = embedded;
  const { row, count } = toRows({ ...embedded, types: [embedded.types[0]] });
  const item = (index: number) => `{"index":${index},"object":"pooling","data":${row(index)}}`;
  const data: JsonRows = { count, row: item };
  const head = JSON.stringify({ ...frame('pool-'), model: result.model, usage: toUsage(result) }).slice(0, -1);
  return jsonResponse(await writeJson([`${head},"data":[`, data, ']}']), { headers: timingHeaders(result) });
}

/** A vector for every token. */
async function poolNothing(body: unknown, context: CallContext): Promise<Response> {
  const result = await embedBodyTokens(body, context);
  const head = JSON.stringify({ ...frame('pool-'), model: result.model, usage: toUsage(result) }).slice(0, -1);
  const items = toTokenParts(result, (index) => [`{"index":${index},"object":"pooling","data":`, '}']);
  return jsonResponse(await writeJson([`${head},"data":[`, ...items, ']}']), { headers: timingHeaders(result) });
}

/** The probabilities of each input's labels, in the model's order. */
async function poolClasses(body: unknown, context: CallContext): Promise<Response> {
  const result = await classifyBodyTexts(body, context);
  const data = labelScores(result).map((labels, index) => {
    return { index, object: 'pooling', data: labels.map((entry) => entry.score) };
  });
  return list('pool-', { model: result.model, data, result });
}

function unsupportedTask(task: string): VecinityError {
  const message = `Unsupported task: '${task}'. Supported tasks: embed, classify, token_embed.`;
  return new VecinityError('unsupported_task', message, { param: 'task' });
}

async function classify({ body, context }: Call): Promise<Response> {
  const result = await classifyBodyTexts(body, context);
  if (context.api.compat === 'infinity') {
    const body = { ...frame('classify-'), object: 'classify', model: result.model, data: labelScores(result) };
    return jsonResponse({ ...body, usage: usageOf(result, context.api) }, { headers: timingHeaders(result) });
  }
  const data = labelScores(result).map((labels, index) => {
    const best = labels.reduce((a, b) => (b.score > a.score ? b : a));
    return { index, label: best.label, probs: labels.map((entry) => entry.score), num_classes: labels.length };
  });
  return list('classify-', { model: result.model, data, result });
}

async function classifyBodyTexts(body: unknown, context: CallContext) {
  const { model = null, input, truncation_side, truncate_prompt_tokens, ...flags } = parseBody(classifyBody, body);
  const wish = {
    model,
    inputs: input,
    rawScores: toRawScores(flags) ?? false,
    truncateSide: truncation_side ?? 'right',
    truncateTo: truncate_prompt_tokens ?? null,
  };
  return await classifyTexts(wish, context);
}

async function tokenize({ body, context }: Call): Promise<Response> {
  const { model = null, prompt, add_special_tokens, return_token_strs } = parseBody(tokenizeBody, body);
  const wish = { model, texts: [prompt], addSpecialTokens: add_special_tokens ?? true };
  const result = await tokenizeTexts(wish, context);
  const { tokens, maxTokens } = result;
  const found = tokens[0] ?? [];
  const strings = return_token_strs ? found.map((token) => token.text) : null;
  const ids = found.map(({ id }) => id);
  const answer = { count: ids.length, max_model_len: maxTokens, tokens: ids, token_strs: strings };
  return jsonResponse(answer, { headers: timingHeaders(result) });
}

/** llama.cpp has this route too, and calls the text `content`. */
async function detokenize({ body, context }: Call): Promise<Response> {
  const { model = null, tokens } = parseBody(detokenizeBody, body);
  const result = await decodeIds({ model, ids: tokens, skipSpecialTokens: false }, context);
  const content = result.texts.join('');
  return jsonResponse({ prompt: content, content }, { headers: timingHeaders(result) });
}

function toPairs(body: Record<string, unknown>): Pairs {
  const names = sides.find(([first, second]) => body[first] != null && body[second] != null);
  if (!names) throw invalidField(['queries'], 'there with `documents` (or `text_1` with `text_2`)', undefined);
  // The validator made both arrays of strings.
  const [queries, documents] = names.map((name) => body[name]) as [string[], string[]];
  if (queries.length === 1 || queries.length === documents.length) return { queries, documents };
  const allowed = `one text, or as many as \`${names[1]}\` has (${documents.length})`;
  throw invalidField([names[0]], allowed, queries);
}

function frame(idPrefix: string) {
  return { id: createId(idPrefix), object: 'list', created: nowSeconds() };
}

function list(
  idPrefix: string,
  { model, data, result }: { model: string; data: object[]; result: Omit<Scored, 'scores' | 'model'> },
): Response {
  const body = { ...frame(idPrefix), model, data, usage: toUsage(result) };
  return jsonResponse(body, { headers: timingHeaders(result) });
}
