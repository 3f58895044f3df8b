/** The rerank call of Jina, Cohere and vLLM: body → engine request → sorted results. Used over HTTP and by the page. */
import * as z from 'zod/mini';
import type { RerankResult } from '../core/engine.js';
import type { RerankResponse } from '../protocol.js';
import { type Computed, withCompute } from './compute.js';
import { flag, maxInputs, positiveInteger, text, textOrObject } from './fields.js';
import { createId } from './ids.js';
import { useModel } from './keep-alive.js';
import { remoteNameOf } from './remote/remote.js';
import { scoreRemotely } from './remote/remote-engine.js';
import type { CallContext } from './route.js';
import { toMaxTokens, truncationFields } from './truncation.js';
import { usageOf } from './usage.js';
import { count, parseBody } from './validate.js';
import type { RerankWish } from './wishes.js';

const allowedDocuments = `an array of 1 to ${count(maxInputs)} documents, each a string or {"text": string}`;

/** What is looked for: a text, bare or as an object. */
export const query = textOrObject('a string that is not empty, or {"text": string}', 1);

/** What is sorted: texts, bare or as objects. */
export const documents = z
  .array(textOrObject('a string or {"text": string}'), allowedDocuments)
  .check(z.minLength(1, allowedDocuments), z.maxLength(maxInputs, allowedDocuments));

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
  const parsed = parseBody(rerankBody, body);
  const result = await scoreDocuments(
    {
      model: parsed.model ?? null,
      query: parsed.query,
      documents: parsed.documents,
      rawScores: toRawScores(parsed),
      maxTokensPerDocument: parsed.max_tokens_per_doc ?? null,
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
  const { rawScores = null, maxTokensPerDocument = null, truncate = true } = wish;
  const result = await useModel(wish.model, { task: 'rerank', context }, async (model) =>
    context.engine.rerank({
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
    }),
  );
  return withCompute(result, texts, context);
}

/** Best first; equal scores keep the order of the documents. */
export function rank(scores: Iterable<number>, topN: number | null = null): { index: number; score: number }[] {
  return Array.from(scores, (score, index) => ({ index, score }))
    .sort((a, b) => b.score - a.score)
    .slice(0, topN ?? undefined);
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
