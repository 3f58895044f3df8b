/**
 * Another server in the place of the engine: embeddings and scores for every dialect from the routes that
 * OpenAI-compatible servers and TEI have. Limits on tokens are that server's own, unless the request names others.
 */
import * as z from 'zod/mini';
import { decodeFloats } from '../../core/encoding.js';
import type { EmbedResult, EngineInput, RerankResult } from '../../core/engine.js';
import { cosine } from '../../core/similarity.js';
import { shapeRows } from '../../core/vectors.js';
import { VecinityError } from '../../errors.js';
import type { CallContext } from '../route.js';
import { embeddingAt } from '../vectors/embeddings-json.js';
import type { EmbedWish, RerankWish } from '../wishes.js';
import { askRemote, lacksRoute } from './remote.js';

/** Long arrays of numbers are looked through when they become a row. */
const vector = z.union([z.string(), z.custom<unknown[]>(Array.isArray)]);
const place = z.int().check(z.minimum(0));
const embeddingsReply = z.object({ data: z.array(z.object({ index: place, embedding: vector })) });
const rerankReply = z.object({ results: z.array(z.object({ index: place, relevance_score: z.number() })) });
const teiReply = z.array(z.object({ index: place, score: z.number() }));
const counted = z.object({
  usage: z.object({ prompt_tokens: z.optional(z.int()), total_tokens: z.optional(z.int()) }),
});

/** Embeds on the server of the model. Throws what its failures mean, and `upstream_failed` for an answer of another form. */
export async function embedRemotely(wish: EmbedWish, model: string, context: CallContext): Promise<EmbedResult> {
  const question = { path: '/embeddings', model, body: toEmbeddingsBody(wish) };
  const { reply, tally } = await ask(embeddingsReply, question, context);
  const rows = inOrder(reply.data, wish.inputs.length, model).map(({ embedding }) => toRow(embedding, model));
  const width = rows[0]?.length ?? 0;
  const dimensions = wish.dimensions ?? width;
  if (width === 0 || width < dimensions || rows.some(({ length }) => length !== width)) {
    throw strange(model, `vectors of another width than ${wish.dimensions ?? 'the first'}`);
  }
  const values = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) values.set(row, index * width);
  const normalize = wish.normalize === true || dimensions < width;
  const embeddings = shapeRows(values, { width, dimensions, normalize });
  return { model, embeddings, count: rows.length, dimensions, ...tally };
}

/**
 * Scores documents on the server of the model: by its own rerank route in the form of OpenAI-compatible servers or of
 * TEI, else by the cosines of its embeddings, as our own bi-encoders do. Throws as `embedRemotely` does.
 */
export async function scoreRemotely(wish: RerankWish, model: string, context: CallContext): Promise<RerankResult> {
  for (const score of [scoreDocuments, scoreTexts]) {
    try {
      return await score(wish, model, context);
    } catch (thrown) {
      if (!lacksRoute(thrown)) throw thrown;
    }
  }
  return await scoreByCosine(wish, model, context);
}

async function scoreDocuments(wish: RerankWish, model: string, context: CallContext): Promise<RerankResult> {
  const { query, documents, rawScores, maxTokensPerDocument, truncateTo } = wish;
  const body = {
    ...{ query, documents, return_documents: false },
    ...(rawScores ? { raw_scores: true, use_activation: false } : {}),
    ...(maxTokensPerDocument == null ? {} : { max_tokens_per_doc: maxTokensPerDocument }),
    ...(truncateTo == null ? {} : { truncate_prompt_tokens: truncateTo }),
  };
  const { reply, tally } = await ask(rerankReply, { path: '/rerank', model, body }, context);
  const sorted = inOrder(reply.results, documents.length, model);
  return { model, scores: Float32Array.from(sorted, ({ relevance_score }) => relevance_score), ...tally };
}

async function scoreTexts(wish: RerankWish, model: string, context: CallContext): Promise<RerankResult> {
  const { query, documents: texts, rawScores, truncate } = wish;
  const body = { query, texts, raw_scores: rawScores ?? false, truncate: truncate ?? true };
  const { reply, tally } = await ask(teiReply, { path: '/rerank', fromRoot: true, model, body }, context);
  const sorted = inOrder(reply, texts.length, model);
  return { model, scores: Float32Array.from(sorted, ({ score }) => score), ...tally };
}

