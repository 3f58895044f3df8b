// Softmax(q k / sqrt(d)) v for all heads of one text. Queries, keys and values come as panels of 8 columns, a panel's
// rows 32 bytes apart, as the linears write them. Scores are held for a few queries at a time, so memory grows with the
// text's length and not with its square.
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
} from './layout';
import { tile } from './gemm-f32';
import { putColumns } from './math';
import { exponentials, prepareRow } from './softmax';

/**
 * Scratch, in this order: queries f32 [16][d], keys f32 [tokens / 8][d][8], scores f32 [16][tokens], outputs
 * f32 [16][8], sums f32 [16]; d and tokens rounded up to 8.
 */
export function attend(job: usize): void {
  const tokens = load<usize>(job, ATTEND_TOKENS);
  const first = load<usize>(job, ATTEND_FIRST);
  const last = load<usize>(job, ATTEND_LAST);
  const heads = load<usize>(job, ATTEND_HEADS);
  const headSize = load<usize>(job, ATTEND_HEAD_SIZE);
  const panelStride = load<usize>(job, ATTEND_PANEL_STRIDE);
  const depth = (headSize + 7) & ~7;
  const padded = (tokens + 7) & ~7;
  const headBytes = (depth >> 3) * panelStride;
  const scale = load<f32>(job, ATTEND_SCALE);
  const outStride = load<usize>(job, ATTEND_OUT_STRIDE);
  const queries = load<usize>(job, ATTEND_SCRATCH);
  const keys = queries + <usize>QUERY_ROWS * (depth << 2);
  const scores = keys + padded * (depth << 2);
  let q = load<usize>(job, ATTEND_QUERY);
  let k = load<usize>(job, ATTEND_KEY);
  let v = load<usize>(job, ATTEND_VALUE);
  let bias = load<usize>(job, ATTEND_BIAS);
  let out = load<usize>(job, ATTEND_OUT);
  for (let h: usize = 0; h < heads; h++) {
    packKeys(k, panelStride, depth, padded, keys);
    for (let row = first; row < last; row += QUERY_ROWS) {
      const rows = min<usize>(QUERY_ROWS, last - row);
      copyQueries(q + (row << 5), panelStride, depth, (rows + 3) & ~3, scale, queries);
      scoreRows(queries, keys, depth, padded, (rows + 3) & ~3, scores);
      softmaxRows(scores, tokens, padded, rows, bias ? bias - (row << 2) : 0, scores + <usize>QUERY_ROWS * (padded << 2));
      weighValues(scores, v, panelStride, tokens, padded, rows, headSize, out + row * outStride, outStride);
    }
    q += headBytes;
    k += headBytes;
    v += headBytes;
    out += headSize << 2;
    if (bias) bias += load<usize>(job, ATTEND_BIAS_STRIDE);
  }
}

/** [d / 8][token][8] becomes [token / 8][d][8]: blocks of 8 x 8 are turned. Rows past the text are read, never used. */
function packKeys(k: usize, panelStride: usize, depth: usize, padded: usize, keys: usize): void {
  for (let token: usize = 0; token < padded; token += 8) {
    let from = k + (token << 5);
    for (let d: usize = 0; d < depth; d += 8) {
      turn(from, keys);
      turn(from + 16, keys + 128);
      turn(from + 128, keys + 16);
      turn(from + 144, keys + 144);
      keys += 256;
      from += panelStride;
    }
  }
}

/** Transposes 4 x 4 values; rows are 32 bytes apart on both sides. */
// @ts-ignore: decorator
@inline
function turn(from: usize, to: usize): void {
  const a = v128.load(from);
  const b = v128.load(from, 32);
  const c = v128.load(from, 64);
  const d = v128.load(from, 96);
  putColumns(a, b, c, d, to);
}

function copyQueries(
  q: usize,
  panelStride: usize,
  depth: usize,
  rows: usize,
  scale: f32,
  queries: usize,
): void {
  const scales = f32x4.splat(scale);
  const rowBytes = depth << 2;
  for (let d: usize = 0; d < rowBytes; d += 32) {
    let from = q;
    let to = queries + d;
    for (let r: usize = 0; r < rows; r++) {
      v128.store(to, f32x4.mul(v128.load(from), scales));
      v128.store(to, f32x4.mul(v128.load(from, 16), scales), 16);
      from += 32;
      to += rowBytes;
    }
    q += panelStride;
  }
}

function scoreRows(queries: usize, keys: usize, depth: usize, padded: usize, rows: usize, scores: usize): void {
  const rowBytes = depth << 2;
  const scoreBytes = padded << 2;
  for (let token: usize = 0; token < scoreBytes; token += 32) {
    for (let r: usize = 0; r < rows; r += 4) {
      tile(queries + r * rowBytes, rowBytes, keys, depth, scores + r * scoreBytes + token, scoreBytes);
    }
    keys += depth << 5;
  }
}

/** Scores become exponentials (base 2, the largest is 1); `inverses` takes 1 / sum of every row. */
function softmaxRows(
  scores: usize,
  tokens: usize,
  padded: usize,
  rows: usize,
  bias: usize,
  inverses: usize,
): void {
  for (let r: usize = 0; r < rows; r++) {
    const most = prepareRow(scores, tokens, padded, bias);
    store<f32>(inverses + (r << 2), 1 / exponentials(scores, padded, most));
    if (bias) bias -= 4;
    scores += padded << 2;
  }
}

function weighValues(
  scores: usize,
  v: usize,
  panelStride: usize,
  tokens: usize,
  padded: usize,
  rows: usize,
  headSize: usize,
  out: usize,
  outStride: usize,
): void {
  const scoreBytes = padded << 2;
  const inverses = scores + <usize>QUERY_ROWS * scoreBytes;
  const result = inverses + (QUERY_ROWS << 2);
  for (let d: usize = 0; d < headSize; d += 8) {
    for (let r: usize = 0; r < rows; r += 4) {
      tile(scores + r * scoreBytes, scoreBytes, v, tokens, result, 32);
      const to = out + r * outStride + (d << 2);
      putScaled(result, inverses + (r << 2), min<usize>(4, rows - r), to, outStride, headSize - d);
    }
    v += panelStride;
  }
}

/** Up to 8 columns of up to 4 rows of a tile, each row times its factor. */
function putScaled(from: usize, factors: usize, rows: usize, to: usize, stride: usize, columns: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    const factor = v128.load32_splat(factors);
    const left = f32x4.mul(v128.load(from), factor);
    const right = f32x4.mul(v128.load(from, 16), factor);
    if (columns >= 8) {
      v128.store(to, left);
      v128.store(to, right, 16);
    } else {
      v128.store(from, left);
      v128.store(from, right, 16);
      memory.copy(to, from, columns << 2);
    }
    from += 32;
    factors += 4;
    to += stride;
  }
}
