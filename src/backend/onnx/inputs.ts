/** Packed texts to the rectangular int64 arrays that ONNX graphs take. */
import type { TokenBatch } from '../backend.js';

export interface PaddedInputs {
  /** By the graph's own names, `[batch, longest]` each. */
  inputs: Record<string, BigInt64Array>;
  dims: [batch: number, longest: number];
}

/** Pads on the right, so that a text's first token stays in place. */
export function padBatch({ inputIds, typeIds, offsets }: TokenBatch, padId: number): PaddedInputs {
  const batch = offsets.length - 1;
  const longest = longestOf(offsets);
  const ids = new BigInt64Array(batch * longest).fill(BigInt(padId));
  const mask = new BigInt64Array(batch * longest);
  const types = new BigInt64Array(batch * longest);
  for (let text = 0; text < batch; text++) {
    const start = offsets[text] ?? 0;
    const length = (offsets[text + 1] ?? 0) - start;
    const row = text * longest;
    mask.fill(1n, row, row + length);
    for (let token = 0; token < length; token++) {
      ids[row + token] = BigInt(inputIds[start + token] ?? 0);
      if (typeIds) types[row + token] = BigInt(typeIds[start + token] ?? 0);
    }
  }
  return { inputs: { input_ids: ids, attention_mask: mask, token_type_ids: types }, dims: [batch, longest] };
}

function longestOf(offsets: Int32Array): number {
  let longest = 0;
  for (let text = 1; text < offsets.length; text++) {
    longest = Math.max(longest, (offsets[text] ?? 0) - (offsets[text - 1] ?? 0));
  }
  return longest;
}
