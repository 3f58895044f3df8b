// Attention like `attention.ts`, with products of 16-bit numbers: for hosts that multiply those faster than floats, and
// models whose linears are rounded further anyway. A head's keys have one scale, its values another, and every query its
// own: a text gives the same bits however its rows are shared among threads.
import {
  ATTEND_BIAS,
  ATTEND_BIAS_STRIDE,
  ATTEND_FIRST,
  ATTEND_HEADS,
  ATTEND_HEAD_SIZE,
  ATTEND_KEY,
  ATTEND_LAST,
  ATTEND_OUT,
  ATTEND_OUT_STRIDE,
  ATTEND_PANEL_STRIDE,
  ATTEND_QUERY,
  ATTEND_SCALE,
  ATTEND_SCRATCH,
  ATTEND_TOKENS,
  ATTEND_VALUE,
  QUERY_ROWS,
  ROUNDER,
  VALUE_LIMIT,
  VALUE_TOKENS,
} from './layout';
import { tileWords } from './gemm-i16';
import { madd, putColumns } from './math';
import { exponentialWords, prepareRow } from './softmax';

/**
 * Scratch, in this order: queries i16 [16][d], keys i16 [tokens / 8][d / 2][8][2], values i16 [d / 8][tokens / 2][8][2],
 * scores f32 [16][tokens], factors f32 [16], outputs f32 [4][8]; d and tokens rounded up to 8.
 */
export function attendWords(job: usize): void {
  const tokens = load<usize>(job, ATTEND_TOKENS);
  const first = load<usize>(job, ATTEND_FIRST);
  const last = load<usize>(job, ATTEND_LAST);
  const heads = load<usize>(job, ATTEND_HEADS);
  const headSize = load<usize>(job, ATTEND_HEAD_SIZE);
  const panelStride = load<usize>(job, ATTEND_PANEL_STRIDE);
  const depth = (headSize + 7) & ~7;
  const padded = (tokens + 7) & ~7;
  const headBytes = (depth >> 3) * panelStride;
  const outStride = load<usize>(job, ATTEND_OUT_STRIDE);
  const queries = load<usize>(job, ATTEND_SCRATCH);
  const keys = queries + <usize>QUERY_ROWS * (depth << 1);
  const values = keys + padded * (depth << 1);
  const scores = values + padded * (depth << 1);
  const factors = scores + <usize>QUERY_ROWS * (padded << 2);
  // Sums over a head's columns stay below 2^31.
  const limit = Mathf.min(32767, Mathf.floor(Mathf.sqrt(<f32>2147483000 / <f32>depth)));
  let q = load<usize>(job, ATTEND_QUERY);
  let k = load<usize>(job, ATTEND_KEY);
  let v = load<usize>(job, ATTEND_VALUE);
  let bias = load<usize>(job, ATTEND_BIAS);
  let out = load<usize>(job, ATTEND_OUT);
  for (let h: usize = 0; h < heads; h++) {
    const mostKey = largest(k, panelStride, depth, tokens);
    const mostValue = largest(v, panelStride, depth, tokens);
    packKeys(k, panelStride, depth, padded, limit / mostKey, keys);
    packValues(v, panelStride, depth, padded, <f32>VALUE_LIMIT / mostValue, values);
    const scale = (mostKey / limit / limit) * load<f32>(job, ATTEND_SCALE);
    for (let row = first; row < last; row += QUERY_ROWS) {
      const rows = min<usize>(QUERY_ROWS, last - row);
      packQueries(q + (row << 5), panelStride, depth, rows, limit, scale, queries, factors);
      scoreRows(queries, keys, depth, padded, rows, scores, factors);
      let line = scores;
      for (let r: usize = 0; r < rows; r++) {
        const most = prepareRow(line, tokens, padded, bias ? bias - ((row + r) << 2) : 0);
        store<f32>(factors + (r << 2), mostValue / <f32>VALUE_LIMIT / exponentialWords(line, padded, most));
        line += padded << 2;
      }
      weighValues(scores, values, padded, rows, headSize, out + row * outStride, outStride, factors);
    }
    q += headBytes;
    k += headBytes;
    v += headBytes;
    out += headSize << 2;
    if (bias) bias += load<usize>(job, ATTEND_BIAS_STRIDE);
  }
}

/**
 * The largest size of a number in some rows of a head, never 0. Sizes of floats are in the order of their bits, and what
 * is not a number is the largest of all, so it is not lost.
 */
// @ts-ignore: decorator
@inline
function largest(from: usize, panelStride: usize, depth: usize, rows: usize): f32 {
  let left = f32x4.splat(1e-30);
  let right = left;
  for (let d: usize = 0; d < depth; d += 8) {
    const end = from + (rows << 5);
    for (let at = from; at < end; at += 32) {
      left = i32x4.max_s(left, f32x4.abs(v128.load(at)));
      right = i32x4.max_s(right, f32x4.abs(v128.load(at, 16)));
    }
    from += panelStride;
  }
  const four = i32x4.max_s(left, right);
  const two = i32x4.max_s(four, v128.shuffle<i32>(four, four, 2, 3, 0, 1));
  return f32x4.extract_lane(i32x4.max_s(two, v128.shuffle<i32>(two, two, 1, 0, 3, 2)), 0);
}

