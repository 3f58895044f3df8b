/**
 * Downloaded model files in Cache Storage, by URL. A convenience, never a need: where there is no storage, or it is
 * full, or it is taken away, reads find nothing and writes say so. Revisions are part of the URL; what a moving
 * revision such as `main` points to stays as it was first fetched until it is removed.
 */

const cacheName = 'vecinity-models-v1';
const lengthHeader = 'x-vecinity-bytes';

export type CacheableBody = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;

export interface ModelCache {
  /** The kept file, or null when there is none or it is not as long as it was when written. */
  read(url: string): Promise<Blob | null>;
  /** False when it could not be kept, because the quota is used up or the stream erred; never rejects. */
  write(url: string, body: CacheableBody, sizeBytes: number): Promise<boolean>;
  /** False when there was nothing to remove. */
  remove(url: string): Promise<boolean>;
}

/** Null where Cache Storage is absent (Node, plain http) or denied (private windows). */
export async function openModelCache(
  storage: CacheStorage | undefined = globalThis.caches,
): Promise<ModelCache | null> {
  try {
    const cache = await storage?.open(cacheName);
    return cache ? new CacheStorageModelCache(cache) : null;
  } catch {
    return null;
  }
}

class CacheStorageModelCache implements ModelCache {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  async read(url: string): Promise<Blob | null> {
    try {
      const response = await this.#cache.match(url);
      if (!response) return null;
      const blob = await response.blob();
      if (String(blob.size) === response.headers.get(lengthHeader)) return blob;
      await this.#cache.delete(url);
      return null;
    } catch {
      // Browsers may evict or lock storage at any time; the file is fetched again.
      return null;
    }
  }

  async write(url: string, body: CacheableBody, sizeBytes: number): Promise<boolean> {
    try {
      await this.#cache.put(url, new Response(body, { headers: { [lengthHeader]: String(sizeBytes) } }));
      return true;
    } catch {
      await this.remove(url);
      return false;
    }
  }

  async remove(url: string): Promise<boolean> {
    try {
      return await this.#cache.delete(url);
    } catch {
      return false;
    }
  }
}
