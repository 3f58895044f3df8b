/**
 * Files in Cache Storage, where the private file system is absent. It cannot hold half a file: a download is held in
 * memory until it is whole, and one that breaks for good starts from the beginning the next time.
 */
import { FileHasher } from './file-hash.js';
import {
  type FileName,
  type FilePart,
  type FileStore,
  type KeptFile,
  type PartVersion,
  type StoredFile,
  unknownVersion,
} from './file-store.js';
import { DamagedFileError, storing } from './storage-error.js';

const cacheName = 'vecinity-models-v1';
const lengthHeader = 'x-vecinity-bytes';
const baseHeader = 'x-vecinity-base';

/** Null where Cache Storage is absent (Node, plain http) or denied (private windows). */
export async function openCacheStore(storage: CacheStorage | undefined = globalThis.caches): Promise<FileStore | null> {
  try {
    const cache = await storage?.open(cacheName);
    return cache ? new CacheStore(cache) : null;
  } catch {
    return null;
  }
}

class CacheStore implements FileStore {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async read(url: string): Promise<KeptFile | null> {
    try {
      const response = await this.#cache.match(url);
      if (!response) return null;
      const blob = await response.blob();
      if (String(blob.size) === response.headers.get(lengthHeader)) return new CachedFile(blob, url);
      await this.#cache.delete(url);
      return null;
    } catch {
      // Browsers may evict or lock storage at any time; the file is fetched again.
      return null;
    }
  }

  async openPart(name: FileName): Promise<FilePart> {
    return new MemoryPart((bytes) => {
      const headers = { [lengthHeader]: String(bytes.size), [baseHeader]: name.base };
      return this.#cache.put(name.url, new Response(bytes, { headers }));
    });
  }

  async remove(url: string): Promise<boolean> {
    try {
      return await this.#cache.delete(url);
    } catch {
      return false;
    }
  }

  async list(): Promise<StoredFile[]> {
    const files: StoredFile[] = [];
    for (const { url } of await this.#cache.keys()) {
      const headers = (await this.#cache.match(url))?.headers;
      const base = headers?.get(baseHeader) ?? new URL('.', url).href;
      const sizeBytes = Number(headers?.get(lengthHeader) ?? 0);
      files.push({ url, base, path: url.slice(base.length), sizeBytes, lastUsedMs: 0, complete: true });
    }
    return files;
  }
}

class CachedFile implements KeptFile {
  /** What was right when it was written is not looked at again when it is read. */
  readonly isVerified = false;
  readonly #blob: Blob;
  readonly #url: string;

  constructor(blob: Blob, url: string) {
    this.#blob = blob;
    this.#url = url;
  }

  get sizeBytes(): number {
    return this.#blob.size;
  }

  async slice(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
    } catch (cause) {
      throw new DamagedFileError(`${this.#url} cannot be read any more`, { cause });
    }
  }
}

class MemoryPart implements FilePart {
  readonly #keep: (bytes: Blob) => Promise<void>;
  #pieces: Uint8Array<ArrayBuffer>[] = [];
  #hasher = new FileHasher();
  sizeBytes = 0;
  version: PartVersion = unknownVersion;

  constructor(keep: (bytes: Blob) => Promise<void>) {
    this.#keep = keep;
  }

  async restart(version: PartVersion): Promise<void> {
    this.#pieces = [];
    this.#hasher = new FileHasher();
    this.sizeBytes = 0;
    this.version = version;
  }

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#pieces.push(bytes);
    this.#hasher.update(bytes);
    this.sizeBytes += bytes.length;
  }

  async digest(): Promise<string> {
    return (await this.#hasher.finish()).sha256;
  }

  async commit(): Promise<void> {
    await storing(() => this.#keep(new Blob(this.#pieces)));
  }

  close(): void {
    this.#pieces = [];
  }
}
