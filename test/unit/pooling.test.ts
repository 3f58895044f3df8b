import { describe, expect, it } from 'vitest';
import { poolPacked, poolPadded } from '../../src/backend/pooling.js';

// Two texts of 2 and 3 tokens, width 2.
const offsets = Int32Array.of(0, 2, 5);
const packed = Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40, 50, 90);
const garbage = Number.NaN;
const padded = Float32Array.of(1, 2, 3, 4, garbage, garbage, 10, 20, 30, 40, 50, 90);

describe('pooling', () => {
  it.each([
    ['mean', [2, 3, 30, 50]],
    ['cls', [1, 2, 10, 20]],
    ['last_token', [3, 4, 50, 90]],
  ] as const)('%s reads the same rows from packed and from padded texts', (pooling, expected) => {
    expect([...poolPacked({ hidden: packed, width: 2, offsets }, pooling)]).toEqual(expected);
    expect([...poolPadded({ hidden: padded, width: 2, offsets }, 3, pooling)]).toEqual(expected);
  });

  it('leaves the tokens of a prompt out of the mean', () => {
    const rows = { hidden: packed, width: 2, offsets, skipped: Int32Array.of(0, 2) };
    expect([...poolPacked(rows, 'mean')]).toEqual([2, 3, 50, 90]);
  });

  it('gives zeros when a prompt leaves no token over', () => {
    const rows = { hidden: packed, width: 2, offsets, skipped: Int32Array.of(2, 0) };
    expect([...poolPacked(rows, 'mean')]).toEqual([0, 0, 30, 50]);
  });

  it('keeps the precision of long means', () => {
    const tokens = 8192;
    const hidden = new Float32Array(tokens).fill(0.1);
    const [mean] = poolPacked({ hidden, width: 1, offsets: Int32Array.of(0, tokens) }, 'mean');
    expect(mean).toBe(Math.fround(0.1));
  });
});
