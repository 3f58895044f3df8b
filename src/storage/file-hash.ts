/**
 * SHA-256 of a file that comes in pieces: of the whole, to compare with what its publisher says, and of each block, so
 * that every later read of a part of it can be checked at the platform's own speed.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { sha256Hex } from '../hex.js';

export const blockBytes = 4 * 1024 * 1024;

export interface FileHashes {
  /** Of the whole file, as lower-case hex digits. */
  sha256: string;
  /** Of each block of `blockBytes`; the last one may be shorter. */
  blocks: string[];
}

export class FileHasher {
  readonly #whole = sha256.create();
  readonly #blocks: Promise<string>[] = [];
  #block = new Uint8Array(blockBytes);
  #filled = 0;

  update(bytes: Uint8Array): void {
    this.#whole.update(bytes);
    for (let start = 0; start < bytes.length; ) {
      const piece = bytes.subarray(start, start + blockBytes - this.#filled);
      this.#block.set(piece, this.#filled);
      this.#filled += piece.length;
      start += piece.length;
      if (this.#filled === blockBytes) this.#endBlock();
    }
  }

  /** Ends the hasher. */
  async finish(): Promise<FileHashes> {
    if (this.#filled > 0) this.#endBlock();
    return { sha256: bytesToHex(this.#whole.digest()), blocks: await Promise.all(this.#blocks) };
  }

  #endBlock(): void {
    // The digest takes a copy of its input at once, so that the buffer can be used again.
    this.#blocks.push(sha256Hex(this.#block.subarray(0, this.#filled)));
    this.#filled = 0;
  }
}

/** SHA-256 of a whole file, as lower-case hex digits; needs no secure context. */
export function hashBytes(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

/** A short name for a text, made of hex digits. */
export function hashText(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text))).slice(0, 40);
}