/** Eight columns of a row as 16-bit numbers. */
// @ts-ignore: decorator
@inline
function toWords(from: usize, factor: v128, rounder: v128): v128 {
  const left = i32x4.sub(madd(v128.load(from), factor, rounder), rounder);
  const right = i32x4.sub(madd(v128.load(from, 16), factor, rounder), rounder);
  return i16x8.narrow_i32x4_s(left, right);
}

/** `scales` takes what a unit of a row's scores is worth: `scale` times the largest size of the row. */
function packQueries(
  q: usize,
  panelStride: usize,
  depth: usize,
  rows: usize,
  limit: f32,
  scale: f32,
  to: usize,
  scales: usize,
): void {
  const rounder = v128.load(ROUNDER);
  for (let r: usize = 0; r < rows; r++) {
    const most = largest(q, panelStride, depth, 1);
    const factor = f32x4.splat(limit / most);
    store<f32>(scales + (r << 2), scale * most);
    let from = q;
    for (let d: usize = 0; d < depth; d += 8) {
      v128.store(to, toWords(from, factor, rounder));
      to += 16;
      from += panelStride;
    }
    q += 32;
  }
}

/** Pairs of columns of 8 tokens lie together. Rows past the text are read, never used. */
function packKeys(k: usize, panelStride: usize, depth: usize, padded: usize, scale: f32, to: usize): void {
  const factor = f32x4.splat(scale);
  const rounder = v128.load(ROUNDER);
  for (let token: usize = 0; token < padded; token += 8) {
    let from = k + (token << 5);
    for (let d: usize = 0; d < depth; d += 8) {
      turnWords(from, factor, rounder, to);
      turnWords(from + 128, factor, rounder, to + 16);
      to += 128;
      from += panelStride;
    }
  }
}

/** Four pairs of columns of 4 tokens: rows become columns, 32 bytes apart. */
// @ts-ignore: decorator
@inline
function turnWords(from: usize, factor: v128, rounder: v128, to: usize): void {
  const a = toWords(from, factor, rounder);
  const b = toWords(from + 32, factor, rounder);
  const c = toWords(from + 64, factor, rounder);
  const d = toWords(from + 96, factor, rounder);
  putColumns(a, b, c, d, to);
}

/** Pairs of tokens lie together for each of 8 columns. */
function packValues(v: usize, panelStride: usize, depth: usize, padded: usize, scale: f32, to: usize): void {
  const factor = f32x4.splat(scale);
  const rounder = v128.load(ROUNDER);
  for (let d: usize = 0; d < depth; d += 8) {
    const end = v + (padded << 5);
    for (let from = v; from < end; from += 64) {
      const even = toWords(from, factor, rounder);
      const odd = toWords(from + 32, factor, rounder);
      v128.store(to, v128.shuffle<i16>(even, odd, 0, 8, 1, 9, 2, 10, 3, 11));
      v128.store(to, v128.shuffle<i16>(even, odd, 4, 12, 5, 13, 6, 14, 7, 15), 16);
      to += 32;
    }
    v += panelStride;
  }
}

function scoreRows(
  queries: usize,
  keys: usize,
  depth: usize,
  padded: usize,
  rows: usize,
  scores: usize,
  scales: usize,
): void {
  const rowBytes = depth << 1;
  const scoreBytes = padded << 2;
  for (let token: usize = 0; token < scoreBytes; token += 32) {
    for (let r: usize = 0; r < rows; r += 4) {
      const from = queries + r * rowBytes;
      const to = scores + r * scoreBytes + token;
      tileWords(from, rowBytes, keys, rowBytes, to, scoreBytes, scales + (r << 2), true);
    }
    keys += depth << 4;
  }
}

function weighValues(
  weights: usize,
  values: usize,
  padded: usize,
  rows: usize,
  headSize: usize,
  out: usize,
  outStride: usize,
  factors: usize,
): void {
  const result = factors + (QUERY_ROWS << 2);
  for (let d: usize = 0; d < headSize; d += 8) {
    const columns = min<usize>(8, headSize - d);
    for (let r: usize = 0; r < rows; r += 4) {
      const from = weights + r * (padded << 2);
      const to = out + r * outStride + (d << 2);
      // A whole tile goes where it belongs, a part of one must not touch what lies beside it.
      if (columns == 8 && r + 4 <= rows) {
        weighFour(from, padded, values, to, outStride, factors + (r << 2));
        continue;
      }
      weighFour(from, padded, values, result, 32, factors + (r << 2));
      const end = min<usize>(4, rows - r);
      for (let i: usize = 0; i < end; i++) memory.copy(to + i * outStride, result + (i << 5), columns << 2);
    }
    values += padded << 4;
  }
}

/** Four rows of weights times 8 columns of values, so many tokens at a time that no sum passes 2^31. */
function weighFour(weights: usize, padded: usize, values: usize, out: usize, outStride: usize, factors: usize): void {
  const bytes = padded << 1;
  for (let at: usize = 0; at < bytes; at += VALUE_TOKENS << 1) {
    const part = min<usize>(VALUE_TOKENS << 1, bytes - at);
    tileWords(weights + at, padded << 2, values + (at << 3), part, out, outStride, factors, at == 0);
  }
}
