/**
 * What one run may hold: the token budget, and at most a quarter of padding on top of the real tokens.
 * Knows texts only by their lengths; which job goes first is decided in `queue.ts`.
 */
import type { RunOutput, TokenBatch } from '../backend/backend.js';

/** One text as the model sees it. */
export interface TokenizedText {
  inputIds: ArrayLike<number>;
  /** Null when every segment id is zero. */
  typeIds: ArrayLike<number> | null;
  /** Leading tokens that pooling leaves out; absent: none. */
  skippedTokens?: number;
}

/** A text of a job: `index` is its place among the job's inputs. */
export interface Entry extends TokenizedText {
  readonly index: number;
}

export interface RunLimits {
  /** Tokens of one run at most; a single text may exceed it. */
  maxTokens: number;
  /** True charges longest × count and holds the bound on padding. */
  padded: boolean;
}

/** Padded tokens are at most 5/4 of the real ones; integers keep the comparison exact. */
const maxPadded = { times: 5, per: 4 } as const;

/** The growing contents of one run, which holds the limits after every `add`. */
export class RunShape {
  readonly limits: RunLimits;
  count = 0;
  longest = 0;
  tokens = 0;

  constructor(limits: RunLimits) {
    this.limits = limits;
  }

  /** What the backend computes, in tokens. */
  get cost(): number {
    return this.limits.padded ? this.longest * this.count : this.tokens;
  }

  /** Takes a text of this length in, or leaves everything as it is and answers false. */
  add(length: number): boolean {
    if (!this.#fits(length)) return false;
    this.count += 1;
    this.longest = Math.max(this.longest, length);
    this.tokens += length;
    return true;
  }

  #fits(length: number): boolean {
    if (this.count === 0) return true;
    const tokens = this.tokens + length;
    if (!this.limits.padded) return tokens <= this.limits.maxTokens;
    const padded = Math.max(this.longest, length) * (this.count + 1);
    return padded <= this.limits.maxTokens && padded * maxPadded.per <= tokens * maxPadded.times;
  }
}

/** Sorts in place, shortest first, so that the longest text is taken from the end. */
export function sortByLength(entries: Entry[]): Entry[] {
  return entries.sort((a, b) => a.inputIds.length - b.inputIds.length || b.index - a.index);
}

/** Moves the longest texts and their neighbours in length out of `sorted` for as long as they fit. */
export function takeLongest(sorted: Entry[], shape: RunShape): Entry[] {
  const taken: Entry[] = [];
  for (let entry = sorted.at(-1); entry && shape.add(entry.inputIds.length); entry = sorted.at(-1)) {
    taken.push(entry);
    sorted.pop();
  }
  return taken;
}

/** Moves every text out of `sorted` that fits beside what the run already holds; the rest keeps its order. */
export function takeFitting(sorted: Entry[], shape: RunShape): Entry[] {
  const taken: Entry[] = [];
  const left: Entry[] = [];
  for (const entry of sorted.splice(0)) (shape.add(entry.inputIds.length) ? taken : left).push(entry);
  sorted.push(...left);
  return taken;
}

/** Packs texts without padding into arrays of their own. */
export function packBatch(texts: readonly TokenizedText[], output: RunOutput = 'pooled'): TokenBatch {
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((text, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + text.inputIds.length;
  });
  const tokens = offsets[texts.length] ?? 0;
  const inputIds = new Int32Array(tokens);
  const typeIds = texts.some((text) => text.typeIds !== null) ? new Int32Array(tokens) : null;
  texts.forEach((text, i) => {
    inputIds.set(text.inputIds, offsets[i]);
    if (text.typeIds) typeIds?.set(text.typeIds, offsets[i]);
  });
  const skipped = texts.map((text) => text.skippedTokens ?? 0);
  const skippedTokens = skipped.some((count) => count > 0) ? Int32Array.from(skipped) : null;
  return { inputIds, typeIds, offsets, skippedTokens, output };
}
