import { describe, expect, it } from 'vitest';
import { laneLimit, largestLaneSum } from '../../src/backend/wasm/channel.js';
import { roundActivations } from '../../src/convert/activations.js';
import { inverseFactor } from '../../src/convert/cholesky.js';
import { describeInputs, roundLinear } from '../../src/convert/gptq.js';
import { smoothingMultipliers } from '../../src/convert/smoothing.js';

/** Reproducible numbers from -1 to 1 (a linear congruential generator). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}

/** Inputs `[tokens, width]` of which neighbouring columns say nearly the same. */
function correlatedInputs(tokens: number, width: number, next: () => number): Float32Array {
  const inputs = new Float32Array(tokens * width);
  for (let token = 0; token < tokens; token++) {
    const common = Array.from({ length: width / 4 }, next);
    for (let k = 0; k < width; k++) inputs[token * width + k] = (common[k >> 2] as number) + 0.2 * next();
  }
  return inputs;
}

/** Mean squared difference of `inputs · (a - b)ᵀ`. */
function outputError(inputs: Float32Array, width: number, a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let start = 0; start < inputs.length; start += width) {
    for (let row = 0; row < a.length; row += width) {
      let difference = 0;
      for (let k = 0; k < width; k++) {
        difference += (inputs[start + k] as number) * ((a[row + k] as number) - (b[row + k] as number));
      }
      sum += difference ** 2;
    }
  }
  return sum;
}

describe('inverseFactor', () => {
  it('gives an upper triangle whose square is the inverse', () => {
    const size = 7;
    const next = numbers(3);
    const root = Float64Array.from({ length: size * size }, next);
    const entry = (row: number, column: number) => {
      let sum = row === column ? 0.5 : 0;
      for (let k = 0; k < size; k++) sum += (root[row * size + k] as number) * (root[column * size + k] as number);
      return sum;
    };
    const matrix = Float64Array.from({ length: size * size }, (_, i) => entry(Math.trunc(i / size), i % size));
    const factor = inverseFactor(matrix, size);
    const square = (row: number, column: number) => {
      let sum = 0;
      for (let k = 0; k < size; k++) sum += (factor[k * size + row] as number) * (factor[k * size + column] as number);
      return sum;
    };
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        if (column < row) expect(factor[row * size + column]).toBe(0);
        let product = 0;
        for (let k = 0; k < size; k++) product += entry(row, k) * square(k, column);
        expect(product).toBeCloseTo(row === column ? 1 : 0, 9);
      }
    }
  });

  it('refuses a matrix that is not positive definite', () => {
    expect(() => inverseFactor(Float64Array.of(1, 2, 2, 1), 2)).toThrow(RangeError);
  });
});

describe('roundLinear', () => {
  const width = 64;
  const rows = 24;
  const next = numbers(11);
  const weights = Float32Array.from({ length: rows * width }, next);
  const inputs = correlatedInputs(300, width, next);
  const rounded = roundLinear(weights, describeInputs(inputs, width));
  const expanded = Float32Array.from(
    rounded.codes,
    (code, i) => code * (rounded.scales[Math.trunc(i / width)] as number),
  );

  it('keeps every lane of the widest kernel within 16 bits', () => {
    for (let row = 0; row < rows; row++) {
      const codes = rounded.codes.subarray(row * width, (row + 1) * width);
      expect(largestLaneSum(codes, 16)).toBeLessThanOrEqual(laneLimit);
    }
  });

  it('loses less on such inputs than rounding every weight alone', () => {
    const plain = weights.map((weight, i) => {
      const scale = rounded.scales[Math.trunc(i / width)] as number;
      return Math.round(weight / scale) * scale;
    });
    const fed = outputError(inputs, width, weights, expanded);
    expect(fed).toBeLessThan(0.5 * outputError(inputs, width, weights, plain));
    expect(fed).toBeGreaterThan(0);
  });

  it('turns a channel of zeros into zeros', () => {
    const zeros = roundLinear(new Float32Array(width), describeInputs(inputs, width));
    expect(zeros.codes.every((code) => code === 0)).toBe(true);
    expect(zeros.scales).toEqual(Float32Array.of(1));
  });

  it('takes inputs that never occur', () => {
    const some = inputs.map((value, i) => (i % width < 8 ? 0 : value));
    expect(() => roundLinear(weights, describeInputs(some, width))).not.toThrow();
  });
});

describe('roundActivations', () => {
  it('rounds each block of a token to 128 levels between its own extremes', () => {
    const input = Float32Array.of(0, 1, 127, 50.4, 1000, 2000, 1500, 1000);
    const rounded = roundActivations(input, new Float32Array(8).fill(1), { tokens: 1, width: 8, block: 4 });
    expect([...rounded.subarray(0, 4)]).toEqual([0, 1, 127, 50]);
    expect(rounded[4]).toBe(1000);
    expect(rounded[5]).toBe(2000);
    expect(Math.abs((rounded[6] as number) - 1500)).toBeLessThanOrEqual(1000 / 127 / 2 + 1e-3);
  });

  it('leaves a constant block as it is', () => {
    const rounded = roundActivations(Float32Array.of(3, 3), Float32Array.of(2, 2), { tokens: 1, width: 2, block: 2 });
    expect([...rounded]).toEqual([6, 6]);
  });
});

describe('smoothingMultipliers', () => {
  it('shrinks the columns that stand out, with a geometric mean of one', () => {
    const input = Float32Array.of(100, 1, 1, -1);
    const linears = [{ weights: Float32Array.of(1, 1, 1, 1), importance: 1 }];
    const multipliers = smoothingMultipliers(input, linears, 4);
    expect(multipliers[0]).toBeLessThan(multipliers[1] as number);
    expect(multipliers.reduce((product, value) => product * value, 1)).toBeCloseTo(1, 5);
  });

  it('stays finite for a column that is never used', () => {
    const linears = [{ weights: Float32Array.of(0, 1), importance: 1 }];
    expect(smoothingMultipliers(Float32Array.of(0, 1), linears, 2).every(Number.isFinite)).toBe(true);
  });
});
