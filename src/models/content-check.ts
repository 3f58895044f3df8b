/** Compares a whole file with what its publisher says of it: what was kept for good, and what passes without being kept. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { VecinityError } from '../errors.js';
import type { TreeEntry } from './hub-tree.js';

/** What is wrong with a file of this length and SHA-256, or null. */
export function problemOf(expected: TreeEntry, sizeBytes: number, digest: string): string | null {
  if (sizeBytes !== expected.sizeBytes) return `it has ${sizeBytes} bytes instead of ${expected.sizeBytes}`;
  if (!expected.sha256 || digest === expected.sha256) return null;
  return `its SHA-256 is ${digest} instead of ${expected.sha256}`;
}

/** `model_file_invalid` for a file that is another one than its publisher's. */
export function foreignContent({ path, url }: { path: string; url: string }, problem: string): VecinityError {
  return new VecinityError(
    'model_file_invalid',
    `The file ${path} from ${url} is not what its publisher says: ${problem}.`,
  );
}

/** The same pieces; errs behind the last one with `model_file_invalid` when they are not what is expected. */
export async function* checkedPieces<Piece extends Uint8Array>(
  pieces: AsyncIterable<Piece>,
  file: { path: string; url: string },
  expected: TreeEntry,
): AsyncGenerator<Piece, void, void> {
  const hasher = sha256.create();
  let sizeBytes = 0;
  for await (const piece of pieces) {
    hasher.update(piece);
    sizeBytes += piece.length;
    yield piece;
  }
  const problem = problemOf(expected, sizeBytes, bytesToHex(hasher.digest()));
  if (problem !== null) throw foreignContent(file, problem);
}
