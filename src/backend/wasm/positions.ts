/** Where tokens stand: rows of the position table, and buckets of the distances between them. */
import type { EncoderDescription, RelativeBias } from './architectures.js';

/** Row of the position table for every packed token, `[tokens]`. */
export function positionIds(description: EncoderDescription, inputIds: Int32Array, offsets: Int32Array): Int32Array {
  const { positionOffset, paddingId } = description;
  const positions = new Int32Array(inputIds.length);
  for (let text = 0; text + 1 < offsets.length; text++) {
    let next = positionOffset;
    for (let token = offsets[text] as number; token < (offsets[text + 1] as number); token++) {
      positions[token] = inputIds[token] === paddingId ? positionOffset - 1 : next++;
    }
  }
  return positions;
}

/**
 * Bucket of every distance `key - query` from `-(tokens - 1)` to `tokens - 1`, `[2 * tokens - 1]`: half of the buckets
 * for each direction, exact up to a quarter, then logarithmic (T5 and MPNet). Rounded in f32 like the originals.
 */
export function distanceBuckets(bias: RelativeBias, tokens: number): Int32Array {
  const half = bias.buckets >> 1;
  const exact = half >> 1;
  const logRange = Math.log(bias.maxDistance / exact);
  return Int32Array.from({ length: 2 * tokens - 1 }, (_, index) => {
    const distance = index - (tokens - 1);
    const away = Math.abs(distance);
    const side = distance > 0 ? half : 0;
    if (away < exact) return side + away;
    const log = Math.fround(Math.log(Math.fround(away / exact)));
    const step = Math.fround(Math.fround(log / Math.fround(logRange)) * (half - exact));
    return side + Math.min(half - 1, exact + Math.trunc(step));
  });
}
