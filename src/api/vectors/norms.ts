/** Vectors of another length than 1: llama.cpp's `embd_normalize`. */
import type { EmbeddingRows } from './embeddings-json.js';
import { embeddingAt } from './embeddings-json.js';

/** What llama.cpp makes of the largest value, so that it fits into 16 bits. */
const largestWord = 32_760;

/** 0 scales the largest value to 32,760, 1 is the taxicab norm, 2 the Euclidean one, and so on; -1 changes nothing. */
export function scaleRows(rows: EmbeddingRows, norm: number): void {
  if (norm < 0) return;
  for (let index = 0; index < rows.count; index++) {
    const row = embeddingAt(rows, index);
    const length = lengthOf(row, norm);
    const scale = length > 0 ? 1 / length : 0;
    row.forEach((value, at) => {
      row[at] = value * scale;
    });
  }
}

/** The powers are of parts of the largest value, which cannot overflow however high the norm is. */
function lengthOf(row: Float32Array, norm: number): number {
  const largest = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (norm === 0) return largest / largestWord;
  if (largest === 0) return 0;
  return largest * row.reduce((sum, value) => sum + (Math.abs(value) / largest) ** norm, 0) ** (1 / norm);
}
