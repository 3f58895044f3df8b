// Vector arithmetic that all builds share: fused multiply-add where the build has it, exp2, the activations.
import { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_RELU, ACTIVATION_TANH } from './layout';

// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** One instruction on x86, unlike f32x4.max. */
// @ts-ignore: decorator
@inline
export function larger(a: v128, b: v128): v128 {
  return f32x4.pmax(b, a);
}

// @ts-ignore: decorator
@inline
export function smaller(a: v128, b: v128): v128 {
  return f32x4.pmin(b, a);
}

// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const pairs = larger(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(larger(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

// @ts-ignore: decorator
@inline
export function minLanes(v: v128): f32 {
  const pairs = smaller(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(smaller(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** 1.5 * 2^23: added to a small number it leaves the nearest whole number in the low bits of the mantissa. */
// @ts-ignore: decorator
@inline
export const ROUNDER: f32 = 12582912;

/**
 * 2^x for x up to 126; what is below -126 counts as -126. Minimax polynomial of 2^f on [-0.5, 0.5] (Lawson fit),
 * relative error 1e-7.
 */
// @ts-ignore: decorator
@inline
export function exp2(x: v128): v128 {
  const clamped = larger(x, f32x4.splat(-126));
  const rounder = f32x4.splat(ROUNDER);
  const shifted = f32x4.add(clamped, rounder);
  const f = f32x4.sub(clamped, f32x4.sub(shifted, rounder));
  let p = madd(f32x4.splat(0.001326472203144443), f, f32x4.splat(0.009671512996978037));
  p = madd(p, f, f32x4.splat(0.055507337604399125));
  p = madd(p, f, f32x4.splat(0.24022242077585343));
  p = madd(p, f, f32x4.splat(0.6931469775871786));
  p = madd(p, f, f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/**
 * x * Phi(x). Phi - 1/2 is x times a rational function of x^2 on [-5, 5] (degrees 4 and 5, Lawson fit); the result's
 * absolute error is below 2e-6 everywhere.
 */
// @ts-ignore: decorator
@inline
export function geluErf(x: v128): v128 {
  const c = larger(smaller(x, f32x4.splat(5)), f32x4.splat(-5));
  const t = f32x4.mul(c, c);
  let p = madd(f32x4.splat(0.00000516249997006597), t, f32x4.splat(0.0002689003564655727));
  p = madd(p, t, f32x4.splat(0.005217013607635745));
  p = madd(p, t, f32x4.splat(0.045434758325129644));
  p = madd(p, t, f32x4.splat(0.3989420537205795));
  let q = madd(f32x4.splat(4.593155737216974e-7), t, f32x4.splat(0.00009670454225119783));
  q = madd(q, t, f32x4.splat(0.002437441539899988));
  q = madd(q, t, f32x4.splat(0.0348427183022362));
  q = madd(q, t, f32x4.splat(0.2805509536433434));
  q = madd(q, t, f32x4.splat(1));
  return f32x4.mul(x, f32x4.add(f32x4.splat(0.5), f32x4.div(f32x4.mul(c, p), q)));
}

/** tanh(x) = 1 - 2 / (e^2x + 1). */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const doubled = f32x4.mul(smaller(x, f32x4.splat(20)), f32x4.splat(2.8853900817779268));
  const sum = f32x4.add(exp2(doubled), f32x4.splat(1));
  return f32x4.sub(f32x4.splat(1), f32x4.div(f32x4.splat(2), sum));
}

/** 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
// @ts-ignore: decorator
@inline
export function geluTanh(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const inner = f32x4.mul(f32x4.splat(0.7978845608028654), madd(cube, f32x4.splat(0.044715), x));
  const half = f32x4.mul(x, f32x4.splat(0.5));
  return madd(half, tanh(inner), half);
}

/** `count` values (a multiple of 4) in place. */
export function activateRow(x: usize, count: i32, activation: i32): void {
  const end = x + (<usize>count << 2);
  if (activation == ACTIVATION_GELU) {
    for (; x < end; x += 16) v128.store(x, geluErf(v128.load(x)));
  } else if (activation == ACTIVATION_GELU_TANH) {
    for (; x < end; x += 16) v128.store(x, geluTanh(v128.load(x)));
  } else if (activation == ACTIVATION_RELU) {
    for (; x < end; x += 16) v128.store(x, larger(v128.load(x), f32x4.splat(0)));
  } else if (activation == ACTIVATION_TANH) {
    for (; x < end; x += 16) v128.store(x, tanh(v128.load(x)));
  }
}
