/** A file that is being downloaded into the private file system; what was appended is there again after a crash. */
import { pause } from '../pause.js';
import { blockBytes, FileHasher, type FileHashes } from './file-hash.js';
import { type FileName, type FilePart, type PartVersion, unknownVersion } from './file-store.js';
import { type FileRecord, type PartRecord, parsePartRecord } from './record.js';
import { hasName, storing } from './storage-error.js';
import { openSync, parseJson, readText, type SyncFile, writeAll, writeText } from './sync-file.js';

/** Waits for an earlier writer that is about to end: two seconds in all. */
const freeDelaysMs = [10, 40, 150, 600, 1_200];

export class OpfsPart implements FilePart {
  readonly #folder: FileSystemDirectoryHandle;
  readonly #name: FileName;
  readonly #data: SyncFile;
  #version: PartVersion;
  #hasher = new FileHasher();
  #hashes: FileHashes | null = null;
  #sizeBytes = 0;

  /** Opens what is there of the file. Throws when another tab goes on writing it. */
  static async open(folder: FileSystemDirectoryHandle, name: FileName): Promise<OpfsPart> {
    const data = await openFree(folder);
    try {
      const known = parsePartRecord(parseJson(await readText(folder, 'part.json')));
      const part = new OpfsPart(folder, name, data, known ?? unknownVersion);
      if (known === null) data.truncate(0);
      else part.#hashAgain();
      return part;
    } catch (error) {
      data.close();
      throw error;
    }
  }

  private constructor(folder: FileSystemDirectoryHandle, name: FileName, data: SyncFile, version: PartVersion) {
    this.#folder = folder;
    this.#name = name;
    this.#data = data;
    this.#version = { etag: version.etag, totalBytes: version.totalBytes };
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get version(): PartVersion {
    return this.#version;
  }

  restart(version: PartVersion): Promise<void> {
    return storing(async () => {
      this.#data.truncate(0);
      this.#sizeBytes = 0;
      this.#hasher = new FileHasher();
      this.#hashes = null;
      this.#version = version;
      const record: PartRecord = { ...this.#name, ...version };
      await writeText(this.#folder, 'part.json', JSON.stringify(record));
    });
  }

  append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return storing(() => {
      writeAll(this.#data, bytes, this.#sizeBytes);
      this.#sizeBytes += bytes.length;
      this.#hasher.update(bytes);
    });
  }

  async digest(): Promise<string> {
    this.#hashes ??= await this.#hasher.finish();
    return this.#hashes.sha256;
  }

  async commit(isVerified: boolean): Promise<void> {
    await this.digest();
    // The data is on the disk before the record says so.
    await storing(async () => {
      this.#data.flush();
      const record = { ...this.#name, sizeBytes: this.#sizeBytes, isVerified, ...this.#hashes } as FileRecord;
      await writeText(this.#folder, 'record.json', JSON.stringify(record));
      await this.#folder.removeEntry('part.json');
    });
  }

  close(): void {
    this.#data.close();
  }

  /** What is there already belongs to the hash too. */
  #hashAgain(): void {
    const buffer = new Uint8Array(blockBytes);
    const sizeBytes = this.#data.getSize();
    while (this.#sizeBytes < sizeBytes) {
      const count = this.#data.read(buffer, { at: this.#sizeBytes });
      if (count === 0) break;
      this.#hasher.update(buffer.subarray(0, count));
      this.#sizeBytes += count;
    }
  }
}

/** The worker of a page that was reloaded or closed has the file a moment longer than it has its lock. */
async function openFree(folder: FileSystemDirectoryHandle): Promise<SyncFile> {
  for (const delayMs of freeDelaysMs) {
    try {
      return await openSync(folder, 'data');
    } catch (error) {
      if (!hasName(error, 'NoModificationAllowedError')) throw error;
      await pause(delayMs);
    }
  }
  return await openSync(folder, 'data');
}