async function scoreByCosine(wish: RerankWish, model: string, context: CallContext): Promise<RerankResult> {
  const { query, documents, truncateTo = null } = wish;
  const result = await embedRemotely({ model, inputs: [query, ...documents], truncateTo }, model, context);
  const score = (_: string, index: number) => cosine(embeddingAt(result, 0), embeddingAt(result, index + 1));
  const { usage, truncated, timing } = result;
  return { model, scores: Float32Array.from(documents.map(score)), usage, truncated, timing };
}

/** OpenAI's fields, and of the others only those that the request named: some servers refuse what they do not know. */
function toEmbeddingsBody({ inputs, dimensions, prompt, truncateSide, truncateTo, lateChunking }: EmbedWish): object {
  const { role = null, promptName = null, prompt: text = null } = prompt ?? {};
  return {
    input: text === null ? inputs : inputs.map((input) => withPrompt(input, text)),
    encoding_format: 'base64',
    ...(dimensions == null ? {} : { dimensions }),
    ...(promptName === null ? {} : { prompt_name: promptName }),
    ...(role === null ? {} : { [role.field]: role.value }),
    ...(truncateTo == null ? {} : { truncate_prompt_tokens: truncateTo }),
    ...(truncateSide === 'left' ? { truncation_side: 'left' } : {}),
    ...(lateChunking ? { late_chunking: true } : {}),
  };
}

function withPrompt(input: EngineInput, prompt: string): EngineInput {
  if (typeof input === 'string') return prompt + input;
  const message = '`prompt` must be left out beside token ids for a model of another server.';
  throw new VecinityError('invalid_request', message, { param: 'prompt' });
}

interface Question {
  path: string;
  fromRoot?: boolean;
  model: string;
  body: object;
}

async function ask<Schema extends z.ZodMiniType>(schema: Schema, question: Question, context: CallContext) {
  const startedAt = performance.now();
  const response = await askRemote({ ...question, headers: context.trace ?? {} }, context);
  const body = parseJson(await response.text());
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw strange(question.model, `no JSON of the form that ${question.path} has`);
  const totalMs = performance.now() - startedAt;
  const timing = { tokenizeMs: 0, queueMs: 0, inferenceMs: totalMs, totalMs };
  const usage = { promptTokens: countTokens(body, response) };
  return { reply: parsed.data, tally: { usage, truncated: 0, timing } };
}

/** What the answer says, else TEI's header; 0 where nothing was counted. */
function countTokens(body: unknown, { headers }: Response): number {
  const { prompt_tokens: prompt, total_tokens: total } = counted.safeParse(body).data?.usage ?? {};
  return prompt ?? total ?? (Number(headers.get('x-compute-tokens')) || 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The items by their index; each index has to be there once. */
function inOrder<Item extends { index: number }>(items: readonly Item[], count: number, model: string): Item[] {
  const sorted = [...items].sort((a, b) => a.index - b.index);
  if (sorted.length !== count) throw strange(model, `${items.length} results where ${count} were asked for`);
  if (sorted.every(({ index }, at) => index === at)) return sorted;
  throw strange(model, 'results of other places than it was asked for');
}

function toRow(value: string | unknown[], model: string): Float32Array {
  const row = typeof value === 'string' ? decode(value, model) : Float32Array.from(value, toValue);
  if (row.every(Number.isFinite)) return row;
  throw strange(model, 'a vector with values that are no numbers');
}

/** JSON has no NaN: servers write null for it, which must not become a 0. */
function toValue(item: unknown): number {
  return typeof item === 'number' ? item : Number.NaN;
}

function decode(text: string, model: string): Float32Array {
  try {
    return decodeFloats(text);
  } catch {
    throw strange(model, 'a vector that is not base64 of float32 values');
  }
}

function strange(model: string, what: string): VecinityError {
  return new VecinityError('upstream_failed', `The server of \`${model}\` answered ${what}.`);
}
