/** How alike two vectors are, by the measure that their model was trained for. Larger is always more alike. */
import type { Similarity } from '../models/spec.js';

export type Vector = ArrayLike<number>;

/** `[dimensions]` each. Distances are negated, as sentence-transformers does it. */
export function similarity(a: Vector, b: Vector, measure: Similarity): number {
  switch (measure) {
    case 'cosine':
      return cosine(a, b);
    case 'dot':
      return dot(a, b);
    case 'euclidean':
      return -Math.sqrt(sum(a, b, (x, y) => (x - y) ** 2));
    case 'manhattan':
      return -sum(a, b, (x, y) => Math.abs(x - y));
    default:
      return measure satisfies never;
  }
}

/** 0 when one of the vectors is zero. */
export function cosine(a: Vector, b: Vector): number {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths === 0 ? 0 : dot(a, b) / lengths;
}

export function dot(a: Vector, b: Vector): number {
  return sum(a, b, (x, y) => x * y);
}

function sum(a: Vector, b: Vector, term: (x: number, y: number) => number): number {
  let total = 0;
  for (let at = 0; at < a.length; at += 1) total += term(a[at] ?? 0, b[at] ?? 0);
  return total;
}
