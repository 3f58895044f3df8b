// Rows of f32 become the input of a linear: 7 or 16 bits per block of columns, or f32 as they are.
import {
  INPUT_I16,
  INPUT_U7,
  LINEAR_BLOCK,
  LINEAR_BLOCKS,
  LINEAR_INPUT,
  LINEAR_SMOOTH,
  LINEAR_WIDTH,
  LEVEL_MASK,
  ROUNDER,
  WORD_LENGTH,
  WORD_LIMIT,
} from './layout';
import { activateRow, larger, madd, maxLanes, minLanes, smaller, sumLanes } from './math';

/** One row; bytes from `input` on are taken as stored by the linear's kind of input. */
// @ts-ignore: decorator
@inline
function smoothed(x: usize, smooth: usize): v128 {
  const value = v128.load(x);
  return smooth ? f32x4.mul(value, v128.load(smooth)) : value;
}

// @ts-ignore: decorator
@inline
function toLevels(value: v128, low: v128, inverse: v128): v128 {
  const rounded = f32x4.add(f32x4.mul(f32x4.sub(value, low), inverse), v128.load(ROUNDER));
  return v128.and(rounded, v128.load(LEVEL_MASK));
}

/** 16 columns of a block: x = low + scale * q with q in 0..127. */
function blockToU7(x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
  const bytes = count << 2;
  let low = smoothed(x, smooth);
  let high = low;
  for (let i: usize = 16; i < bytes; i += 16) {
    const value = smoothed(x + i, smooth ? smooth + i : 0);
    low = smaller(low, value);
    high = larger(high, value);
  }
  const least = minLanes(low);
  const range = maxLanes(high) - least;
  const inverse: f32 = range > 1e-30 ? 127 / range : 0;
  store<f32>(params, range * (1.0 / 127.0));
  store<f32>(params, least, 4);
  const lowest = f32x4.splat(least);
  const factor = f32x4.splat(inverse);
  for (let i: usize = 0; i < bytes; i += 64) {
    const from = x + i;
    const by = smooth ? smooth + i : 0;
    const q0 = toLevels(smoothed(from, by), lowest, factor);
    const q1 = toLevels(smoothed(from + 16, by ? by + 16 : 0), lowest, factor);
    const q2 = toLevels(smoothed(from + 32, by ? by + 32 : 0), lowest, factor);
    const q3 = toLevels(smoothed(from + 48, by ? by + 48 : 0), lowest, factor);
    const low8 = i16x8.narrow_i32x4_s(q0, q1);
    const high8 = i16x8.narrow_i32x4_s(q2, q3);
    v128.store(input + (i >> 2), i8x16.narrow_i16x8_u(low8, high8));
  }
}

/** A block: x = scale * q with q as large as its own size and the block's length allow. */
function blockToI16(x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
  const bytes = count << 2;
  let most = f32x4.splat(0);
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = smoothed(x + i, smooth ? smooth + i : 0);
    most = larger(most, f32x4.abs(value));
    squares = madd(value, value, squares);
  }
  const range = maxLanes(most);
  const scale = max(range / <f32>WORD_LIMIT, Mathf.sqrt(sumLanes(squares)) / <f32>WORD_LENGTH);
  store<f32>(params, scale);
  store<f32>(params, 0, 4);
  // Squares of what is smaller vanish, and with them the length.
  const factor = f32x4.splat(range > 1e-15 ? 1 / scale : 0);
  const rounder = v128.load(ROUNDER);
  for (let i: usize = 0; i < bytes; i += 32) {
    const by = smooth ? smooth + i : 0;
    const q0 = f32x4.add(f32x4.mul(smoothed(x + i, by), factor), rounder);
    const q1 = f32x4.add(f32x4.mul(smoothed(x + i + 16, by ? by + 16 : 0), factor), rounder);
    v128.store(input + (i >> 1), i16x8.narrow_i32x4_s(i32x4.sub(q0, rounder), i32x4.sub(q1, rounder)));
  }
}

