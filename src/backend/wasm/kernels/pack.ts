// Weights in 8 bits on their way from a file to where the products read them.
import { INPUT_I16, LINEAR_BLOCK, LINEAR_BLOCKS, LINEAR_INPUT, LINEAR_SUMS, LINEAR_WEIGHTS, LINEAR_WIDTH } from './layout';

/** The sums of those pairs of numbers that meet in a 16-bit lane of a form that adds up `span` inputs there. */
// @ts-ignore: decorator
@inline
function sumSpans(pairs: v128, span: i32): v128 {
  if (span > 4) pairs = i16x8.add(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2));
  if (span > 8) pairs = i16x8.add(pairs, v128.shuffle<i32>(pairs, pairs, 2, 3, 0, 1));
  return pairs;
}

// @ts-ignore: decorator
@inline
function largestLane(v: v128): i32 {
  v = i16x8.max_s(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = i16x8.max_s(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return max(<i32>i16x8.extract_lane_s(v, 0), <i32>i16x8.extract_lane_s(v, 1));
}

/** 16 codes of a column, four and four: 8 columns' codes for four inputs lie together. */
// @ts-ignore: decorator
@inline
function storeFours(out: usize, codes: v128): void {
  v128.store_lane<i32>(out, codes, 0);
  v128.store_lane<i32>(out, codes, 1, 32);
  v128.store_lane<i32>(out, codes, 2, 64);
  v128.store_lane<i32>(out, codes, 3, 96);
}

/** The same two and two, for products of 16-bit inputs. */
// @ts-ignore: decorator
@inline
function storePairs(out: usize, codes: v128): void {
  v128.store_lane<i16>(out, codes, 0);
  v128.store_lane<i16>(out, codes, 1, 16);
  v128.store_lane<i16>(out, codes, 2, 32);
  v128.store_lane<i16>(out, codes, 3, 48);
  v128.store_lane<i16>(out, codes, 4, 64);
  v128.store_lane<i16>(out, codes, 5, 80);
  v128.store_lane<i16>(out, codes, 6, 96);
  v128.store_lane<i16>(out, codes, 7, 112);
}

/**
 * Columns `first` to `first + count` of a linear from their codes, one row of its width (a multiple of 16) after the
 * other, and their sums by block where the linear has them. Returns the largest sum of codes of one sign that meet in a
 * lane, where `span` inputs do.
 */
export function pack(linear: usize, codes: usize, first: usize, count: usize, span: i32): i32 {
  const weights = load<usize>(linear, LINEAR_WEIGHTS);
  const sums = load<usize>(linear, LINEAR_SUMS);
  const width = load<usize>(linear, LINEAR_WIDTH);
  const block = load<usize>(linear, LINEAR_BLOCK);
  const blocks = load<usize>(linear, LINEAR_BLOCKS);
  const wide = load<i32>(linear, LINEAR_INPUT) == INPUT_I16;
  const zero = i32x4.splat(0);
  let most = zero;
  let least = zero;
  for (let column = first; column < first + count; column++) {
    const panel = column >> 3;
    const lane = column & 7;
    let out = weights + panel * width * 8 + (lane << (wide ? 1 : 2));
    let sumAt = sums + panel * blocks * 32 + (lane << 2);
    const rowEnd = codes + width;
    while (codes < rowEnd) {
      const blockEnd = min(codes + block, rowEnd);
      let sum = zero;
      for (; codes < blockEnd; codes += 16) {
        const row = v128.load(codes);
        if (wide) storePairs(out, row);
        else storeFours(out, row);
        out += 128;
        const positive = i16x8.extadd_pairwise_i8x16_s(i8x16.max_s(row, zero));
        const negative = i16x8.extadd_pairwise_i8x16_s(i8x16.min_s(row, zero));
        sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_s(i16x8.add(positive, negative)));
        most = i16x8.max_s(most, sumSpans(positive, span));
        least = i16x8.min_s(least, sumSpans(negative, span));
      }
      const pairs = i32x4.add(sum, v128.shuffle<i32>(sum, sum, 2, 3, 0, 1));
      if (sums) store<f32>(sumAt, <f32>(i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1)));
      sumAt += 32;
    }
  }
  return max(largestLane(most), largestLane(i16x8.neg(least)));
}
