// Softmax over rows of scores (base 2), as floats or as whole numbers. Constants stay in registers for a whole row: the
// loop writes to memory, so the compiler would load them again for every vector.
import {
  EXP2_1,
  EXP2_2,
  EXP2_3,
  EXP2_4,
  EXP2_5,
  LEAST_EXPONENT,
  ONE,
  ROUNDER,
  ROUGH_EXP2_0,
  ROUGH_EXP2_1,
  ROUGH_EXP2_2,
  ROUGH_EXP2_3,
  WEIGHT_BITS,
} from './layout';
import { larger, madd, maxLanes, sumLanes } from './math';

/** Adds learned biases (or none: 0), gives padding the least score, and returns the largest. */
export function prepareRow(row: usize, tokens: usize, padded: usize, bias: usize): f32 {
  const bytes = padded << 2;
  if (bias) {
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(row + i, f32x4.add(v128.load(row + i), v128.load(bias + i)));
    }
  }
  for (let i = tokens; i < padded; i++) store<f32>(row + (i << 2), -1e30);
  let left = f32x4.splat(-1e30);
  let right = left;
  for (let i: usize = 0; i < bytes; i += 32) {
    left = larger(left, v128.load(row + i));
    right = larger(right, v128.load(row + i, 16));
  }
  return maxLanes(larger(left, right));
}

/** 2^(x - most) in place; returns their sum. Polynomial as in `exp2`. */
export function exponentials(row: usize, padded: usize, most: f32): f32 {
  const end = row + (padded << 2);
  const shift = f32x4.splat(most);
  const least = v128.load(LEAST_EXPONENT);
  const rounder = v128.load(ROUNDER);
  const p5 = v128.load(EXP2_5);
  const p4 = v128.load(EXP2_4);
  const p3 = v128.load(EXP2_3);
  const p2 = v128.load(EXP2_2);
  const p1 = v128.load(EXP2_1);
  const p0 = v128.load(ONE);
  let sum = f32x4.splat(0);
  for (; row < end; row += 16) {
    const x = larger(f32x4.sub(v128.load(row), shift), least);
    const shifted = f32x4.add(x, rounder);
    const f = f32x4.sub(x, f32x4.sub(shifted, rounder));
    let p = madd(p5, f, p4);
    p = madd(p, f, p3);
    p = madd(p, f, p2);
    p = madd(p, f, p1);
    p = madd(p, f, p0);
    const value = i32x4.add(p, i32x4.shl(shifted, 23));
    v128.store(row, value);
    sum = f32x4.add(sum, value);
  }
  return sumLanes(sum);
}

/**
 * 2^(x - ceil(most) + WEIGHT_BITS), rounded to 16-bit numbers at the row's beginning; returns their sum. Polynomial of degree
 * 3, relative error 8e-5: as much as rounding may do to the largest. The shift is a whole number, so that no subtraction
 * of it is needed: the largest lies between half of 2^WEIGHT_BITS and that.
 */
export function exponentialWords(row: usize, padded: usize, most: f32): f32 {
  const end = row + (padded << 2);
  let to = row;
  const shift = Mathf.ceil(most) - <f32>WEIGHT_BITS;
  const least = f32x4.splat(shift - 126);
  const rounder = v128.load(ROUNDER);
  const shifter = f32x4.sub(rounder, f32x4.splat(shift));
  const p3 = v128.load(ROUGH_EXP2_3);
  const p2 = v128.load(ROUGH_EXP2_2);
  const p1 = v128.load(ROUGH_EXP2_1);
  const p0 = v128.load(ROUGH_EXP2_0);
  let sum = i32x4.splat(0);
  for (; row < end; row += 32) {
    const x0 = larger(v128.load(row), least);
    const x1 = larger(v128.load(row, 16), least);
    const s0 = f32x4.add(x0, shifter);
    const s1 = f32x4.add(x1, shifter);
    const f0 = f32x4.sub(x0, f32x4.sub(s0, shifter));
    const f1 = f32x4.sub(x1, f32x4.sub(s1, shifter));
    let e0 = madd(madd(madd(p3, f0, p2), f0, p1), f0, p0);
    let e1 = madd(madd(madd(p3, f1, p2), f1, p1), f1, p0);
    e0 = i32x4.add(e0, i32x4.shl(s0, 23));
    e1 = i32x4.add(e1, i32x4.shl(s1, 23));
    const n0 = i32x4.sub(f32x4.add(e0, rounder), rounder);
    const n1 = i32x4.sub(f32x4.add(e1, rounder), rounder);
    sum = i32x4.add(sum, i32x4.add(n0, n1));
    v128.store(to, i16x8.narrow_i32x4_s(n0, n1));
    to += 16;
  }
  return sumLanes(f32x4.convert_i32x4_s(sum));
}
