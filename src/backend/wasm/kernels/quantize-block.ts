// One block of columns of a row becomes 7- or 16-bit codes with a scale of its own.
import {
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
import { larger, madd, maxLanes, minLanes, smaller, sumLanes } from './math';

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
export function blockToU7(smooths: bool, x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
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
export function geluToU7(x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
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
export function blockToI16(x: usize, smooth: usize, count: usize, input: usize, params: usize): void {
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
