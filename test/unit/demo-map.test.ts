import { describe, expect, test } from 'vitest';
import { contrastAt, inkOn, scaleColor, type Theme } from '../../demo/color.js';
import { scaleDomain } from '../../demo/domain.js';
import { layOut, moveBy, placeAt } from '../../demo/geometry.js';
import { cosineMatrix, formatScore, rankPairs } from '../../demo/matrix.js';
import { groupedOrder } from '../../demo/order.js';

describe('the matrix of cosines', () => {
  test('is symmetric, with ones on its diagonal, whatever the lengths of the vectors', () => {
    const values = cosineMatrix([
      [3, 0],
      [0, 0.5],
      [2, 2],
    ]);
    const half = Math.SQRT1_2;
    const expected = [1, 0, half, 0, 1, half, half, half, 1];
    values.forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 12);
    });
  });

  test('has zeros for a vector of zeros', () => {
    expect([
      ...cosineMatrix([
        [0, 0],
        [1, 0],
      ]),
    ]).toEqual([0, 0, 0, 1]);
  });

  test('ranks every pair once, the nearest first, equal ones in the order of the sentences', () => {
    const values = Float64Array.from([1, 0.2, 0.9, 0.2, 1, 0.2, 0.9, 0.2, 1]);
    expect(rankPairs(values, 3)).toEqual([
      { row: 0, column: 2, score: 0.9 },
      { row: 0, column: 1, score: 0.2 },
      { row: 1, column: 2, score: 0.2 },
    ]);
  });

  test('shows two decimals, a true minus sign, and no negative zero', () => {
    expect([0.826, -0.061, -0.001, 1].map(formatScore)).toEqual(['0.83', '−0.06', '0.00', '1.00']);
  });
});

/** Cosines of sentences with subjects: high within one, low between two. */
function blocks(subjects: number[]): Float64Array {
  return Float64Array.from(
    subjects.flatMap((left, row) => subjects.map((right, column) => blockValue(left === right, row === column))),
  );
}

function blockValue(sameSubject: boolean, sameSentence: boolean): number {
  if (sameSentence) return 1;
  return sameSubject ? 0.8 : 0.1;
}

describe('the grouped order', () => {
  test('is a permutation that puts the sentences of one subject side by side', () => {
    const subjects = [0, 1, 2, 0, 1, 2, 2, 0, 1, 0];
    const order = groupedOrder(blocks(subjects), subjects.length);
    expect(order.toSorted((a, b) => a - b)).toEqual(subjects.map((_, index) => index));
    const changes = order.filter((index, at) => at > 0 && subjects[index] !== subjects[order[at - 1] ?? 0]);
    expect(changes).toHaveLength(2);
  });

  test('lays a chain of neighbours out from one end to the other, beginning at the end nearer to the first', () => {
    const places = [2, 0, 4, 1, 3];
    const values = Float64Array.from(places.flatMap((a) => places.map((b) => 1 - Math.abs(a - b) / 5)));
    const order = groupedOrder(values, places.length).map((index) => places[index]);
    expect([
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
    ]).toContainEqual(order);
  });

  test('of nothing and of one sentence is trivial', () => {
    expect(groupedOrder(new Float64Array(0), 0)).toEqual([]);
    expect(groupedOrder(Float64Array.of(1), 1)).toEqual([0]);
  });
});

describe('the colours', () => {
  const themes: Theme[] = ['light', 'dark'];
  const places = Array.from({ length: 1001 }, (_, index) => index / 1000);

  test.each(themes)('carry readable numbers everywhere on the %s scale', (theme) => {
    const least = Math.min(...places.map((place) => contrastAt(theme, place)));
    expect(least).toBeGreaterThanOrEqual(4.5);
    expect(inkOn(theme, 0)).not.toBe(inkOn(theme, 1));
  });

  test.each(themes)('grow steadily in lightness on the %s scale, so that it reads without colour', (theme) => {
    const lightness = places.map((place) => luminance(scaleColor(theme, place)));
    const steps = lightness.slice(1).map((value, index) => value - (lightness[index] ?? 0));
    const wrong = steps.filter((step) => (theme === 'light' ? step > 0.002 : step < -0.002));
    expect(wrong).toEqual([]);
  });

  test('end at the ends of the scale', () => {
    expect(scaleColor('light', -3)).toBe(scaleColor('light', 0));
    expect(scaleColor('light', 7)).toBe(scaleColor('light', 1));
  });

  test('reach from 0 to 1, or fit the values beside the diagonal, rounded outwards', () => {
    const values = Float64Array.from([1, 0.76, 0.84, 0.76, 1, 0.82, 0.84, 0.82, 1]);
    expect(scaleDomain(values, 3, 'full')).toEqual([0, 1]);
    expect(scaleDomain(values, 3, 'fit')).toEqual([0.75, 0.85]);
    expect(scaleDomain(Float64Array.of(1), 1, 'fit')).toEqual([0, 1]);
  });
});

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map((part) => (Number(part) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

describe('the cells', () => {
  test('fill the width that is left beside the labels, and show values only where they can be read', () => {
    for (const [width, size] of [
      [296, 4],
      [640, 8],
      [900, 20],
      [900, 60],
    ] as const) {
      const { cell, left, width: total, showValues } = layOut(width, size);
      expect(total).toBe(left + cell * size);
      expect(showValues).toBe(cell >= 25);
    }
    for (const size of [20, 60]) expect(layOut(900, size).width).toBeLessThanOrEqual(900);
  });

  test('are found by a point, and not beyond the edge', () => {
    const geometry = layOut(640, 8);
    expect(placeAt(geometry, 8, geometry.cell * 2.5, geometry.cell * 0.5)).toEqual({ row: 0, column: 2 });
    expect(placeAt(geometry, 8, geometry.cell * 8 + 1, 0)).toBeNull();
    expect(placeAt(geometry, 8, -1, 0)).toBeNull();
  });

  test('are walked with the keys of a grid and the walk ends at the edges', () => {
    const from = { row: 1, column: 1 };
    expect(moveBy('ArrowRight', false, from, 3)).toEqual({ row: 1, column: 2 });
    expect(moveBy('ArrowUp', false, { row: 0, column: 0 }, 3)).toEqual({ row: 0, column: 0 });
    expect(moveBy('Home', false, from, 3)).toEqual({ row: 1, column: 0 });
    expect(moveBy('End', true, from, 3)).toEqual({ row: 2, column: 2 });
    expect(moveBy('a', false, from, 3)).toBeNull();
  });
});
