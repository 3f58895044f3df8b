// 8-bit matrix products: signed 8-bit weights times unsigned 7-bit inputs, four forms of the inner product. A tile is
// 2 rows by 8 columns; 4 values of k lie together for each column, so that one splat of 4 input bytes meets 4 columns.
import {
  LINEAR_BLOCK,
  LINEAR_BLOCKS,
  LINEAR_COLUMNS,
  LINEAR_SUMS,
  LINEAR_WEIGHTS,
  LINEAR_WIDTH,
  ONES,
} from './layout';
import { madd } from './math';

// @ts-ignore: decorator
@inline
const ADD: i32 = 0;
// @ts-ignore: decorator
@inline
const SINGLE: i32 = 1;
// @ts-ignore: decorator
@inline
const PAIR: i32 = 2;
// @ts-ignore: decorator
@inline
const QUAD: i32 = 4;

// @ts-ignore: decorator
@inline
function dot(weights: v128, input: v128): v128 {
  return i16x8.relaxed_dot_i8x16_i7x16_s(weights, input);
}

/** The sum of two neighbouring 16-bit lanes added to a 32-bit one. */
// @ts-ignore: decorator
@inline
function widen(sum: v128, lanes: v128, ones: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(lanes, ones));
}

/** Like `widen` without a register for the ones: `quad` needs all sixteen, the other forms are faster with the dot. */
// @ts-ignore: decorator
@inline
function widenPairs(sum: v128, lanes: v128): v128 {
  return i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(lanes));
}

/** Four consecutive groups of k of one column vector, added in 16 bits: |sum of weights of one sign| <= 258 a lane. */
// @ts-ignore: decorator
@inline
function quad(b: usize, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return i16x8.add(
    i16x8.add(dot(v128.load(b), x0), dot(v128.load(b, 32), x1)),
    i16x8.add(dot(v128.load(b, 64), x2), dot(v128.load(b, 96), x3)),
  );
}

/** Brings a cache line near before it is needed. The load may trap for all that a compiler knows, so it stays. */
// @ts-ignore: decorator
@inline
function touch(address: usize): void {
  load<u8>(address);
}

/**
 * out = (input * weights) * scale + bias for the panels from `first` to `last`. `rows` is even. Output column 8p + c of
 * row r lies at out + (p - first) * panelStride + r * rowStride + 4c.
 */
