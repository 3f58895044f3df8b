/** The rerank call of Jina, Cohere and vLLM: body → engine request → sorted results. Used over HTTP and by the page. */
import * as z from 'zod/mini';
import type { RerankResult } from '../core/engine.js';
import type { RerankResponse } from '../protocol.js';
import { toUsage } from './embeddings.js';
import { flag, maxInputs, positiveInteger, text, textOrObject } from './fields.js';
import { createId } from './ids.js';
import { resolveModel } from './names.js';
import type { CallContext } from './route.js';
import { count, parseBody } from './validate.js';

const allowedDocuments = `an array of 1 to ${count(maxInputs)} documents, each a string or {"text": string}`;

/** Body of `POST /v1/rerank`; fields that are not named here are ignored. */
export const rerankBody = z.object({
  query: textOrObject('a string that is not empty, or {"text": string}', 1),
  documents: z
    .array(textOrObject('a string or {"text": string}'), allowedDocuments)
    .check(z.minLength(1, allowedDocuments), z.maxLength(maxInputs, allowedDocuments)),
  model: z.nullish(text()),
  user: z.nullish(text()),
  top_n: z.nullish(positiveInteger()),
  return_documents: z.nullish(flag()),
  raw_scores: z.nullish(flag()),
  use_activation: z.nullish(flag()),
  max_tokens_per_doc: z.nullish(positiveInteger()),
  truncate: z.nullish(flag()),
});

type RerankBody = z.output<typeof rerankBody>;

export interface Reranked {
  result: RerankResult;
  response: RerankResponse;
}

/** Validates the body and scores its documents. Throws what the engine throws, and `invalid_request`. */
export async function rerankBodyDocuments(body: unknown, context: CallContext): Promise<Reranked> {
  const parsed = parseBody(rerankBody, body);
  const result = await context.engine.rerank({
    model: resolveModel(parsed.model ?? null, 'rerank', context).id,
    query: parsed.query,
    documents: parsed.documents,
    scoreActivation: scoreActivation(parsed, context),
    maxTokensPerDocument: parsed.max_tokens_per_doc ?? null,
    truncate: parsed.truncate ?? true,
    signal: context.signal,
    onProgress: context.onProgress,
  });
  return { result, response: toResponse(parsed, result) };
}

/** Documents sorted by relevance, best first; equal scores keep the order of the documents. */
export async function createRerank(body: unknown, context: CallContext): Promise<RerankResponse> {
  return (await rerankBodyDocuments(body, context)).response;
}

function toResponse(body: RerankBody, result: RerankResult): RerankResponse {
  const withDocuments = body.return_documents ?? true;
  const results = Array.from(result.scores, (score, index) => ({ index, relevance_score: score }))
    .sort((a, b) => b.relevance_score - a.relevance_score)
    .slice(0, body.top_n ?? undefined)
    .map((entry) => (withDocuments ? { ...entry, document: { text: body.documents[entry.index] ?? '' } } : entry));
  return { id: createId('rerank-'), model: result.model, results, usage: toUsage(result) };
}

/** TEI and Infinity say `raw_scores`, vLLM says `use_activation`; `raw_scores` wins when both are there. */
function scoreActivation(body: RerankBody, { api }: CallContext): 'sigmoid' | 'none' {
  const raw = body.raw_scores ?? (body.use_activation == null ? null : !body.use_activation);
  if (raw === null) return api.scoreActivation;
  return raw ? 'none' : 'sigmoid';
}
