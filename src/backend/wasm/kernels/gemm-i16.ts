// Products of whole numbers through the exact 16-bit dot product: inputs of 16 bits times weights of 8 bits (for hosts
// without relaxed SIMD) or of 16 bits (the exact mode). A tile is 4 rows by 8 columns; 2 values of k lie together for
// each column. Sums cannot overflow: a block's inputs and weights are rounded to lengths whose product is below 2^31.
import { LINEAR_BLOCK, LINEAR_BLOCKS, LINEAR_COLUMNS, LINEAR_WEIGHTS, LINEAR_WIDTH } from './layout';
import { madd } from './math';

// @ts-ignore: decorator
@inline
function multiplyAdd(sum: v128, inputs: v128, weights: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(inputs, weights));
}

/** Eight weights of `size` bytes each. */
// @ts-ignore: decorator
@inline
function loadWeights(size: usize, address: usize): v128 {
  return size == 1 ? v128.load8x8_s(address) : v128.load(address);
}

/** Eight columns of a row get a block's sums; the first block overwrites what was there. */
// @ts-ignore: decorator
@inline
function putBlock(to: usize, left: v128, right: v128, scale: v128, first: bool): void {
  const left32 = f32x4.convert_i32x4_s(left);
  const right32 = f32x4.convert_i32x4_s(right);
  if (first) {
    v128.store(to, f32x4.mul(left32, scale));
    v128.store(to, f32x4.mul(right32, scale), 16);
  } else {
    v128.store(to, madd(left32, scale, v128.load(to)));
    v128.store(to, madd(right32, scale, v128.load(to, 16)), 16);
  }
}

/**
 * A block of 4 rows by 8 columns: `bytes` of every row of `a`, times as many rows of `b`, times the row's scale. What is
 * there is overwritten when `starts` is true, else added to.
 */
// @ts-ignore: decorator
@inline
function tile(
  size: usize,
  a0: usize,
  aStride: usize,
  b: usize,
  bytes: usize,
  out: usize,
  outStride: usize,
  scale: usize,
  scaleStride: usize,
  starts: bool,
): void {
  const end = a0 + bytes;
  let a1 = a0 + aStride;
  let a2 = a1 + aStride;
  let a3 = a2 + aStride;
  let s00 = i32x4.splat(0);
  let s01 = i32x4.splat(0);
  let s10 = i32x4.splat(0);
  let s11 = i32x4.splat(0);
  let s20 = i32x4.splat(0);
  let s21 = i32x4.splat(0);
  let s30 = i32x4.splat(0);
  let s31 = i32x4.splat(0);
  while (a0 < end) {
    const b0 = loadWeights(size, b);
    const b1 = loadWeights(size, b + 8 * size);
    const x0 = v128.load32_splat(a0);
    s00 = multiplyAdd(s00, x0, b0);
    s01 = multiplyAdd(s01, x0, b1);
    const x1 = v128.load32_splat(a1);
    s10 = multiplyAdd(s10, x1, b0);
    s11 = multiplyAdd(s11, x1, b1);
    const x2 = v128.load32_splat(a2);
    s20 = multiplyAdd(s20, x2, b0);
    s21 = multiplyAdd(s21, x2, b1);
    const x3 = v128.load32_splat(a3);
    s30 = multiplyAdd(s30, x3, b0);
    s31 = multiplyAdd(s31, x3, b1);
    a0 += 4;
    a1 += 4;
    a2 += 4;
    a3 += 4;
    b += 16 * size;
  }
  putBlock(out, s00, s01, v128.load32_splat(scale), starts);
  scale += scaleStride;
  out += outStride;
  putBlock(out, s10, s11, v128.load32_splat(scale), starts);
  scale += scaleStride;
  out += outStride;
  putBlock(out, s20, s21, v128.load32_splat(scale), starts);
  putBlock(out + outStride, s30, s31, v128.load32_splat(scale + scaleStride), starts);
}

/** A tile of 16-bit numbers on both sides; the rows' scales lie together. */
export function tileWords(
  a: usize,
  aStride: usize,
  b: usize,
  bytes: usize,
  out: usize,
  outStride: usize,
  scales: usize,
  starts: bool,
): void {
  tile(2, a, aStride, b, bytes, out, outStride, scales, 4, starts);
}

// @ts-ignore: decorator
@inline
function gemm(
  size: usize,
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
  const inputStride = width << 1;
  const blockBytes = load<usize>(linear, LINEAR_BLOCK) << 1;
  const paramStride = load<usize>(linear, LINEAR_BLOCKS) << 3;
  const panelBytes = (width << 3) * size;
  let panel = load<usize>(linear, LINEAR_WEIGHTS) + <usize>first * panelBytes;
  let columns = load<usize>(linear, LINEAR_COLUMNS) + (<usize>first << 6);
  for (let p = first; p < last; p++) {
    let a0 = input;
    let row = params;
    let target = out;
    for (let r = 0; r < rows; r += 4) {
      let b = panel;
      let block = row;
      for (let at: usize = 0; at < inputStride; at += blockBytes) {
        const bytes = min(blockBytes, inputStride - at);
        tile(size, a0 + at, inputStride, b, bytes, target, rowStride, block, paramStride, at == 0);
        b += bytes * 4 * size;
        block += 8;
      }
      const w0 = v128.load(columns);
      const w1 = v128.load(columns, 16);
      const bias0 = v128.load(columns, 32);
      const bias1 = v128.load(columns, 48);
      for (let i = 0; i < 4; i++) {
        v128.store(target, madd(v128.load(target), w0, bias0));
        v128.store(target, madd(v128.load(target, 16), w1, bias1), 16);
        target += rowStride;
      }
      row += paramStride << 2;
      a0 += inputStride << 2;
    }
    panel += panelBytes;
    columns += 64;
    out += panelStride;
  }
}

/** Like `gemmQuad` for weights of 8 bits; `rows` is a multiple of 4, a block's params are its scale and an unused word. */
export function gemmI16(
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
  gemm(1, linear, input, params, out, rows, rowStride, panelStride, first, last);
}

/** Like `gemmI16` for weights of 16 bits. */
export function gemmW16(
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
  gemm(2, linear, input, params, out, rows, rowStride, panelStride, first, last);
}
