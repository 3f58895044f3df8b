/** The rerank call of Jina, Cohere and vLLM: body → engine request → sorted results. Used over HTTP and by the page. */
import * as z from 'zod/mini';
import { maxInputs } from '../config.js';
import type { RerankRequest, RerankResult } from '../core/engine.js';
import { isString } from '../rules.js';
import { scoreChunks } from './chunks.js';
import { type Computed, withCompute } from './compute.js';
import { flag, listOf, positiveInteger, text, textOrObject } from './fields.js';
import { createId } from './ids.js';
import { useModel } from './keep-alive.js';
import { remoteNameOf } from './remote/remote.js';
import { scoreRemotely } from './remote/remote-engine.js';
import type { RerankResponse } from './responses.js';
import type { CallContext } from './route.js';
import { toMaxTokens, truncationFields } from './truncation.js';
import { usageOf } from './usage.js';
import { count, invalidField, parseBody } from './validate.js';
import type { RerankWish } from './wishes.js';

/** Each is looked for in every document. */
const maxRankFields = 64;
const allowedFields = `an array of at most ${maxRankFields} names of fields`;
const allowedDocuments = `an array of 1 to ${count(maxInputs)} documents, each a string or {"text": string}`;

/** What is looked for: a text, bare or as an object. */
export const query = textOrObject('a string that is not empty, or {"text": string}', 1);

/** What is sorted: texts, bare or as objects. */
export const documents = listOf(textOrObject('a string or {"text": string}'), maxInputs, allowedDocuments);

/** Body of `POST /v1/rerank`; fields that are not named here are ignored. */
export const rerankBody = z.object({
  query,
  documents,
  model: z.nullish(text()),
  user: z.nullish(text()),
  top_n: z.nullish(positiveInteger()),
  return_documents: z.nullish(flag()),
  raw_scores: z.nullish(flag()),
  use_activation: z.nullish(flag()),
  max_tokens_per_doc: z.nullish(positiveInteger()),
  // Words of Cohere's first version.
  max_chunks_per_doc: z.nullish(positiveInteger()),
  rank_fields: z.nullish(z.array(text(), allowedFields).check(z.maxLength(maxRankFields, allowedFields))),
  truncate: z.nullish(flag()),
  ...truncationFields,
});

type RerankBody = z.output<typeof rerankBody>;

export interface Reranked {
  result: Computed<RerankResult>;
  response: RerankResponse;
  /** What the request says of documents in the answer; null says nothing. */
  documentsAsked: boolean | null;
}

/** Validates the body and scores its documents. Throws what the engine throws, and `invalid_request`. */
export async function rerankBodyDocuments(body: unknown, context: CallContext): Promise<Reranked> {
  const parsed = parseBody(rerankBody, joinRankFields(body));
  const result = await scoreDocuments(
    {
      model: parsed.model ?? null,
      query: parsed.query,
      documents: parsed.documents,
      rawScores: toRawScores(parsed),
      maxTokensPerDocument: parsed.max_tokens_per_doc ?? null,
      maxChunksPerDocument: parsed.max_chunks_per_doc ?? null,
      truncate: parsed.truncate ?? true,
      truncateTo: parsed.truncate_prompt_tokens ?? null,
    },
    context,
  );
  return { result, response: toResponse(parsed, result, context), documentsAsked: parsed.return_documents ?? null };
}

/** Documents sorted by relevance, best first; equal scores keep the order of the documents. */
export async function createRerank(body: unknown, context: CallContext): Promise<RerankResponse> {
  return (await rerankBodyDocuments(body, context)).response;
}

/** What every dialect's rerank route comes to. Throws what the engine throws. */
export async function scoreDocuments(wish: RerankWish, context: CallContext): Promise<Computed<RerankResult>> {
  const texts = [wish.query, ...wish.documents];
  const remote = remoteNameOf(wish.model, context);
  if (remote !== null) return withCompute(await scoreRemotely(wish, remote, context), texts, context);
  const { rawScores = null, maxTokensPerDocument = null, maxChunksPerDocument, truncate = true } = wish;
  const result = await useModel(wish.model, { task: 'rerank', context }, async (model) => {
    const request: RerankRequest = {
      model: model.id,
      query: wish.query,
      documents: wish.documents,
      scoreActivation: rawScores === null ? context.api.scoreActivation : rawScores ? 'none' : 'sigmoid',
      maxTokensPerDocument,
      truncate,
      maxTokens: await toMaxTokens(wish.truncateTo, model, context),
      signal: context.signal,
      client: context.client,
      onProgress: context.onProgress,
    };
    const maxChunks = maxChunksPerDocument ?? 1;
    if (maxChunks > 1) return await scoreChunks(request, { maxChunks, model, context });
    return await context.engine.rerank(request);
  });
  return withCompute(result, texts, context);
}

/** Best first; equal scores keep the order of the documents. */
export function rank(scores: Iterable<number>, topN: number | null = null): { index: number; score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topN ?? undefined);
}

/** The fields of a document that count, one a line; texts stay as they are. */
function joinRankFields(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  const { rank_fields: fields, documents: given }: Record<string, unknown> = { ...body };
  if (!Array.isArray(given) || !Array.isArray(fields) || fields.length === 0) return body;
  if (fields.length > maxRankFields) throw invalidField(['rank_fields'], allowedFields, fields);
  const names = fields.filter(isString);
  return { ...body, documents: given.map((document: unknown, index) => joinFields(document, { names, index })) };
}

function joinFields(document: unknown, { names, index }: { names: string[]; index: number }): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document;
  const fields = new Map<string, unknown>(Object.entries(document));
  const lines = names.map((name) => fields.get(name)).filter(isString);
  if (lines.length > 0) return lines.join('\n');
  throw invalidField(['documents', index], 'a string, or an object with a text in one of `rank_fields`', document);
}

function toResponse(body: RerankBody, result: Computed<RerankResult>, { api }: CallContext): RerankResponse {
  const withDocuments = body.return_documents ?? true;
  const results = rank(result.scores, body.top_n).map(({ index, score }) => {
    const entry = { index, relevance_score: score };
    return withDocuments ? { ...entry, document: { text: body.documents[index] ?? '' } } : entry;
  });
  return { id: createId('rerank-'), model: result.model, results, usage: usageOf(result, api) };
}

/** TEI and Infinity say `raw_scores`, vLLM says `use_activation`; `raw_scores` wins when both are there. */
export function toRawScores(body: Pick<RerankBody, 'raw_scores' | 'use_activation'>): boolean | null {
  return body.raw_scores ?? (body.use_activation == null ? null : !body.use_activation);
}
