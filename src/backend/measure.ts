/** How fast a loaded backend is on this machine, in a few runs: a query and a batch, weighted as people use them. */
import type { Backend, TokenBatch } from './backend.js';

const queryTokens = 8;
const bulkTexts = 16;
const bulkTokens = 64;

/** A single query is waited for by a person, so it counts more than its share of the tokens. */
const queryWeight = 4;

/** Repetitions after the warm-up at most, and the time after which no further one begins. */
const repetitions = 3;
const budgetMs = 300;

export interface MeasureOptions {
  /** Token ids of any text; repeated to the lengths that are measured. */
  tokens: ArrayLike<number>;
  now?: () => number;
}

/** Milliseconds, lower is better: best of a few runs of a query, weighted, plus the same of a batch over all lanes. */
export async function measureBackend(backend: Backend, options: MeasureOptions): Promise<number> {
  const { tokens, now = () => performance.now() } = options;
  const query = () => backend.run(repeatTokens(tokens, { count: 1, length: queryTokens }));
  const bulk = () =>
    Promise.all(
      laneShares(backend.lanes).map((count) => backend.run(repeatTokens(tokens, { count, length: bulkTokens }))),
    );
  return queryWeight * (await bestTime(query, now)) + (await bestTime(bulk, now));
}

async function bestTime(run: () => Promise<unknown>, now: () => number): Promise<number> {
  await run();
  const begin = now();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < repetitions && (i === 0 || now() - begin < budgetMs / 2); i++) {
    const start = now();
    await run();
    best = Math.min(best, now() - start);
  }
  return best;
}

/** The batch's texts dealt out to the lanes that can run at the same time. */
function laneShares(lanes: number): number[] {
  const used = Math.min(lanes, bulkTexts);
  return Array.from({ length: used }, (_, lane) => Math.floor(bulkTexts / used) + (lane < bulkTexts % used ? 1 : 0));
}

function repeatTokens(tokens: ArrayLike<number>, shape: { count: number; length: number }): TokenBatch {
  const { count, length } = shape;
  const inputIds = Int32Array.from({ length: count * length }, (_, i) => tokens[(i % length) % tokens.length] ?? 0);
  const offsets = Int32Array.from({ length: count + 1 }, (_, i) => i * length);
  return { inputIds, typeIds: null, offsets };
}
