// The ends of the encoder: rows of embedding tables are added up, hidden states are pooled.
import { TABLE_SCALES, TABLE_SIZE, TABLE_VALUES } from './layout';
import { madd } from './math';

/**
 * out[row] (+)= table[ids[row]], `width` columns (tables have no padding); columns up to the stride are zero. Tables of
 * whole numbers have a scale a row. `add` is 0 for the first table.
 */
export function embed(table: usize, ids: usize, rows: i32, width: i32, out: usize, stride: usize, add: i32): void {
  const values = load<usize>(table, TABLE_VALUES);
  const scales = load<usize>(table, TABLE_SCALES);
  const size = load<usize>(table, TABLE_SIZE);
  if (!add) memory.fill(out, 0, <usize>rows * stride);
  for (let r = 0; r < rows; r++) {
    const id = <usize>load<i32>(ids + (<usize>r << 2));
    const from = values + id * <usize>width * size;
    if (size == 1) addScaled<i8>(from, load<f32>(scales + (id << 2)), width, out);
    else if (size == 2) addScaled<i16>(from, load<f32>(scales + (id << 2)), width, out);
    else addPlain(from, width, out);
    out += stride;
  }
}

function addScaled<T>(from: usize, scale: f32, width: i32, out: usize): void {
  const scales = f32x4.splat(scale);
  const whole = width & ~7;
  for (let c = 0; c < whole; c += 8) {
    const wide = sizeof<T>() == 1 ? v128.load8x8_s(from) : v128.load(from);
    const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(wide));
    const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(wide));
    v128.store(out, madd(low, scales, v128.load(out)));
    v128.store(out, madd(high, scales, v128.load(out, 16)), 16);
    from += 8 * sizeof<T>();
    out += 32;
  }
  for (let c = whole; c < width; c++) {
    store<f32>(out, load<f32>(out) + <f32>load<T>(from) * scale);
    from += sizeof<T>();
    out += 4;
  }
}

function addPlain(from: usize, width: i32, out: usize): void {
  const whole = width & ~3;
  for (let c = 0; c < whole; c += 4) {
    v128.store(out, f32x4.add(v128.load(out), v128.load(from)));
    from += 16;
    out += 16;
  }
  for (let c = whole; c < width; c++) {
    store<f32>(out, load<f32>(out) + load<f32>(from));
    from += 4;
    out += 4;
  }
}

/** out[width] = the mean of `rows` rows. */
export function mean(x: usize, stride: usize, rows: i32, out: usize): void {
  const factor = f32x4.splat(1 / <f32>rows);
  for (let c: usize = 0; c < stride; c += 16) {
    let sum = f32x4.splat(0);
    let from = x + c;
    for (let r = 0; r < rows; r++) {
      sum = f32x4.add(sum, v128.load(from));
      from += stride;
    }
    v128.store(out + c, f32x4.mul(sum, factor));
  }
}
