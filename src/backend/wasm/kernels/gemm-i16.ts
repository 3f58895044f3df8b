// 8-bit weights times 16-bit inputs through the exact 16-bit dot product, for hosts without relaxed SIMD. A tile is
// 4 rows by 8 columns; 2 values of k lie together for each column.
import { LINEAR_COLUMNS, LINEAR_WEIGHTS, LINEAR_WIDTH } from './layout';
import { madd } from './math';

/** Like `gemmQuad`, one block of the whole width, inputs symmetric: a row's params are its scale and an unused word. */
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
  const width = load<usize>(linear, LINEAR_WIDTH);
  const inputStride = width << 1;
  const panelBytes = width << 3;
  let panel = load<usize>(linear, LINEAR_WEIGHTS) + <usize>first * panelBytes;
  let columns = load<usize>(linear, LINEAR_COLUMNS) + (<usize>first << 6);
  for (let p = first; p < last; p++) {
    const w0 = v128.load(columns);
    const w1 = v128.load(columns, 16);
    const bias0 = v128.load(columns, 32);
    const bias1 = v128.load(columns, 48);
    let a0 = input;
    let row = params;
    let target = out;
    for (let r = 0; r < rows; r += 2) {
      let a1 = a0 + inputStride;
      let s00 = i32x4.splat(0);
      let s01 = i32x4.splat(0);
      let s10 = i32x4.splat(0);
      let s11 = i32x4.splat(0);
      let b = panel;
      const end = panel + panelBytes;
      while (b < end) {
        const b0 = v128.load8x8_s(b);
        const b1 = v128.load8x8_s(b, 8);
        const b2 = v128.load8x8_s(b, 16);
        const b3 = v128.load8x8_s(b, 24);
        const x00 = v128.load32_splat(a0);
        const x01 = v128.load32_splat(a0, 4);
        s00 = i32x4.add(s00, i32x4.add(i32x4.dot_i16x8_s(x00, b0), i32x4.dot_i16x8_s(x01, b2)));
        s01 = i32x4.add(s01, i32x4.add(i32x4.dot_i16x8_s(x00, b1), i32x4.dot_i16x8_s(x01, b3)));
        const x10 = v128.load32_splat(a1);
        const x11 = v128.load32_splat(a1, 4);
        s10 = i32x4.add(s10, i32x4.add(i32x4.dot_i16x8_s(x10, b0), i32x4.dot_i16x8_s(x11, b2)));
        s11 = i32x4.add(s11, i32x4.add(i32x4.dot_i16x8_s(x10, b1), i32x4.dot_i16x8_s(x11, b3)));
        a0 += 8;
        a1 += 8;
        b += 32;
      }
      const scale0 = v128.load32_splat(row);
      v128.store(target, madd(f32x4.mul(f32x4.convert_i32x4_s(s00), scale0), w0, bias0));
      v128.store(target, madd(f32x4.mul(f32x4.convert_i32x4_s(s01), scale0), w1, bias1), 16);
      const scale1 = v128.load32_splat(row + 8);
      v128.store(target + rowStride, madd(f32x4.mul(f32x4.convert_i32x4_s(s10), scale1), w0, bias0));
      v128.store(target + rowStride, madd(f32x4.mul(f32x4.convert_i32x4_s(s11), scale1), w1, bias1), 16);
      target += rowStride << 1;
      row += 16;
      a0 = a1;
    }
    panel += panelBytes;
    columns += 64;
    out += panelStride;
  }
}
