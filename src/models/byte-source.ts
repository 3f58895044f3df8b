/** A large file's bytes front to back in exact counts, from a stream or from ranges. Knows nothing of what they mean. */
import { release } from '../release.js';
import type { ModelFiles, ReadOptions } from './files.js';

/** Bytes of one file from a position on, taken front to back. */
export interface ByteSource {
  skipTo(position: number): Promise<void>;
  /** Exactly `count` bytes, or null when the file ends before. */
  take(count: number): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** By one request where the file can be streamed, else by one a piece. */
export async function openBytes(files: ModelFiles, file: string, options: ReadOptions): Promise<ByteSource> {
  const stream = (await files.readStream?.(file, options)) ?? null;
  return stream === null ? new RangeSource(files, file, options) : new StreamSource(stream);
}

/** For files that can only be read by range: one request a chunk. */
class RangeSource implements ByteSource {
  readonly #files: ModelFiles;
  readonly #file: string;
  readonly #options: ReadOptions;
  #position = 0;

  constructor(files: ModelFiles, file: string, options: ReadOptions) {
    this.#files = files;
    this.#file = file;
    this.#options = options;
  }

  async skipTo(position: number): Promise<void> {
    this.#position = position;
  }

  async take(count: number): Promise<Uint8Array | null> {
    const start = this.#position;
    this.#position += count;
    const bytes = await this.#files.readRange(this.#file, start, start + count, this.#options);
    return bytes !== null && bytes.length === count ? bytes : null;
  }

  async close(): Promise<void> {}
}

/** For one download: pieces of any size come in, exact counts go out, through one buffer that is used again. */
export class StreamSource implements ByteSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #position = 0;
  #buffer = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async skipTo(position: number): Promise<void> {
    while (this.#position < position && (await this.#fill())) this.#cut(position - this.#position);
  }

  async take(count: number): Promise<Uint8Array | null> {
    if (this.#piece.length >= count) return this.#cut(count);
    // A fresh view's offset is 0, so that every element type can be read in place.
    if (this.#buffer.length < count) this.#buffer = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      if (!(await this.#fill())) return null;
      const part = this.#cut(count - filled);
      this.#buffer.set(part, filled);
      filled += part.length;
    }
    return this.#buffer.subarray(0, count);
  }

  async close(): Promise<void> {
    release(this.#buffer);
    await this.#reader.cancel();
  }

  async #fill(): Promise<boolean> {
    while (this.#piece.length === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return false;
      this.#piece = value;
    }
    return true;
  }

  #cut(count: number): Uint8Array {
    const part = this.#piece.subarray(0, count);
    this.#piece = this.#piece.subarray(part.length);
    this.#position += part.length;
    return part;
  }
}
