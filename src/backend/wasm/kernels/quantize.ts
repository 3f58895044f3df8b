// Rows of f32 become the input of a linear: 7 or 16 bits per block of columns, or f32 as they are.
import { blockToI16, blockToU7, geluToU7 } from './quantize-block';
import {
  ACTIVATION_GELU,
  INPUT_I16,
  INPUT_U7,
  LINEAR_BLOCK,
  LINEAR_BLOCKS,
  LINEAR_INPUT,
  LINEAR_SMOOTH,
  LINEAR_WIDTH,
} from './layout';
import { activateRow, madd, sumLanes } from './math';

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
