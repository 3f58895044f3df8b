/**
 * Files in the origin's private file system: a folder for each URL with `data`, `part.json` while it is downloaded,
 * `record.json` once it is committed (written once, never changed) and `used`, whose date is the last read.
 * Needs the synchronous handles that only dedicated workers have: their writes stay when the worker is terminated.
 */
import { hashText } from './file-hash.js';
import type { FileName, FilePart, FileStore, KeptFile, StoredFile } from './file-store.js';
import { OpfsFile } from './opfs-file.js';
import { OpfsPart } from './opfs-part.js';
import { type FileRecord, parsePartRecord, parseRecord } from './record.js';
import { hasName, storing } from './storage-error.js';
import { parseJson, readText, writeText } from './sync-file.js';

const folderName = 'vecinity-files-v1';

/** Null where there is no such file system, or none that this thread may write synchronously. */
export async function openOpfsStore(
  storage: StorageManager | undefined = globalThis.navigator?.storage,
): Promise<FileStore | null> {
  try {
    if (!storage?.getDirectory) return null;
    const root = await storage.getDirectory();
    const folder = await root.getDirectoryHandle(folderName, { create: true });
    const store = new OpfsStore(storage);
    return (await store.probe(folder)) ? store : null;
  } catch {
    return null;
  }
}

class OpfsStore implements FileStore {
  readonly #storage: StorageManager;

  constructor(storage: StorageManager) {
    this.#storage = storage;
  }

  /**
   * Whether files can be written here; private windows and pages have the folders without that. A full disk has no room
   * even for an empty file: what it holds must be read and deleted all the same.
   */
  async probe(folder: FileSystemDirectoryHandle): Promise<boolean> {
    const name = `probe-${crypto.randomUUID()}`;
    try {
      await writeText(folder, name, '');
    } catch (error) {
      if (!hasName(error, 'QuotaExceededError')) throw error;
    } finally {
      // The file may be there although nothing could be written into it.
      await folder.removeEntry(name).catch(() => {});
    }
    return true;
  }

  async read(url: string): Promise<KeptFile | null> {
    try {
      const folder = await (await this.#root()).getDirectoryHandle(hashText(url));
      const record = await readRecord(folder);
      if (record === null) return null;
      const file = await dataOf(folder);
      if (file.size !== record.sizeBytes) {
        await this.remove(url);
        return null;
      }
      await touch(folder);
      return new OpfsFile(file, record);
    } catch {
      // Browsers may evict or lock storage at any time; the file is fetched again.
      return null;
    }
  }

  openPart(name: FileName): Promise<FilePart> {
    return storing(async () => {
      const folder = await (await this.#root()).getDirectoryHandle(hashText(name.url), { create: true });
      return await OpfsPart.open(folder, name);
    });
  }

  async remove(url: string): Promise<boolean> {
    try {
      await (await this.#root()).removeEntry(hashText(url), { recursive: true });
      return true;
    } catch {
      return false;
    }
  }

  async list(): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for await (const folder of (await this.#root()).values()) {
      // The cast is safe: the compiler's library has one type for both kinds of entries.
      if (folder.kind === 'directory') files.push(...(await describe(folder as FileSystemDirectoryHandle)));
    }
    return files;
  }

  /** Asked for each time: after the user has cleared the site's data an old handle leads nowhere. */
  async #root(): Promise<FileSystemDirectoryHandle> {
    return await (await this.#storage.getDirectory()).getDirectoryHandle(folderName, { create: true });
  }
}

async function readRecord(folder: FileSystemDirectoryHandle): Promise<FileRecord | null> {
  return parseRecord(parseJson(await readText(folder, 'record.json')));
}

async function dataOf(folder: FileSystemDirectoryHandle): Promise<File> {
  return await (await folder.getFileHandle('data')).getFile();
}

/** Two tabs may read at once: it matters only that one of them notes it. */
async function touch(folder: FileSystemDirectoryHandle): Promise<void> {
  await writeText(folder, 'used', String(Date.now())).catch(() => {});
}

/** 0 for what is no time of a clock. */
function parseTime(text: string | null): number {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

/** One entry, or none for a folder that is being made or removed. */
async function describe(folder: FileSystemDirectoryHandle): Promise<StoredFile[]> {
  try {
    const record = await readRecord(folder);
    const name = record ?? parsePartRecord(parseJson(await readText(folder, 'part.json')));
    if (name === null) return [];
    const { url, base, path } = name;
    const lastUsedMs = parseTime(await readText(folder, 'used'));
    return [{ url, base, path, sizeBytes: (await dataOf(folder)).size, lastUsedMs, complete: record !== null }];
  } catch {
    return [];
  }
}
