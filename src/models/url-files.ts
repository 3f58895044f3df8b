/** A model's files below a URL, fetched anew each time; those that are kept are in `kept-files.ts`. */
import { VecinityError } from '../errors.js';
import { release } from '../release.js';
import { hashBytes } from '../storage/file-hash.js';
import { unknownVersion } from '../storage/file-store.js';
import { parseJson } from './content.js';
import { checkedPieces, foreignContent, problemOf } from './content-check.js';
import { type DownloadRequest, download } from './download.js';
import type { ModelFiles, ModelLocation, ReadOptions } from './files.js';
import { parseHubBase } from './hub.js';
import type { TreeEntry } from './hub-tree.js';
import { createReporter } from './progress.js';
import { openTransfer, type Transfer } from './transfer.js';

/** Fewer would cost more time than they save memory. */
const pieceBytes = 512 * 1024;

const nothingYet = { sizeBytes: 0, version: unknownVersion };

export class UrlFiles implements ModelFiles {
  readonly location: ModelLocation;
  readonly #fetch: typeof fetch;

  constructor(location: ModelLocation, fetchFile: typeof fetch) {
    this.location = location;
    this.#fetch = fetchFile;
  }

  async readJson(path: string, options: ReadOptions = {}): Promise<unknown> {
    const bytes = await this.readBytes(path, options);
    if (bytes === null) return null;
    const value = parseJson(bytes, path, this.location.base);
    release(bytes);
    return value;
  }

  /** Throws `model_file_invalid`, too, for what is not `expected`. */
  async readBytes(
    path: string,
    options: ReadOptions = {},
    expected: TreeEntry | null = null,
  ): Promise<Uint8Array | null> {
    const request = this.request(path, options);
    const bytes = await download(request);
    const problem = bytes && expected && problemOf(expected, bytes.length, hashBytes(bytes));
    if (problem) throw foreignContent(request, problem);
    return bytes;
  }

  async readRange(path: string, start: number, end: number, options: ReadOptions = {}): Promise<Uint8Array | null> {
    if (end <= start) return new Uint8Array(0);
    return await download({ ...this.request(path, options), range: { start, end } });
  }

  /** What is not `expected` errs at its end, with `model_file_invalid`. */
  async readStream(
    path: string,
    options: ReadOptions = {},
    expected: TreeEntry | null = null,
  ): Promise<ReadableStream<Uint8Array> | null> {
    const request = { ...this.request(path, options), pieceBytes };
    const transfer = await openTransfer(request, nothingYet);
    if (transfer === null) return null;
    const pieces = reportPieces(request, transfer);
    return toStream(expected ? checkedPieces(pieces, request, expected) : pieces);
  }

  /** What a download of the file takes. Throws `model_file_invalid` for a path that leads out of the model's own folder. */
  request(path: string, options: ReadOptions): DownloadRequest {
    const { base, headers } = this.location;
    // A hub says of what it does not have that it does not, so there a refusal is one.
    const witness = options.isOptional && parseHubBase(base) === null ? { witnessUrl: `${base}config.json` } : {};
    return { ...options, ...witness, url: this.#url(path), path, headers, fetch: this.#fetch };
  }

  #url(path: string): string {
    const base = this.location.base;
    const url = new URL(path, base);
    if (url.href.startsWith(base) && !path.includes('\\')) return url.href;
    throw new VecinityError('model_file_invalid', `The file name ${path} leads out of the model at ${base}.`);
  }
}

async function* reportPieces(
  { path, onProgress }: DownloadRequest,
  { pieces, version: { totalBytes } }: Transfer,
): Transfer['pieces'] {
  const reporter = createReporter(path, onProgress);
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    reporter.advance(length, totalBytes !== null && length <= totalBytes ? totalBytes : null);
    yield piece;
  }
  reporter.finish(length);
}

/** Pieces as a stream that reads only what is asked for; cancelling it ends them. */
export function toStream(pieces: AsyncGenerator<Uint8Array, void, void>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return();
      },
    },
    { highWaterMark: 0 },
  );
}