/** `count` columns from `column` on (whole blocks) of one row of a linear's input. `x` points at the first of them. */
// @ts-ignore: decorator
@inline
function quantizeRow(x: usize, linear: usize, column: usize, count: usize, input: usize, params: usize): void {
  const kind = load<i32>(linear, LINEAR_INPUT);
  let smooth = load<usize>(linear, LINEAR_SMOOTH);
  if (smooth) smooth += column << 2;
  const block = load<usize>(linear, LINEAR_BLOCK);
  params += (column / block) << 3;
  if (kind == INPUT_U7) {
    input += column;
    for (let c: usize = 0; c < count; c += block) {
      blockToU7(x + (c << 2), smooth ? smooth + (c << 2) : 0, min(block, count - c), input + c, params);
      params += 8;
    }
  } else if (kind == INPUT_I16) {
    input += column << 1;
    for (let c: usize = 0; c < count; c += block) {
      const by = smooth ? smooth + (c << 2) : 0;
      blockToI16(x + (c << 2), by, min(block, count - c), input + (c << 1), params);
      params += 8;
    }
  }
}

/** Bytes of one row of a linear's input. */
// @ts-ignore: decorator
@inline
function inputStride(linear: usize): usize {
  const width = load<usize>(linear, LINEAR_WIDTH);
  const kind = load<i32>(linear, LINEAR_INPUT);
  return kind == INPUT_U7 ? width : kind == INPUT_I16 ? width << 1 : width << 2;
}

/** Applies an activation in place (0: none) and quantises: `x` holds `count` columns of the input from `column` on. */
export function quantize(
  x: usize,
  stride: usize,
  rows: i32,
  activation: i32,
  linear: usize,
  column: i32,
  count: i32,
  input: usize,
  params: usize,
): void {
  const inputBytes = inputStride(linear);
  const paramBytes = load<usize>(linear, LINEAR_BLOCKS) << 3;
  for (let r = 0; r < rows; r++) {
    if (activation) activateRow(x, count, activation);
    quantizeRow(x, linear, column, count, input, params);
    x += stride;
    input += inputBytes;
    params += paramBytes;
  }
}

/**
 * out = layerNorm(x + residual) * gamma + beta, then quantised as input of `linear` (0: not). `residual` may be 0, `out`
 * may be `x`. `stride` counts bytes; columns from `width` on (up to the stride) are zero in every row and stay so.
 */
export function normalize(
  x: usize,
  residual: usize,
  norm: usize,
  epsilon: f32,
  out: usize,
  rows: i32,
  width: i32,
  stride: usize,
  linear: usize,
  input: usize,
  params: usize,
): void {
  const inputBytes = linear ? inputStride(linear) : 0;
  const paramBytes = linear ? load<usize>(linear, LINEAR_BLOCKS) << 3 : 0;
  for (let r = 0; r < rows; r++) {
    normalizeRow(x, residual, norm, epsilon, out, width, stride);
    if (linear) quantizeRow(out, linear, 0, stride >> 2, input, params);
    x += stride;
    if (residual) residual += stride;
    out += stride;
    input += inputBytes;
    params += paramBytes;
  }
}

// Two passes over the row (mean, then squared distances): one pass loses digits where the mean is far from zero.
function normalizeRow(
  x: usize,
  residual: usize,
  norm: usize,
  epsilon: f32,
  out: usize,
  width: i32,
  stride: usize,
): void {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < stride; i += 16) {
    let value = v128.load(x + i);
    if (residual) value = f32x4.add(value, v128.load(residual + i));
    v128.store(out + i, value);
    sum = f32x4.add(sum, value);
  }
  const mean = sumLanes(sum) / <f32>width;
  const means = f32x4.splat(mean);
  let squares = f32x4.splat(0);
  for (let i: usize = 0; i < stride; i += 16) {
    const distance = f32x4.sub(v128.load(out + i), means);
    squares = f32x4.add(squares, f32x4.mul(distance, distance));
  }
  // The padding's zeros are each one mean away.
  const padding = <f32>((stride >> 2) - <usize>width);
  const variance = (sumLanes(squares) - padding * mean * mean) / <f32>width;
  const factor = f32x4.splat(1 / Mathf.sqrt(variance + epsilon));
  for (let i: usize = 0; i < stride; i += 16) {
    const normal = f32x4.mul(f32x4.sub(v128.load(out + i), means), factor);
    const scaled = f32x4.mul(normal, v128.load(norm + i));
    v128.store(out + i, f32x4.add(scaled, v128.load(norm + stride + i)));
  }
}
