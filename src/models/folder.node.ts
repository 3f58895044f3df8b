/** A model's files in a directory of the file system (Node, Bun, Deno). */
import { type FileHandle, open } from 'node:fs/promises';
import { isAbsolute, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { abortError, VecinityError } from '../errors.js';
import {
  htmlError,
  isHtml,
  isPointer,
  maxBytesOf,
  parseJson,
  pointerError,
  sniffedBytes,
  tooLargeError,
} from './content.js';
import type { ModelFiles, ModelLocation, ReadOptions } from './files.js';

/** Read in pieces, because Node reads no file of more than 2 GiB at once and an abort must be seen. */
const chunkBytes = 16 * 1024 * 1024;

/** Opens a location of kind `folder`; its base is a path or a `file:` URL. Give it to `setFolderOpener`. */
export function openFolder(location: ModelLocation): ModelFiles {
  return new FolderFiles(location);
}

class FolderFiles implements ModelFiles {
  readonly location: ModelLocation;
  readonly #root: string;

  constructor(location: ModelLocation) {
    this.location = location;
    this.#root = location.base.startsWith('file:') ? fileURLToPath(location.base) : location.base;
  }

  async readJson(path: string, options: ReadOptions = {}): Promise<unknown> {
    const bytes = await this.readBytes(path, options);
    return bytes === null ? null : parseJson(bytes, path, this.location.base);
  }

  async readBytes(path: string, options: ReadOptions = {}): Promise<Uint8Array | null> {
    // One byte more than allowed is enough to see that it is too large.
    const bytes = await this.#read(path, { start: 0, end: maxBytesOf(path) + 1 }, options);
    if (bytes && bytes.length > maxBytesOf(path)) throw tooLargeError(path, this.location.base);
    return bytes;
  }

  readRange(path: string, start: number, end: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    return this.#read(path, { start, end }, options);
  }

  async #read(
    path: string,
    range: { start: number; end: number },
    options: ReadOptions,
  ): Promise<Uint8Array<ArrayBuffer> | null> {
    const handle = await openFile(this.#resolve(path));
    if (!handle) return null;
    try {
      if (range.start === 0) await this.#checkStart(handle, path);
      return await readBetween(handle, path, range, options);
    } finally {
      await handle.close();
    }
  }

  /** Few bytes may be asked for, so what tells is read beside them. */
  async #checkStart(handle: FileHandle, path: string): Promise<void> {
    const start = new Uint8Array(sniffedBytes);
    const { bytesRead } = await handle.read(start, 0, sniffedBytes, 0);
    const bytes = start.subarray(0, bytesRead);
    if (isHtml(bytes, null)) throw htmlError(path, this.location.base);
    if (isPointer(bytes)) throw pointerError(path, this.location.base);
  }

  #resolve(path: string): string {
    const relative = normalize(path);
    const leadsOut = isAbsolute(relative) || relative === '..' || relative.startsWith(`..${sep}`);
    if (!leadsOut && !path.includes('\0') && !path.includes('\\')) return join(this.#root, relative);
    throw new VecinityError('model_file_invalid', `The file name ${path} leads out of the model at ${this.#root}.`);
  }
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    const handle = await open(path, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return null;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : null;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new VecinityError('download_failed', `The file ${path} could not be read: ${String(code ?? cause)}.`, {
      cause,
    });
  }
}

async function readBetween(
  handle: FileHandle,
  path: string,
  range: { start: number; end: number },
  { signal, onProgress }: ReadOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await handle.stat();
  const length = Math.max(0, Math.min(range.end, size) - range.start);
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    if (signal?.aborted) throw abortError(signal);
    const count = Math.min(chunkBytes, length - done);
    const { bytesRead } = await handle.read(bytes, done, count, range.start + done);
    if (bytesRead === 0) {
      throw new VecinityError('model_file_invalid', `The file ${path} became shorter while it was read.`);
    }
    done += bytesRead;
  }
  // Nothing is fetched: the whole file is there, whichever part of it was asked for.
  onProgress?.({ file: path, loadedBytes: size, totalBytes: size, resumedBytes: size });
  return bytes;
}
