/** Scores of pairs of texts, each for itself: what a ranking is without its order. */
import type { RerankResult, Timing } from '../core/engine.js';
import type { Computed } from './compute.js';
import { scoreDocuments } from './rerank.js';
import type { CallContext } from './route.js';
import type { RerankWish } from './wishes.js';

/** As many queries as documents, or one query for all of them. */
export interface Pairs {
  queries: string[];
  documents: string[];
}

export type Scored = Computed<Pick<RerankResult, 'model' | 'usage' | 'truncated' | 'timing'>> & {
  scores: ArrayLike<number>;
};

/** One query with many documents is one request to the engine; pairs are one each, which its queue puts together. */
export async function scorePairs(
  { queries, documents }: Pairs,
  wish: Omit<RerankWish, 'query' | 'documents'>,
  context: CallContext,
): Promise<Scored> {
  const [first = ''] = queries;
  if (queries.length === 1) return await scoreDocuments({ ...wish, query: first, documents }, context);
  const results = await Promise.all(
    queries.map((query, index) => scoreDocuments({ ...wish, query, documents: [documents[index] ?? ''] }, context)),
  );
  return {
    model: results[0]?.model ?? '',
    scores: results.map(({ scores }) => scores[0] ?? 0),
    usage: { promptTokens: results.reduce((sum, { usage }) => sum + usage.promptTokens, 0) },
    truncated: results.reduce((sum, { truncated }) => sum + truncated, 0),
    timing: results.map(({ timing }) => timing).reduce(longest),
    compute: {
      type: results[0]?.compute.type ?? null,
      characters: results.reduce((sum, { compute }) => sum + compute.characters, 0),
    },
  };
}

function longest(a: Timing, b: Timing): Timing {
  return b.totalMs > a.totalMs ? b : a;
}
