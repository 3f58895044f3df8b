/** The reference's arithmetic on rows of numbers; sums in f64. Knows nothing of models. */
import type { Activation } from './architectures.js';

/** One linear in f32: `input · weightᵀ + bias`, `[tokens, out]`; sums in f64. */
export function linear(
  input: Float32Array,
  weight: Float32Array,
  bias: Float32Array | null,
  tokens: number,
): Float32Array {
  const width = input.length / tokens;
  const out = weight.length / width;
  const output = new Float32Array(tokens * out);
  for (let column = 0; column < out; column++) {
    const row = weight.subarray(column * width, (column + 1) * width);
    const add = bias === null ? 0 : (bias[column] as number);
    let token = 0;
    // Four tokens share each weight that is read: about twice as fast as one by one.
    for (; token + 4 <= tokens; token += 4)
      dotFour(input, row, token, (i, sum) => {
        output[(token + i) * out + column] = sum + add;
      });
    for (; token < tokens; token++) output[token * out + column] = dot(input, token * width, row) + add;
  }
  return output;
}

export interface Norm {
  gamma: Float32Array;
  beta: Float32Array;
  epsilon: number;
}

/** Layer norm of every row, as wide as `gamma`. */
export function layerNorm(values: Float32Array, norm: Norm): Float32Array {
  const { gamma, beta, epsilon } = norm;
  const width = gamma.length;
  const output = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += width) {
    let mean = 0;
    for (let column = 0; column < width; column++) mean += values[start + column] as number;
    mean /= width;
    let variance = 0;
    for (let column = 0; column < width; column++) variance += ((values[start + column] as number) - mean) ** 2;
    const scale = 1 / Math.sqrt(variance / width + epsilon);
    for (let column = 0; column < width; column++) {
      const normal = ((values[start + column] as number) - mean) * scale;
      output[start + column] = normal * (gamma[column] as number) + (beta[column] as number);
    }
  }
  return output;
}

/** Softmax in place. */
export function softmax(scores: Float64Array): void {
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) max = Math.max(max, score);
  let sum = 0;
  for (let index = 0; index < scores.length; index++) {
    const exponential = Math.exp((scores[index] as number) - max);
    scores[index] = exponential;
    sum += exponential;
  }
  for (let index = 0; index < scores.length; index++) scores[index] = (scores[index] as number) / sum;
}

/** The activation of every value. */
export function activate(values: Float32Array, activation: Activation): Float32Array {
  switch (activation) {
    case 'gelu':
      return values.map((x) => 0.5 * x * (1 + erf(x / Math.SQRT2)));
    case 'gelu_tanh':
      return values.map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))));
    case 'relu':
      return values.map((x) => Math.max(0, x));
    default:
      activation satisfies never;
      throw new TypeError(`Unknown activation ${String(activation)}.`);
  }
}

/** The error function to about 1e-13: Taylor series near zero, Lentz's continued fraction of erfc beyond. */
function erf(x: number): number {
  const away = Math.abs(x);
  if (away > 6) return Math.sign(x);
  return Math.sign(x) * (away < 2.5 ? erfSeries(away) : 1 - erfcFraction(away));
}

function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

/** erfc(x) = exp(-x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))), evaluated from the inside. */
function erfcFraction(x: number): number {
  let denominator = x;
  for (let n = 60; n >= 1; n--) denominator = x + n / 2 / denominator;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / denominator;
}

/** Sum of two arrays of one length. */
export function add(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, index) => value + (b[index] as number));
}

function dot(input: Float32Array, start: number, row: Float32Array): number {
  let sum = 0;
  for (let k = 0; k < row.length; k++) sum += (input[start + k] as number) * (row[k] as number);
  return sum;
}

function dotFour(input: Float32Array, row: Float32Array, token: number, put: (i: number, sum: number) => void): void {
  const width = row.length;
  const start = token * width;
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let k = 0; k < width; k++) {
    const w = row[k] as number;
    a += (input[start + k] as number) * w;
    b += (input[start + width + k] as number) * w;
    c += (input[start + 2 * width + k] as number) * w;
    d += (input[start + 3 * width + k] as number) * w;
  }
  put(0, a);
  put(1, b);
  put(2, c);
  put(3, d);
}
