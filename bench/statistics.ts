/** The arithmetic of the benchmark: percentiles, cosines to reference vectors, and retrieval scores. Pure. */

/** Vectors as one block, `[count, dimensions]`. */
export interface Matrix {
  values: Float32Array;
  dimensions: number;
}

/** Percentile by linear interpolation between the closest ranks; `share` from 0 to 1. Throws on an empty list. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (sorted.length - 1) * share;
  const low = sorted[Math.floor(rank)];
  const high = sorted[Math.ceil(rank)];
  if (low === undefined || high === undefined) throw new RangeError('A percentile needs at least one sample.');
  return low + (high - low) * (rank - Math.floor(rank));
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export function mean(samples: readonly number[]): number {
  if (samples.length === 0) throw new RangeError('A mean needs at least one sample.');
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length;
}

/** Packs equally long rows into one block; throws when a row has another length. */
export function toMatrix(rows: readonly (readonly number[])[]): Matrix {
  const dimensions = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * dimensions);
  rows.forEach((row, index) => {
    if (row.length !== dimensions) {
      throw new RangeError(`Vector ${index} has ${row.length} dimensions, the first one ${dimensions}.`);
    }
    values.set(row, index * dimensions);
  });
  return { values, dimensions };
}

export interface CosineSummary {
  mean: number;
  min: number;
}

/** Cosine of each row of `actual` to the same row of `expected`; throws when the shapes differ. */
export function compareRows(actual: Matrix, expected: Matrix): CosineSummary {
  if (actual.dimensions !== expected.dimensions || actual.values.length !== expected.values.length) {
    throw new RangeError(`Vectors have shape ${shape(actual)}, the reference has ${shape(expected)}.`);
  }
  const cosines: number[] = [];
  for (let row = 0; row < countRows(actual); row++) cosines.push(cosine(actual, row, expected, row));
  return { mean: mean(cosines), min: Math.min(...cosines) };
}

export interface RetrievalScore {
  mrrAt10: number;
  recallAt10: number;
}

/**
 * Known-item retrieval: query `q` looks for document `relevant[q]` among all, ranked by cosine.
 * MRR@10 is the mean of 1/rank with 0 beyond rank 10, recall@10 the share found within it; ties count against the item.
 */
export function scoreRetrieval(documents: Matrix, queries: Matrix, relevant: readonly number[]): RetrievalScore {
  const ranks = relevant.map((item, query) => rankOf(item, query, documents, queries));
  return {
    mrrAt10: mean(ranks.map((rank) => (rank <= 10 ? 1 / rank : 0))),
    recallAt10: mean(ranks.map((rank) => (rank <= 10 ? 1 : 0))),
  };
}

function rankOf(item: number, query: number, documents: Matrix, queries: Matrix): number {
  const wanted = cosine(documents, item, queries, query);
  let rank = 1;
  for (let other = 0; other < countRows(documents); other++) {
    if (other !== item && cosine(documents, other, queries, query) >= wanted) rank++;
  }
  return rank;
}

function cosine(a: Matrix, rowA: number, b: Matrix, rowB: number): number {
  const offsetA = rowA * a.dimensions;
  const offsetB = rowB * b.dimensions;
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let column = 0; column < a.dimensions; column++) {
    const x = a.values[offsetA + column] ?? Number.NaN;
    const y = b.values[offsetB + column] ?? Number.NaN;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return dot / Math.sqrt(squaresA * squaresB);
}

function countRows(matrix: Matrix): number {
  return matrix.dimensions === 0 ? 0 : matrix.values.length / matrix.dimensions;
}

function shape(matrix: Matrix): string {
  return `[${countRows(matrix)}, ${matrix.dimensions}]`;
}
