/**
 * A model's files below a URL, kept in the browser's storage. A file that turns out to be damaged or gone is fetched
 * again in the middle of the read; where nothing can be kept, files are fetched as if there were no storage.
 */
import { VecinityError } from '../errors.js';
import type { FileStore, KeptFile } from '../storage/file-store.js';
import { openFileStore } from '../storage/open-store.js';
import { DamagedFileError, StorageError } from '../storage/storage-error.js';
import { parseJson } from './content.js';
import type { ModelFiles, ModelLocation, ReadOptions } from './files.js';
import { withFreshFiles } from './fresh-files.js';
import type { HubTree, TreeEntry } from './hub-tree.js';
import { fetchFileList } from './manifest.js';
import { asDefect, obtain, WithheldError } from './obtain.js';
import { isText } from './transfer.js';
import { toStream, UrlFiles } from './url-files.js';

/** Bytes of one step of a stream: as many as the store checks at once. */
const stepBytes = 4 * 1024 * 1024;

export class KeptFiles implements ModelFiles {
  readonly location: ModelLocation;
  readonly #fetch: typeof fetch;
  /** Reads without keeping. */
  readonly #direct: UrlFiles;
  readonly #store: Promise<FileStore | null>;
  #list: Promise<HubTree | null> | null = null;
  /** Files that are being read; one that fails is looked for anew. */
  readonly #opened = new Map<string, KeptFile>();
  /** Files that their reader could not use: what came from a cache of the browser's would come from there again. */
  readonly #refused = new Set<string>();

  constructor(location: ModelLocation, fetchFile: typeof fetch) {
    this.location = location;
    this.#fetch = fetchFile;
    this.#direct = new UrlFiles(location, fetchFile);
    this.#store = openFileStore();
  }

  /** What is not JSON is not kept, and fetched once more when it was. */
  async readJson(path: string, options: ReadOptions = {}): Promise<unknown> {
    return await withFreshFiles(
      this,
      () => [path],
      async () => {
        const bytes = await this.readBytes(path, options);
        return bytes === null ? null : parseJson(bytes, path, this.location.base);
      },
    );
  }

  async readBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array | null> {
    return await this.#read(path, options, {
      kept: (file) => file.slice(0, file.sizeBytes),
      direct: () => this.#withoutStore(path, options, (expected) => this.#direct.readBytes(path, options, expected)),
    });
  }

  async readRange(path: string, start: number, end: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    if (end <= start) return new Uint8Array(0);
    return await this.#read(path, options, {
      kept: (file) => file.slice(start, end),
      direct: () => this.#direct.readRange(path, start, end, options),
    });
  }

  async readStream(path: string, options: ReadOptions = {}): Promise<ReadableStream<Uint8Array> | null> {
    return await this.#read(path, options, {
      kept: async (file) => toStream(this.#steps(path, file.sizeBytes, options)),
      direct: () => this.#withoutStore(path, options, (expected) => this.#direct.readStream(path, options, expected)),
    });
  }

  async sizeOf(path: string, options: ReadOptions = {}): Promise<number | null> {
    // What is kept is its own witness: a start without the network must not wait for a list of files.
    const known = (await this.#kept(path)) ?? (await this.#expected(path, options, false));
    return known?.sizeBytes ?? null;
  }

  async purge(path: string): Promise<boolean> {
    if (this.#opened.get(path)?.isVerified) return false;
    this.#refused.add(path);
    return await this.#drop(path);
  }

  async #kept(path: string): Promise<KeptFile | null> {
    const store = await this.#store;
    return this.#opened.get(path) ?? (await store?.read(this.#direct.request(path, {}).url)) ?? null;
  }

  async #drop(path: string): Promise<boolean> {
    this.#opened.delete(path);
    return (await (await this.#store)?.remove(this.#direct.request(path, {}).url)) ?? false;
  }

  async *#steps(path: string, sizeBytes: number, options: ReadOptions): AsyncGenerator<Uint8Array, void, void> {
    for (let start = 0; start < sizeBytes; start += stepBytes) {
      const bytes = await this.readRange(path, start, start + stepBytes, options);
      if (bytes?.length !== Math.min(stepBytes, sizeBytes - start)) throw changed(path, this.location);
      yield bytes;
    }
  }

  /** Reads from the kept file, which is fetched first when it is not there, and once more when it is damaged. */
  async #read<Result>(
    path: string,
    options: ReadOptions,
    read: { kept: (file: KeptFile) => Promise<Result>; direct: () => Promise<Result | null> },
  ): Promise<Result | null> {
    try {
      for (let isLast = false; ; isLast = true) {
        const file = await this.#obtain(path, options);
        if (file === null) return null;
        try {
          return await read.kept(file);
        } catch (error) {
          if (!(error instanceof DamagedFileError)) throw error;
          if (isLast) throw new StorageError('unavailable', error);
          await this.#drop(path);
        }
      }
    } catch (error) {
      // Storage is a convenience: a file that cannot be kept is used all the same.
      if (error instanceof StorageError) return await read.direct();
      throw error;
    }
  }

  /** What is not kept is judged by the same list as what is. */
  async #withoutStore<Result>(
    path: string,
    options: ReadOptions,
    read: (expected: TreeEntry | null) => Promise<Result | null>,
  ): Promise<Result | null> {
    // A hub has no hashes of small texts, of which there are many.
    const expected = await this.#expected(path, options, !isText(path));
    const result = await read(expected).catch((error: unknown) => {
      throw expected ? asDefect(error) : error;
    });
    if (result === null && expected) throw new WithheldError(this.#direct.request(path, {}).url);
    return result;
  }

  async #obtain(path: string, options: ReadOptions): Promise<KeptFile | null> {
    const opened = this.#opened.get(path);
    if (opened) return opened;
    const request = { ...this.#direct.request(path, options), isFresh: this.#refused.has(path) };
    const store = await this.#store;
    if (store === null) throw new StorageError('unavailable');
    const { base, storageFull = 'error' } = this.location;
    const expected = (again: boolean) => this.#expected(path, options, again);
    const file = await obtain({ store, base, request, storageFull, expected });
    if (file) this.#opened.set(path, file);
    return file;
  }

  /** The first file says whether there is a model at all; a list of files would be asked for in vain. */
  async #expected(path: string, { signal }: ReadOptions, again: boolean) {
    if (path === 'config.json') return null;
    const ask = () => fetchFileList(this.location, { fetch: this.#fetch, ...(signal ? { signal } : {}) });
    this.#list = again && this.#list ? this.#list.catch(ask) : (this.#list ?? ask());
    // Without a list a file is judged by its length and kind.
    const list = await this.#list.catch(() => null);
    return list?.get(path) ?? null;
  }
}

function changed(path: string, { base }: ModelLocation): VecinityError {
  return new VecinityError(
    'model_file_invalid',
    `The file ${path} at ${base} was damaged while it was read, and the server has another version of it now.`,
  );
}
