// Rows of f32 become the input of a linear: 7 or 16 bits per block of columns, or f32 as they are.
import {
  ACTIVATION_GELU,
  INPUT_I16,
  INPUT_U7,
  LINEAR_BLOCK,
  LINEAR_BLOCKS,
  LINEAR_INPUT,
  LINEAR_SMOOTH,
  LINEAR_WIDTH,
  LEVEL_MASK,
  ROUNDER,
  TAIL_0,
  TAIL_1,
  TAIL_2,
  TAIL_3,
  TAIL_4,
  TAIL_5,
  TAIL_6,
  TAIL_7,
  TAIL_LIMIT,
  WORD_LENGTH,
  WORD_LIMIT,
} from './layout';
import { activateRow, larger, madd, maxLanes, minLanes, smaller, sumLanes } from './math';

/** Four columns of a row, times their multipliers where there are some. */
// @ts-ignore: decorator
@inline
function smoothed(smooths: bool, x: usize, smooth: usize): v128 {
  const value = v128.load(x);
  return smooths ? f32x4.mul(value, v128.load(smooth)) : value;
}

/** Columns of a block: x = low + scale * q with q in 0..127. */
// @ts-ignore: decorator
@inline
function blockToU7(smooths: bool, x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
  const bytes = count << 2;
  let low0 = smoothed(smooths, x, smooth);
  let high0 = low0;
  let low1 = low0;
  let high1 = low0;
  for (let i: usize = 0; i < bytes; i += 64) {
    const v0 = smoothed(smooths, x + i, smooth + i);
    const v1 = smoothed(smooths, x + i + 16, smooth + i + 16);
    const v2 = smoothed(smooths, x + i + 32, smooth + i + 32);
    const v3 = smoothed(smooths, x + i + 48, smooth + i + 48);
    low0 = smaller(smaller(low0, v0), v2);
    high0 = larger(larger(high0, v0), v2);
    low1 = smaller(smaller(low1, v1), v3);
    high1 = larger(larger(high1, v1), v3);
  }
  putLevels(smooths, x, smooth, bytes, input, params, smaller(low0, low1), larger(high0, high1));
}

/**
 * Like `blockToU7` for the GELU of every value (times its multiplier), which takes its place in memory: max(x, 0) less a
 * polynomial in |x| for the tail, |x| (1 - Phi(|x|)). Absolute error below 2.5e-4, where 7 bits leave steps of 1e-2.
 */
function geluToU7(x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
  const bytes = count << 2;
  let low = f32x4.splat(f32.MAX_VALUE);
  let high = f32x4.splat(-f32.MAX_VALUE);
  const limit = v128.load(TAIL_LIMIT);
  const p7 = v128.load(TAIL_7);
  const p6 = v128.load(TAIL_6);
  const p5 = v128.load(TAIL_5);
  const p4 = v128.load(TAIL_4);
  const p3 = v128.load(TAIL_3);
  const p2 = v128.load(TAIL_2);
  const p1 = v128.load(TAIL_1);
  const p0 = v128.load(TAIL_0);
  const zero = f32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = v128.load(x + i);
    const a = smaller(f32x4.abs(value), limit);
    let p = madd(p7, a, p6);
    p = madd(p, a, p5);
    p = madd(p, a, p4);
    p = madd(p, a, p3);
    p = madd(p, a, p2);
    p = madd(p, a, p1);
    p = madd(p, a, p0);
    let result = f32x4.sub(larger(value, zero), p);
    if (smooth) result = f32x4.mul(result, v128.load(smooth + i));
    v128.store(x + i, result);
    low = smaller(low, result);
    high = larger(high, result);
  }
  putLevels(false, x, 0, bytes, input, params, low, high);
}

// @ts-ignore: decorator
@inline
function toLevels(value: v128, low: v128, inverse: v128, rounder: v128, mask: v128): v128 {
  return v128.and(madd(f32x4.sub(value, low), inverse, rounder), mask);
}

/** The levels of a block, whose least and largest values lie in lanes of `low` and `high`. */
// @ts-ignore: decorator
@inline
function putLevels(
  smooths: bool,
  x: usize,
  smooth: usize,
  bytes: usize,
  input: usize,
  params: usize,
  low: v128,
  high: v128,
): void {
  const least = minLanes(low);
  const range = maxLanes(high) - least;
  const inverse: f32 = range > 1e-30 ? 127 / range : 0;
  store<f32>(params, range * (1.0 / 127.0));
  store<f32>(params, least, 4);
  const lowest = f32x4.splat(least);
  const factor = f32x4.splat(inverse);
  const rounder = v128.load(ROUNDER);
  const mask = v128.load(LEVEL_MASK);
  for (let i: usize = 0; i < bytes; i += 64) {
    const q0 = toLevels(smoothed(smooths, x + i, smooth + i), lowest, factor, rounder, mask);
    const q1 = toLevels(smoothed(smooths, x + i + 16, smooth + i + 16), lowest, factor, rounder, mask);
    const q2 = toLevels(smoothed(smooths, x + i + 32, smooth + i + 32), lowest, factor, rounder, mask);
    const q3 = toLevels(smoothed(smooths, x + i + 48, smooth + i + 48), lowest, factor, rounder, mask);
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
    const value = smoothed(smooth != 0, x + i, smooth + i);
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
    const q0 = madd(smoothed(smooth != 0, x + i, smooth + i), factor, rounder);
    const q1 = madd(smoothed(smooth != 0, x + i + 16, smooth + i + 16), factor, rounder);
    v128.store(input + (i >> 1), i16x8.narrow_i32x4_s(i32x4.sub(q0, rounder), i32x4.sub(q1, rounder)));
  }
}

