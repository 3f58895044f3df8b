// Vector arithmetic that all builds share: fused multiply-add where the build has it, lanes, exp2, the activations.
import {
  ACTIVATION_GELU,
  ACTIVATION_GELU_TANH,
  ACTIVATION_RELU,
  ACTIVATION_TANH,
  ERF_LIMIT,
  ERF_MINUS_LIMIT,
  ERF_P0,
  ERF_P1,
  ERF_P2,
  ERF_P3,
  ERF_P4,
  ERF_Q1,
  ERF_Q2,
  ERF_Q3,
  ERF_Q4,
  ERF_Q5,
  EXP2_1,
  EXP2_2,
  EXP2_3,
  EXP2_4,
  EXP2_5,
  HALF,
  LEAST_EXPONENT,
  ONE,
  ROUNDER,
  TANH_CUBE,
  TANH_INNER,
  TANH_LIMIT,
  TWO,
  TWO_LOG2_E,
} from './layout';

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

/** The rows of a 4 x 4 block become columns of 32-bit lanes, 32 bytes apart. */
// @ts-ignore: decorator
@inline
export function putColumns(a: v128, b: v128, c: v128, d: v128, to: usize): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 32);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 0, 2), 64);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 1, 3), 96);
}

/** A constant vector. */
// @ts-ignore: decorator
@inline
function constant(address: usize): v128 {
  return v128.load(address);
}

/**
 * 2^x for x up to 126; what is below -126 counts as -126. Minimax polynomial of 2^f on [-0.5, 0.5], relative error 1e-7.
 */
// @ts-ignore: decorator
@inline
export function exp2(x: v128): v128 {
  const clamped = larger(x, constant(LEAST_EXPONENT));
  const rounder = constant(ROUNDER);
  const shifted = f32x4.add(clamped, rounder);
  const f = f32x4.sub(clamped, f32x4.sub(shifted, rounder));
  let p = madd(constant(EXP2_5), f, constant(EXP2_4));
  p = madd(p, f, constant(EXP2_3));
  p = madd(p, f, constant(EXP2_2));
  p = madd(p, f, constant(EXP2_1));
  p = madd(p, f, constant(ONE));
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/**
 * x * Phi(x). Phi - 1/2 is x times a rational function of x^2 on [-5, 5] (degrees 4 and 5); the result's absolute error
 * is below 2e-6 everywhere.
 */
// @ts-ignore: decorator
@inline
function geluErf(x: v128): v128 {
  const c = larger(smaller(x, constant(ERF_LIMIT)), constant(ERF_MINUS_LIMIT));
  const t = f32x4.mul(c, c);
  let p = madd(constant(ERF_P4), t, constant(ERF_P3));
  p = madd(p, t, constant(ERF_P2));
  p = madd(p, t, constant(ERF_P1));
  p = madd(p, t, constant(ERF_P0));
  let q = madd(constant(ERF_Q5), t, constant(ERF_Q4));
  q = madd(q, t, constant(ERF_Q3));
  q = madd(q, t, constant(ERF_Q2));
  q = madd(q, t, constant(ERF_Q1));
  q = madd(q, t, constant(ONE));
  return f32x4.mul(x, f32x4.add(constant(HALF), f32x4.div(f32x4.mul(c, p), q)));
}

/** tanh(x) = 1 - 2 / (e^2x + 1). */
// @ts-ignore: decorator
@inline
function tanh(x: v128): v128 {
  const doubled = f32x4.mul(smaller(x, constant(TANH_LIMIT)), constant(TWO_LOG2_E));
  const sum = f32x4.add(exp2(doubled), constant(ONE));
  return f32x4.sub(constant(ONE), f32x4.div(constant(TWO), sum));
}

/** 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). */
// @ts-ignore: decorator
@inline
function geluTanh(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const inner = f32x4.mul(constant(TANH_INNER), madd(cube, constant(TANH_CUBE), x));
  const half = f32x4.mul(x, constant(HALF));
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
