/**
 * How alike two embeddings are, by the four measures that models declare. Sums are kept in f64.
 * The loops cast `number | undefined` away, since their indices stay below a length that was compared before.
 */
import { VecinityError } from '../errors.js';
import type { Similarity } from '../models/spec.js';
import { wrongOption } from '../rules.js';

export type Vector = ArrayLike<number>;

/**
 * Higher is more alike for every measure: the two distances are negated, as sentence-transformers does. Throws
 * `invalid_request` for what is no measure and for vectors of two widths.
 */
export function similarity(a: Vector, b: Vector, measure: Similarity = 'cosine'): number {
  checkPair(a, b);
  if (!Object.hasOwn(measures, measure)) throw wrongOption('measure', 'one that models have', measure);
  return measures[measure](a, b);
}

/** `[a.length, b.length]`, row by row. Throws `invalid_request` when two vectors differ in width. */
export function similarityMatrix(
  a: readonly Vector[],
  b: readonly Vector[],
  measure: Similarity = 'cosine',
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(a.length * b.length);
  a.forEach((row, i) => {
    b.forEach((column, j) => {
      values[i * b.length + j] = similarity(row, column, measure);
    });
  });
  return values;
}

const measures = {
  cosine,
  dot,
  euclidean: (a, b) => -euclideanDistance(a, b),
  manhattan: (a, b) => -manhattanDistance(a, b),
} satisfies Record<Similarity, (a: Vector, b: Vector) => number>;

/**
 * 0 when a vector is all zero, which points nowhere; NaN when a value is NaN, which is never hidden. Throws
 * `invalid_request` as `similarity` does.
 */
export function cosine(a: Vector, b: Vector): number {
  const norms = Math.sqrt(dot(a, a)) * Math.sqrt(dot(b, b));
  if (norms === 0) return 0;
  const value = dot(a, b) / norms;
  // Rounding may leave the range by an ulp; `Math.min` and `Math.max` keep NaN.
  return Math.max(-1, Math.min(1, value));
}

/** The sum of the products; equals the cosine of vectors of length 1. Throws `invalid_request` as `similarity` does. */
export function dot(a: Vector, b: Vector): number {
  checkPair(a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

/** Plain JavaScript may give anything. */
function checkPair(a: unknown, b: unknown): void {
  const [left, right] = [Object(a).length, Object(b).length];
  if (left === right && left >= 0) return;
  throw new VecinityError('invalid_request', `Vectors of ${left} and ${right} values cannot be compared.`);
}

function euclideanDistance(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum);
}

function manhattanDistance(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs((a[i] as number) - (b[i] as number));
  return sum;
}
