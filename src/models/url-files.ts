/** A model's files below a URL: fetched, and kept in Cache Storage where the location asks for it. */
import { VecinityError } from '../errors.js';
import { type ModelCache, openModelCache } from '../storage/model-cache.js';
import { isHtml, parseJson } from './content.js';
import { type DownloadRequest, type DownloadStream, download, openDownload } from './download.js';
import type { ModelFiles, ModelLocation, OpenOptions, ReadOptions } from './files.js';
import { createReporter } from './progress.js';

export function openUrlFiles(location: ModelLocation, options: OpenOptions = {}): ModelFiles {
  return new UrlFiles(location, options.fetch ?? ((input, init) => fetch(input, init)));
}

class UrlFiles implements ModelFiles {
  readonly location: ModelLocation;
  readonly #fetch: typeof fetch;
  readonly #cache: Promise<ModelCache | null>;

  constructor(location: ModelLocation, fetchFile: typeof fetch) {
    this.location = location;
    this.#fetch = fetchFile;
    this.#cache = location.cache ? openModelCache() : Promise.resolve(null);
  }

  async readJson(path: string, options: ReadOptions = {}): Promise<unknown> {
    const url = this.#url(path);
    const bytes = await this.readBytes(path, options);
    if (bytes === null) return null;
    try {
      return parseJson(bytes, path, url);
    } catch (error) {
      if (!(await this.purge(path))) throw error;
    }
    const fresh = await this.readBytes(path, options);
    return fresh === null ? null : parseJson(fresh, path, url);
  }

  async readBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array | null> {
    const url = this.#url(path);
    const cache = await this.#cache;
    const kept = await cache?.read(url);
    if (kept) {
      const bytes = new Uint8Array(await kept.arrayBuffer());
      if (!isHtml(bytes, null)) {
        createReporter(path, options.onProgress).finish(bytes.length);
        return bytes;
      }
      await cache?.remove(url);
    }
    const bytes = await download(this.#request(path, options));
    // Only what was checked is kept, so that a page of HTML or half a file can never stay for ever.
    if (bytes !== null && this.#isSound(bytes, path)) await cache?.write(url, bytes, bytes.length);
    return bytes;
  }

  async readRange(path: string, start: number, end: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    const kept = await (await this.#cache)?.read(this.#url(path));
    if (kept) return new Uint8Array(await kept.slice(start, end).arrayBuffer());
    if (end <= start) return new Uint8Array(0);
    return download({ ...this.#request(path, options), range: { start, end } });
  }

  async readStream(path: string, options: ReadOptions = {}): Promise<ReadableStream<Uint8Array> | null> {
    const url = this.#url(path);
    const cache = await this.#cache;
    const kept = await cache?.read(url);
    if (kept) {
      createReporter(path, options.onProgress).finish(kept.size);
      return kept.stream();
    }
    const opened = await openDownload(this.#request(path, options));
    return opened && (cache ? keepWhileReading(cache, url, opened) : opened.body);
  }

  async purge(path: string): Promise<boolean> {
    return (await (await this.#cache)?.remove(this.#url(path))) ?? false;
  }

  #request(path: string, options: ReadOptions): DownloadRequest {
    return { ...options, url: this.#url(path), path, headers: this.location.headers, fetch: this.#fetch };
  }

  /** A path is a relative file name of the model: it may not lead out of the model's own folder. */
  #url(path: string): string {
    const base = this.location.base;
    const url = new URL(path, base);
    if (url.href.startsWith(base) && !path.includes('\\')) return url.href;
    throw new VecinityError('model_file_invalid', `The file name ${path} leads out of the model at ${base}.`);
  }

  #isSound(bytes: Uint8Array, path: string): boolean {
    if (!path.endsWith('.json')) return bytes.length > 0;
    try {
      parseJson(bytes, path, '');
      return true;
    } catch {
      return false;
    }
  }
}

/** Half a file, or one that is not what it should be, errs before its end, and then nothing is kept. */
function keepWhileReading(
  cache: ModelCache,
  url: string,
  { body, totalBytes }: DownloadStream,
): ReadableStream<Uint8Array> {
  if (totalBytes === null) return body; // A kept file is known to be whole by its length only.
  const [read, kept] = body.tee();
  void cache.write(url, kept, totalBytes);
  return read;
}
