import { describe, expect, it } from 'vitest';
import { compareRows, mean, median, percentile, scoreRetrieval, toMatrix } from '../../bench/statistics.js';

describe('percentiles', () => {
  it('interpolates between the closest ranks, whatever the order of the samples', () => {
    // numpy.percentile([15, 20, 35, 40, 50], [0, 40, 50, 95, 100])
    const samples = [50, 15, 40, 20, 35];
    expect([0, 0.4, 0.5, 0.95, 1].map((share) => percentile(samples, share))).toEqual([15, 29, 35, 48, 50]);
  });

  it('leaves the samples as they were', () => {
    const samples = [3, 1, 2];
    median(samples);
    expect(samples).toEqual([3, 1, 2]);
  });

  it('gives a single sample for every share', () => {
    expect([percentile([7], 0), median([7]), percentile([7], 0.95)]).toEqual([7, 7, 7]);
  });

  it('refuses an empty list', () => {
    expect(() => median([])).toThrow(RangeError);
    expect(() => mean([])).toThrow(RangeError);
  });
});

describe('cosines to the references', () => {
  it('are the mean and the smallest over the rows, whatever the lengths of the vectors', () => {
    const reference = toMatrix([
      [1, 0],
      [3, 4],
    ]);
    const actual = toMatrix([
      [2, 0],
      [4, 3],
    ]);
    const { mean: average, min } = compareRows(actual, reference);
    expect(min).toBeCloseTo(0.96, 12);
    expect(average).toBeCloseTo(0.98, 12);
  });

  it('refuse vectors of another shape', () => {
    expect(() => compareRows(toMatrix([[1, 0]]), toMatrix([[1, 0, 0]]))).toThrow('[1, 2]');
    expect(() =>
      compareRows(
        toMatrix([[1, 0]]),
        toMatrix([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toThrow('[2, 2]');
    expect(() => toMatrix([[1, 2], [3]])).toThrow('Vector 1 has 1 dimensions');
  });
});

describe('known-item retrieval', () => {
  const axes = Array.from({ length: 12 }, (_, axis) => Array.from({ length: 12 }, (_, at) => (at === axis ? 1 : 0)));

  it('scores the reciprocal of the rank, and nothing beyond rank 10', () => {
    // Each query prefers the axes in falling order of its weights.
    const falling = axes.map((_, at) => 12 - at);
    const score = scoreRetrieval(toMatrix(axes), toMatrix([falling, falling, falling, falling]), [0, 1, 9, 10]);
    expect(score.mrrAt10).toBeCloseTo((1 + 1 / 2 + 1 / 10 + 0) / 4, 12);
    expect(score.recallAt10).toBe(0.75);
  });

  it('counts a tie against the item that is looked for', () => {
    const documents = toMatrix([
      [1, 0],
      [1, 0],
    ]);
    expect(scoreRetrieval(documents, toMatrix([[1, 0]]), [0]).mrrAt10).toBe(0.5);
  });

  it('ranks by cosine and not by length', () => {
    const documents = toMatrix([
      [0.1, 0],
      [5, 5],
    ]);
    expect(scoreRetrieval(documents, toMatrix([[1, 0]]), [0]).mrrAt10).toBe(1);
  });
});