// @ts-ignore: decorator
@inline
function gemm(
  form: i32,
  linear: usize,
  input: usize,
  params: usize,
  out: usize,
  rows: i32,
  rowStride: usize,
  panelStride: usize,
  first: i32,
  last: i32,
): void {
  const width = load<usize>(linear, LINEAR_WIDTH);
  const blocks = load<usize>(linear, LINEAR_BLOCKS);
  const blockBytes = load<usize>(linear, LINEAR_BLOCK) << 3;
  const panelBytes = width << 3;
  const paramStride = blocks << 3;
  const ones = v128.load(ONES);
  // Over all rows, just the next panel is touched.
  const aheadStep = (panelBytes << 1) / (blocks * <usize>max(rows, 2));
  let panel = load<usize>(linear, LINEAR_WEIGHTS) + <usize>first * panelBytes;
  let columns = load<usize>(linear, LINEAR_COLUMNS) + (<usize>first << 6);
  let sums = load<usize>(linear, LINEAR_SUMS) + ((<usize>first * blocks) << 5);
  for (let p = first; p < last; p++) {
    let a0 = input;
    let row = params;
    let target = out;
    let ahead = p + 1 < last ? panel + panelBytes : panel;
    for (let r = 0; r < rows; r += 2) {
      let a1 = a0 + width;
      let f00 = f32x4.splat(0);
      let f01 = f32x4.splat(0);
      let f10 = f32x4.splat(0);
      let f11 = f32x4.splat(0);
      let b = panel;
      const end = panel + panelBytes;
      let sum = sums;
      let p0 = row;
      while (b < end) {
        let blockEnd = b + blockBytes;
        if (blockEnd > end) blockEnd = end;
        let s00 = i32x4.splat(0);
        let s01 = i32x4.splat(0);
        let s10 = i32x4.splat(0);
        let s11 = i32x4.splat(0);
        if (form == QUAD) {
          while (b < blockEnd) {
            const x00 = v128.load32_splat(a0);
            const x01 = v128.load32_splat(a0, 4);
            const x02 = v128.load32_splat(a0, 8);
            const x03 = v128.load32_splat(a0, 12);
            s00 = widenPairs(s00, quad(b, x00, x01, x02, x03));
            s01 = widenPairs(s01, quad(b + 16, x00, x01, x02, x03));
            const x10 = v128.load32_splat(a1);
            const x11 = v128.load32_splat(a1, 4);
            const x12 = v128.load32_splat(a1, 8);
            const x13 = v128.load32_splat(a1, 12);
            s10 = widenPairs(s10, quad(b, x10, x11, x12, x13));
            s11 = widenPairs(s11, quad(b + 16, x10, x11, x12, x13));
            a0 += 16;
            a1 += 16;
            b += 128;
          }
        } else if (form == PAIR) {
          while (b < blockEnd) {
            const b00 = v128.load(b);
            const b01 = v128.load(b, 16);
            const b10 = v128.load(b, 32);
            const b11 = v128.load(b, 48);
            const x00 = v128.load32_splat(a0);
            const x01 = v128.load32_splat(a0, 4);
            s00 = widen(s00, i16x8.add(dot(b00, x00), dot(b10, x01)), ones);
            s01 = widen(s01, i16x8.add(dot(b01, x00), dot(b11, x01)), ones);
            const x10 = v128.load32_splat(a1);
            const x11 = v128.load32_splat(a1, 4);
            s10 = widen(s10, i16x8.add(dot(b00, x10), dot(b10, x11)), ones);
            s11 = widen(s11, i16x8.add(dot(b01, x10), dot(b11, x11)), ones);
            a0 += 8;
            a1 += 8;
            b += 64;
          }
        } else if (form == SINGLE) {
          while (b < blockEnd) {
            const b0 = v128.load(b);
            const b1 = v128.load(b, 16);
            const x0 = v128.load32_splat(a0);
            s00 = widen(s00, dot(b0, x0), ones);
            s01 = widen(s01, dot(b1, x0), ones);
            const x1 = v128.load32_splat(a1);
            s10 = widen(s10, dot(b0, x1), ones);
            s11 = widen(s11, dot(b1, x1), ones);
            a0 += 4;
            a1 += 4;
            b += 32;
          }
        } else {
          while (b < blockEnd) {
            const b0 = v128.load(b);
            const b1 = v128.load(b, 16);
            const x0 = v128.load32_splat(a0);
            s00 = i32x4.relaxed_dot_i8x16_i7x16_add_s(b0, x0, s00);
            s01 = i32x4.relaxed_dot_i8x16_i7x16_add_s(b1, x0, s01);
            const x1 = v128.load32_splat(a1);
            s10 = i32x4.relaxed_dot_i8x16_i7x16_add_s(b0, x1, s10);
            s11 = i32x4.relaxed_dot_i8x16_i7x16_add_s(b1, x1, s11);
            a0 += 4;
            a1 += 4;
            b += 32;
          }
        }
        // x = scale * q + low, so a block adds scale * (q * w) + low * (sum of w).
        const c0 = v128.load(sum);
        const c1 = v128.load(sum, 16);
        const scale0 = v128.load32_splat(p0);
        const low0 = v128.load32_splat(p0, 4);
        f00 = madd(c0, low0, madd(f32x4.convert_i32x4_s(s00), scale0, f00));
        f01 = madd(c1, low0, madd(f32x4.convert_i32x4_s(s01), scale0, f01));
        const scale1 = v128.load32_splat(p0 + paramStride);
        const low1 = v128.load32_splat(p0 + paramStride, 4);
        f10 = madd(c0, low1, madd(f32x4.convert_i32x4_s(s10), scale1, f10));
        f11 = madd(c1, low1, madd(f32x4.convert_i32x4_s(s11), scale1, f11));
        p0 += 8;
        sum += 32;
        touch(ahead);
        ahead += aheadStep;
      }
      const w0 = v128.load(columns);
      const w1 = v128.load(columns, 16);
      const bias0 = v128.load(columns, 32);
      const bias1 = v128.load(columns, 48);
      v128.store(target, madd(f00, w0, bias0));
      v128.store(target, madd(f01, w1, bias1), 16);
      v128.store(target + rowStride, madd(f10, w0, bias0));
      v128.store(target + rowStride, madd(f11, w1, bias1), 16);
      target += rowStride << 1;
      row += paramStride << 1;
      a0 = a1;
    }
    panel += panelBytes;
    columns += 64;
    sums += blocks << 5;
    out += panelStride;
  }
}

/** One instruction where the CPU has it (VNNI, SDOT). */
export function gemmAdd(
  linear: usize,
  input: usize,
  params: usize,
  out: usize,
  rows: i32,
  rowStride: usize,
  panelStride: usize,
  first: i32,
  last: i32,
): void {
  gemm(ADD, linear, input, params, out, rows, rowStride, panelStride, first, last);
}

/** Sums of two products in 16 bits; |w| <= 128 is always safe. */
export function gemmSingle(
  linear: usize,
  input: usize,
  params: usize,
  out: usize,
  rows: i32,
  rowStride: usize,
  panelStride: usize,
  first: i32,
  last: i32,
): void {
  gemm(SINGLE, linear, input, params, out, rows, rowStride, panelStride, first, last);
}

/** Sums of four products in 16 bits: weights of one sign that share a lane add up to 258 at most. */
export function gemmPair(
  linear: usize,
  input: usize,
  params: usize,
  out: usize,
  rows: i32,
  rowStride: usize,
  panelStride: usize,
  first: i32,
  last: i32,
): void {
  gemm(PAIR, linear, input, params, out, rows, rowStride, panelStride, first, last);
}

/** Sums of eight products in 16 bits, under the same limit: the fastest form on plain x86. */
export function gemmQuad(
  linear: usize,
  input: usize,
  params: usize,
  out: usize,
  rows: i32,
  rowStride: usize,
  panelStride: usize,
  first: i32,
  last: i32,
): void {
  gemm(QUAD, linear, input, params, out, rows, rowStride, panelStride, first, last);
}
