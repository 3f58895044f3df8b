/** Cosines between all sentences, and the pairs that are nearest. Matrices are flat, `[size, size]`, row by row. */
import { cosine } from 'vecinity';

export interface Pair {
  /** Index of the earlier sentence. */
  row: number;
  /** Index of the later sentence. */
  column: number;
  score: number;
}

/** Cosine of every pair, `[size, size]`; a vector of zeros is near nothing, itself included. */
export function cosineMatrix(vectors: readonly ArrayLike<number>[]): Float64Array {
  const size = vectors.length;
  const values = new Float64Array(size * size);
  vectors.forEach((left, row) => {
    vectors.forEach((right, column) => {
      if (column < row) return;
      const score = cosine(left, right);
      values[row * size + column] = score;
      values[column * size + row] = score;
    });
  });
  return values;
}

/** The value at one place of a flat matrix. */
export function valueAt(values: Float64Array, size: number, row: number, column: number): number {
  return values[row * size + column] ?? Number.NaN;
}

/** Every pair of two different sentences, the nearest first; equal scores keep the order of the sentences. */
export function rankPairs(values: Float64Array, size: number): Pair[] {
  const pairs: Pair[] = [];
  for (let row = 0; row < size; row += 1) {
    for (let column = row + 1; column < size; column += 1) {
      pairs.push({ row, column, score: valueAt(values, size, row, column) });
    }
  }
  return pairs.sort((left, right) => right.score - left.score);
}

/** Two decimals with a true minus sign, never `-0.00`. */
export function formatScore(score: number): string {
  const rounded = score.toFixed(2);
  if (rounded === '-0.00') return '0.00';
  return rounded.replace('-', '−');
}
