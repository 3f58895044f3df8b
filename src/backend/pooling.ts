/**
 * From token vectors to one vector a text. Pure functions over rows that lie anywhere in one array; a text's rows
 * follow each other and its padding, if any, comes after them.
 */
import type { Pooling } from '../models/spec.js';

export interface TokenRows {
  /** Token vectors, `[rows, width]`. */
  hidden: Float32Array;
  width: number;
  /** `[batch + 1]`: text `i` has `offsets[i + 1] - offsets[i]` tokens. */
  offsets: Int32Array;
  /** `[batch]`: leading tokens that the mean leaves out, such as a prompt's; null leaves out none. */
  skipped?: Int32Array | null | undefined;
}

/** Pools texts that lie behind each other without padding; `[batch, width]`. */
export function poolPacked(rows: TokenRows, pooling: Pooling): Float32Array<ArrayBuffer> {
  return pool(rows, pooling, (text) => rows.offsets[text] ?? 0);
}

/** Pools texts that are padded on the right to `longest` rows each; `[batch, width]`. */
export function poolPadded(rows: TokenRows, longest: number, pooling: Pooling): Float32Array<ArrayBuffer> {
  return pool(rows, pooling, (text) => text * longest);
}

/** The vectors of real tokens of texts that are padded on the right to `longest` rows each; `[tokens, width]`. */
export function unpadRows({ hidden, width, offsets }: TokenRows, longest: number): Float32Array<ArrayBuffer> {
  const tokens = new Float32Array((offsets.at(-1) ?? 0) * width);
  for (let text = 0; text + 1 < offsets.length; text++) {
    const first = offsets[text] ?? 0;
    const start = text * longest * width;
    tokens.set(hidden.subarray(start, start + ((offsets[text + 1] ?? 0) - first) * width), first * width);
  }
  return tokens;
}

function pool(rows: TokenRows, pooling: Pooling, startOf: (text: number) => number): Float32Array<ArrayBuffer> {
  const { hidden, width, offsets } = rows;
  const count = offsets.length - 1;
  const pooled = new Float32Array(count * width);
  for (let text = 0; text < count; text++) {
    const length = (offsets[text + 1] ?? 0) - (offsets[text] ?? 0);
    const start = startOf(text);
    const target = pooled.subarray(text * width, (text + 1) * width);
    if (pooling === 'mean') meanInto(target, hidden, start + (rows.skipped?.[text] ?? 0), start + length);
    else {
      const row = pooling === 'cls' ? start : start + length - 1;
      target.set(hidden.subarray(row * width, (row + 1) * width));
    }
  }
  return pooled;
}

/** Mean of the rows `from` to `to`; no rows leave zeros, as in sentence-transformers. Sums in double precision. */
function meanInto(target: Float32Array, hidden: Float32Array, from: number, to: number): void {
  const width = target.length;
  if (to <= from) return;
  const sums = new Float64Array(width);
  for (let row = from; row < to; row++) {
    const base = row * width;
    for (let column = 0; column < width; column++) sums[column] = (sums[column] ?? 0) + (hidden[base + column] ?? 0);
  }
  for (let column = 0; column < width; column++) target[column] = (sums[column] ?? 0) / (to - from);
}
