import { expect, test } from 'vitest';
import { cosine, dot, similarity, similarityMatrix } from '../../src/core/similarity.js';

const a = [1, 2, 2];
const b = [2, 0, 1];

test('each measure gives the value of its definition, and higher is more alike', () => {
  expect(similarity(a, b, 'dot')).toBe(4);
  expect(similarity(a, b)).toBeCloseTo(4 / (3 * Math.sqrt(5)), 12);
  expect(similarity(a, b, 'euclidean')).toBeCloseTo(-Math.sqrt(6), 12);
  expect(similarity(a, b, 'manhattan')).toBe(-4);
});

test('cosine of a vector with itself is exactly 1 and of a zero vector 0', () => {
  const vector = Float32Array.from({ length: 384 }, (_, i) => Math.sin(i));
  expect(cosine(vector, vector)).toBeLessThanOrEqual(1);
  expect(cosine(vector, vector)).toBeCloseTo(1, 14);
  expect(
    cosine(
      vector,
      vector.map((value) => -value),
    ),
  ).toBeGreaterThanOrEqual(-1);
  expect(cosine([0, 0], [1, 2])).toBe(0);
});

test('a NaN in a vector is seen in the result', () => {
  expect(cosine([Number.NaN, 1], [1, 1])).toBeNaN();
  expect(similarity([Number.NaN], [1], 'euclidean')).toBeNaN();
});

test('sums are kept in f64, so that small parts of long vectors count', () => {
  const ones = new Float32Array(3).fill(1);
  expect(dot(Float32Array.of(16_777_216, 1, 1), ones)).toBe(16_777_218);
});

test('a matrix holds every pair, row by row', () => {
  expect([...similarityMatrix([a, b], [a, b, [0, 0, 1]], 'dot')]).toEqual([9, 4, 2, 4, 5, 1]);
  expect(similarityMatrix([], [a])).toHaveLength(0);
});

test('vectors of different widths are refused with both widths', () => {
  expect(() => similarity([1, 2], [1, 2, 3])).toThrow(/2 and 3 values/);
});

test('what is no vector and no measure is refused in our words', () => {
  // No type allows what is tried here.
  const compare = similarity as (...values: unknown[]) => number;
  for (const call of [() => compare(null, a), () => cosine(null as never, a), () => dot(null as never, null as never)])
    expect(call).toThrow(expect.objectContaining({ name: 'VecinityError', code: 'invalid_request' }));
  expect(() => compare(a, b, 'toString')).toThrow(/^`measure` must be /);
  expect(() => compare(a, b, 'cosin')).toThrow(/^`measure` must be one that models have; got "cosin"\.$/);
});
