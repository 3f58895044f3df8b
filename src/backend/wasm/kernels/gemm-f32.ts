// f32 matrix products: the tile that linears and attention share, 4 rows by 8 columns.
import { LINEAR_COLUMNS, LINEAR_WEIGHTS, LINEAR_WIDTH } from './layout';
import { madd } from './math';

/**
 * out[4][8] = a[4][depth] * b[depth][8]. Rows of `a` are `aStride` bytes apart, `b` is contiguous.
 */
export function tile(
  a: usize,
  aStride: usize,
  b: usize,
  depth: usize,
  out: usize,
  outStride: usize,
): void {
  const a1 = a + aStride;
  const a2 = a1 + aStride;
  const a3 = a2 + aStride;
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  const end = depth << 2;
  for (let k: usize = 0; k < end; k += 4) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const x0 = v128.load32_splat(a + k);
    s00 = madd(x0, b0, s00);
    s01 = madd(x0, b1, s01);
    const x1 = v128.load32_splat(a1 + k);
    s10 = madd(x1, b0, s10);
    s11 = madd(x1, b1, s11);
    const x2 = v128.load32_splat(a2 + k);
    s20 = madd(x2, b0, s20);
    s21 = madd(x2, b1, s21);
    const x3 = v128.load32_splat(a3 + k);
    s30 = madd(x3, b0, s30);
    s31 = madd(x3, b1, s31);
    b += 32;
  }
  v128.store(out, s00);
  v128.store(out, s01, 16);
  v128.store(out + outStride, s10);
  v128.store(out + outStride, s11, 16);
  out += outStride << 1;
  v128.store(out, s20);
  v128.store(out, s21, 16);
  v128.store(out + outStride, s30);
  v128.store(out + outStride, s31, 16);
}

/** Like `gemmQuad` for inputs and weights of f32; `rows` is a multiple of 4, `params` is not read. */
export function gemmF32(
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
  const inputStride = width << 2;
  const panelBytes = width << 5;
  let panel = load<usize>(linear, LINEAR_WEIGHTS) + <usize>first * panelBytes;
  let columns = load<usize>(linear, LINEAR_COLUMNS) + (<usize>first << 6);
  for (let p = first; p < last; p++) {
    const w0 = v128.load(columns);
    const w1 = v128.load(columns, 16);
    const bias0 = v128.load(columns, 32);
    const bias1 = v128.load(columns, 48);
    let a = input;
    let target = out;
    for (let r = 0; r < rows; r += 4) {
      tile(a, inputStride, panel, width, target, rowStride);
      for (let i = 0; i < 4; i++) {
        v128.store(target, madd(v128.load(target), w0, bias0));
        v128.store(target, madd(v128.load(target, 16), w1, bias1), 16);
        target += rowStride;
      }
      a += inputStride << 2;
    }
    panel += panelBytes;
    columns += 64;
    out += panelStride;
  }
}
