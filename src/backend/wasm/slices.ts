/**
 * Cuts a batch into what one thread computes in one go: some whole texts, packed. Owns the sizes; who computes a slice is
 * the business of `pool.ts`.
 */
import { release } from '../../release.js';
import type { TokenBatch } from '../backend.js';
import type { EncoderDescription } from './architectures.js';
import type { PlacedBatch } from './encoder.js';
import { positionIds } from './positions.js';

export interface Slice extends PlacedBatch {
  /** Places of its texts in the batch. */
  texts: number[];
  /** Tokens of its longest text. */
  longest: number;
}

/** Tokens of a slice at most, unless one text is longer: its rows stay in the second-level cache. */
const sliceTokens = 192;
/** Below this, sharing weights between texts saves more than spreading them over threads. */
const fewTokens = 32;

/** Slices of a batch, longest texts first, about two for each thread where that makes sense. */
export function cutSlices(description: EncoderDescription, batch: TokenBatch, threads: number): Slice[] {
  const total = batch.inputIds.length;
  const limit = Math.max(fewTokens, Math.min(sliceTokens, Math.ceil(total / (threads * 2))));
  const order = Array.from({ length: batch.offsets.length - 1 }, (_, text) => text);
  order.sort((a, b) => lengthOf(batch, b) - lengthOf(batch, a));
  const slices: Slice[] = [];
  let texts: number[] = [];
  let tokens = 0;
  for (const text of order) {
    const length = lengthOf(batch, text);
    if (texts.length > 0 && tokens + length > limit) {
      slices.push(pickTexts(description, batch, texts));
      texts = [];
      tokens = 0;
    }
    texts.push(text);
    tokens += length;
  }
  if (texts.length > 0) slices.push(pickTexts(description, batch, texts));
  return slices;
}

/** Frees what was copied for slices that are computed; a thread that computes little else seldom collects garbage. */
export function releaseSlices(slices: readonly Slice[]): void {
  for (const { inputIds, typeIds, positionIds } of slices) {
    for (const array of [inputIds, typeIds, positionIds]) if (array !== null) release(array);
  }
}

function lengthOf({ offsets }: TokenBatch, text: number): number {
  return (offsets[text + 1] as number) - (offsets[text] as number);
}

function pickTexts(description: EncoderDescription, batch: TokenBatch, texts: number[]): Slice {
  const lengths = texts.map((text) => lengthOf(batch, text));
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const inputIds = new Int32Array(total);
  const typeIds = batch.typeIds === null ? null : new Int32Array(total);
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((text, index) => {
    const [from, to] = [batch.offsets[text] as number, batch.offsets[text + 1] as number];
    const at = offsets[index] as number;
    inputIds.set(batch.inputIds.subarray(from, to), at);
    if (batch.typeIds !== null) typeIds?.set(batch.typeIds.subarray(from, to), at);
    offsets[index + 1] = at + to - from;
  });
  const skipped = batch.skippedTokens ?? null;
  return {
    texts,
    longest: Math.max(...lengths),
    inputIds,
    typeIds,
    offsets,
    positionIds: positionIds(description, inputIds, offsets),
    output: batch.output ?? 'pooled',
    skippedTokens: skipped === null ? null : Int32Array.from(texts, (text) => skipped[text] as number),
  };
}