/**
 * `count` columns from `column` on (whole blocks) of one row of a linear's input. `x` points at the first of them; with
 * `gelu` (for 7 bits only) at what that is still to be applied to.
 */
// @ts-ignore: decorator
@inline
function quantizeRow(
  x: usize,
  linear: usize,
  column: usize,
  count: usize,
  input: usize,
  params: usize,
  gelu: bool,
): void {
  const kind = load<i32>(linear, LINEAR_INPUT);
  let smooth = load<usize>(linear, LINEAR_SMOOTH);
  if (smooth) smooth += column << 2;
  const block = load<usize>(linear, LINEAR_BLOCK);
  params += (column / block) << 3;
  if (kind == INPUT_U7) {
    input += column;
    for (let c: usize = 0; c < count; c += block) {
      const by = smooth ? smooth + (c << 2) : 0;
      if (gelu) geluToU7(x + (c << 2), by, min(block, count - c), input + c, params);
      else if (by) blockToU7(true, x + (c << 2), by, min(block, count - c), input + c, params);
      else blockToU7(false, x + (c << 2), 0, min(block, count - c), input + c, params);
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
  const gelu = activation == ACTIVATION_GELU && load<i32>(linear, LINEAR_INPUT) == INPUT_U7;
  for (let r = 0; r < rows; r++) {
    if (activation && !gelu) activateRow(x, count, activation);
    quantizeRow(x, linear, column, count, input, params, gelu);
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
    if (linear) quantizeRow(out, linear, 0, stride >> 2, input, params, false);
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
  const sum = residual ? addRows(true, x, residual, out, stride) : addRows(false, x, 0, out, stride);
  const mean = sum / <f32>width;
  const means = f32x4.splat(mean);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let i: usize = 0; i < stride; i += 64) {
    const d0 = f32x4.sub(v128.load(out + i), means);
    const d1 = f32x4.sub(v128.load(out + i, 16), means);
    const d2 = f32x4.sub(v128.load(out + i, 32), means);
    const d3 = f32x4.sub(v128.load(out + i, 48), means);
    s0 = madd(d0, d0, s0);
    s1 = madd(d1, d1, s1);
    s2 = madd(d2, d2, s2);
    s3 = madd(d3, d3, s3);
  }
  const squares = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  // The padding's zeros are each one mean away.
  const padding = <f32>((stride >> 2) - <usize>width);
  const variance = (squares - padding * mean * mean) / <f32>width;
  const factor = f32x4.splat(1 / Mathf.sqrt(variance + epsilon));
  const gamma = norm;
  const beta = norm + stride;
  for (let i: usize = 0; i < stride; i += 32) {
    const n0 = f32x4.mul(f32x4.sub(v128.load(out + i), means), factor);
    const n1 = f32x4.mul(f32x4.sub(v128.load(out + i, 16), means), factor);
    v128.store(out + i, madd(n0, v128.load(gamma + i), v128.load(beta + i)));
    v128.store(out + i, madd(n1, v128.load(gamma + i, 16), v128.load(beta + i, 16)), 16);
  }
}

/** out = x, or x + residual; returns the sum of all values. */
// @ts-ignore: decorator
@inline
function addRows(both: bool, x: usize, residual: usize, out: usize, stride: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let i: usize = 0; i < stride; i += 64) {
    const v0 = both ? f32x4.add(v128.load(x + i), v128.load(residual + i)) : v128.load(x + i);
    const v1 = both ? f32x4.add(v128.load(x + i, 16), v128.load(residual + i, 16)) : v128.load(x + i, 16);
    const v2 = both ? f32x4.add(v128.load(x + i, 32), v128.load(residual + i, 32)) : v128.load(x + i, 32);
    const v3 = both ? f32x4.add(v128.load(x + i, 48), v128.load(residual + i, 48)) : v128.load(x + i, 48);
    v128.store(out + i, v0);
    v128.store(out + i, v1, 16);
    v128.store(out + i, v2, 32);
    v128.store(out + i, v3, 48);
    s0 = f32x4.add(s0, v0);
    s1 = f32x4.add(s1, v1);
    s2 = f32x4.add(s2, v2);
    s3 = f32x4.add(s3, v3);
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
