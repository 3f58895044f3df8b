import { describe, expect, it } from 'vitest';
import { laneLimit, laneSpan, largestLaneSum } from '../../src/backend/wasm/channel.js';
import { roundActivations } from '../../src/convert/activations.js';
import { inverseFactor } from '../../src/convert/cholesky.js';
import { describeInputs, type RoundedLinear, roundLinear } from '../../src/convert/gptq.js';

const width = 64;
const tokens = 200;

describe('error feedback', () => {
  const inputs = correlated();
  const statistics = describeInputs(inputs, width);

  it('leaves less error in the outputs than plain rounding with the same scales', () => {
    const weights = noise(16 * width, 3);
    const rounded = roundLinear(weights, statistics);
    const plain = {
      scales: rounded.scales,
      codes: Int8Array.from(weights, (w, i) => Math.round(w / (rounded.scales[Math.trunc(i / width)] as number))),
    };
    expect(outputError(weights, rounded, inputs)).toBeLessThan(0.7 * outputError(weights, plain, inputs));
  });

  it.each([
    ['all alike', () => 1],
    ['of one sign', (k: number) => 1 + (k % 3) / 100],
    ['with one giant', (k: number) => (k === 5 ? 1000 : 1)],
    ['of both signs', (k: number) => (k % 2 === 0 ? 1 : -1)],
    ['all zero', () => 0],
  ])('keeps every 16-bit lane from overflowing for weights that are %s', (_case, weight) => {
    const { codes, scales } = roundLinear(
      Float32Array.from({ length: width }, (_, k) => weight(k)),
      statistics,
    );
    expect(largestLaneSum(codes, laneSpan('quad'))).toBeLessThanOrEqual(laneLimit);
    expect(Math.max(...codes)).toBeLessThanOrEqual(127);
    expect(Math.min(...codes)).toBeGreaterThanOrEqual(-127);
    expect(scales[0]).toBeGreaterThan(0);
  });

  it('works for inputs that never occur', () => {
    const unused = inputs.map((value, index) => (index % width < 8 ? 0 : value));
    const { codes } = roundLinear(noise(width, 5), describeInputs(unused, width));
    expect(codes.some((code) => code !== 0)).toBe(true);
  });

  it('gives the same codes every time', () => {
    const weights = noise(4 * width, 7);
    expect(roundLinear(weights, describeInputs(inputs, width))).toEqual(roundLinear(weights, statistics));
  });
});

describe('the triangular factor', () => {
  it('is upper triangular, and its square is the inverse', () => {
    const size = 12;
    const a = noise(size * size, 11);
    const matrix = new Float64Array(size * size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let sum = i === j ? 0.5 : 0;
        for (let k = 0; k < size; k++) sum += (a[i * size + k] as number) * (a[j * size + k] as number);
        matrix[i * size + j] = sum;
      }
    }
    const factor = inverseFactor(matrix, size);
    for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) expect(factor[i * size + j]).toBe(0);
    const inverse = product(transposed(factor, size), factor, size);
    product(inverse, matrix, size).forEach((value, index) => {
      expect(value).toBeCloseTo(index % (size + 1) === 0 ? 1 : 0, 9);
    });
  });

  it('is refused for a matrix that is not positive definite', () => {
    expect(() => inverseFactor(Float64Array.of(1, 2, 2, 1), 2)).toThrow(RangeError);
  });
});

describe('rounding an input', () => {
  const shape = { tokens: 2, width: 24, block: 16 };
  const ones = new Float32Array(24).fill(1);

  it('keeps the ends of a block and is off by half a step of it at most', () => {
    const input = noise(48, 13);
    const rounded = roundActivations(input, ones, shape);
    for (const [start, end] of [
      [0, 16],
      [16, 24],
      [24, 40],
      [40, 48],
    ] as const) {
      const block = input.subarray(start, end);
      const step = (Math.max(...block) - Math.min(...block)) / 127;
      const errors = [...block].map((value, k) => Math.abs(value - (rounded[start + k] as number)));
      expect(Math.max(...errors)).toBeLessThanOrEqual(step * 0.5001);
      expect(rounded.subarray(start, end)).toContain(Math.min(...block));
    }
  });

  it('gives a token the same values whatever stands beside it', () => {
    const input = noise(48, 17);
    const beside = input.map((value, index) => (index < 24 ? value : 1000 * value));
    const alone = roundActivations(input, ones, shape).subarray(0, 24);
    expect(roundActivations(beside, ones, shape).subarray(0, 24)).toEqual(alone);
  });

  it('multiplies before it rounds, and leaves equal values as they are', () => {
    const threes = roundActivations(ones, new Float32Array(24).fill(3), { tokens: 1, width: 24, block: 16 });
    expect([...threes]).toEqual(new Array(24).fill(3));
  });
});

/** `[tokens, width]`: neighbours move together, as the columns of real hidden states do. */
function correlated(): Float32Array {
  const free = noise(tokens * width, 1);
  return free.map((value, index) => value + 2 * (free[index - (index % 8)] as number));
}

function outputError(weights: Float32Array, { codes, scales }: RoundedLinear, inputs: Float32Array): number {
  let error = 0;
  for (let row = 0; row < scales.length; row++) {
    for (let token = 0; token < tokens; token++) {
      let off = 0;
      for (let k = 0; k < width; k++) {
        const at = row * width + k;
        const rounded = (codes[at] as number) * (scales[row] as number);
        off += ((weights[at] as number) - rounded) * (inputs[token * width + k] as number);
      }
      error += off * off;
    }
  }
  return error;
}

function transposed(matrix: Float64Array, size: number): Float64Array {
  return matrix.map((_, index) => matrix[(index % size) * size + Math.trunc(index / size)] as number);
}

function product(a: Float64Array, b: Float64Array, size: number): Float64Array {
  return a.map((_, index) => {
    const [row, column] = [Math.trunc(index / size), index % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += (a[row * size + k] as number) * (b[k * size + column] as number);
    return sum;
  });
}

/** Repeatable values in -1..1 (a linear congruential generator). */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
