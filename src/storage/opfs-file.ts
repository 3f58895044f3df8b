/** A committed file in the private file system: each block that is read is checked against the hash it was written with. */
import { sha256Hex } from '../hex.js';
import { blockBytes } from './file-hash.js';
import type { KeptFile } from './file-store.js';
import type { FileRecord } from './record.js';
import { DamagedFileError } from './storage-error.js';

export class OpfsFile implements KeptFile {
  readonly #file: Blob;
  readonly #record: FileRecord;

  constructor(file: Blob, record: FileRecord) {
    this.#file = file;
    this.#record = record;
  }

  get sizeBytes(): number {
    return this.#record.sizeBytes;
  }

  get isVerified(): boolean {
    return this.#record.isVerified;
  }

  async slice(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    const stop = Math.min(end, this.sizeBytes);
    const result = new Uint8Array(Math.max(0, stop - start));
    for (let block = Math.floor(start / blockBytes); block * blockBytes < stop; block++) {
      const bytes = await this.#readBlock(block);
      const at = block * blockBytes - start;
      result.set(bytes.subarray(Math.max(0, -at), stop - block * blockBytes), Math.max(0, at));
    }
    return result;
  }

  async #readBlock(block: number): Promise<Uint8Array<ArrayBuffer>> {
    const start = block * blockBytes;
    const bytes = await this.#file
      .slice(start, start + blockBytes)
      .arrayBuffer()
      .catch((cause: unknown) => {
        throw new DamagedFileError(`${this.#record.path} cannot be read any more`, { cause });
      });
    const view = new Uint8Array(bytes);
    if ((await sha256Hex(view)) === this.#record.blocks[block]) return view;
    throw new DamagedFileError(`${this.#record.path} was changed on the disk, at byte ${start} or later`);
  }
}
