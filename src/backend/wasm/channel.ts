/**
 * One output channel of a linear in 8 bits: symmetric codes and their scale, small enough for the 16-bit sums of the
 * kernels. Owns the rule on lane sums; where codes lie in memory is in `pack.ts`.
 */
import { WORD_LENGTH, WORD_LIMIT } from './kernels/layout.js';
import type { GemmForm } from './plan.js';

/** 127 times this stays below 32,768: weights of one sign that share a 16-bit sum may add up to it. */
export const laneLimit = 258;

/** Input columns that share a scale in converted files, unless they say otherwise. */
export const convertedBlock = 128;

export interface Channel<Codes extends Int8Array | Int16Array = Int8Array> {
  codes: Codes;
  /** weight = scale * code. */
  scale: number;
}

/** Consecutive inputs whose products meet in one pair of 16-bit sums, by form; 0: the form has no such sums. */
export function laneSpan(form: GemmForm): number {
  switch (form) {
    case 'quad':
      return 16;
    case 'pair':
      return 8;
    case 'single':
    case 'add':
      return 4;
    case 'i16':
    case 'w16':
    case 'f32':
      return 0;
    default:
      form satisfies never;
      throw new TypeError(`Unknown form ${String(form)}.`);
  }
}

/**
 * The largest sum of codes of one sign that meet in a lane. Within a span, inputs 0, 1 of every four share the even
 * lane, inputs 2, 3 the odd one.
 */
export function largestLaneSum(codes: Int8Array, span: number): number {
  let largest = 0;
  for (let start = 0; start < codes.length; start += span) {
    const end = Math.min(start + span, codes.length);
    for (let lane = 0; lane < 4; lane += 2) {
      let sum = 0;
      let positive = 0;
      // Without branches: codes of either sign are equally frequent, and this sees every weight of a model.
      for (let k = start + lane; k < end; k += 4) {
        const first = codes[k] as number;
        const second = k + 1 < end ? (codes[k + 1] as number) : 0;
        sum += first + second;
        positive += (first & ~(first >> 31)) + (second & ~(second >> 31));
      }
      largest = Math.max(largest, positive, positive - sum);
    }
  }
  return largest;
}

/** Rounds a channel with the finest scale that keeps every lane sum of `form` within the limit. */
export function quantizeChannel(weights: Float32Array, form: GemmForm, limit = laneLimit): Channel {
  const { length } = weights;
  let most = 0;
  for (let k = 0; k < length; k++) {
    const size = Math.abs(weights[k] as number);
    if (size > most) most = size;
  }
  const codes = new Int8Array(weights.length);
  const span = laneSpan(form);
  let scale = most > 0 ? most / 127 : 1;
  for (;;) {
    const inverse = 1 / scale;
    // Whole numbers by truncation of a positive one: several times faster than Math.round, on every weight of a model.
    for (let k = 0; k < length; k++) codes[k] = (((weights[k] as number) * inverse + 128.5) | 0) - 128;
    const sum = span === 0 ? 0 : largestLaneSum(codes, span);
    if (sum <= limit) return { codes, scale };
    scale *= Math.max(1.0005, sum / (limit + 2));
  }
}

/** Codes from a file, coarser where they would overflow the lanes of `form`; usually the same codes. */
export function fitChannel(codes: Int8Array, form: GemmForm): Channel {
  const span = laneSpan(form);
  // Lanes of two codes cannot overflow.
  if (span <= 4 || largestLaneSum(codes, span) <= laneLimit) return { codes, scale: 1 };
  return quantizeChannel(Float32Array.from(codes), form);
}

/** Rounds a channel to 16 bits with the finest scale that keeps every block of inputs within its length. */
export function quantizeWords(weights: Float32Array, block: number): Channel<Int16Array> {
  const { length } = weights;
  let most = 0;
  let mostSquares = 0;
  for (let start = 0; start < length; start += block) {
    let squares = 0;
    for (let k = start; k < Math.min(length, start + block); k++) {
      const size = Math.abs(weights[k] as number);
      if (size > most) most = size;
      squares += size * size;
    }
    mostSquares = Math.max(mostSquares, squares);
  }
  const scale = Math.max(most / WORD_LIMIT, Math.sqrt(mostSquares) / WORD_LENGTH) || 1;
  const inverse = 1 / scale;
  const codes = new Int16Array(length);
  for (let k = 0; k < length; k++) codes[k] = (((weights[k] as number) * inverse + 32_768.5) | 0) - 32_768;
  return { codes, scale };
}
