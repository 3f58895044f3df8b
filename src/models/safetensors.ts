/**
 * Safetensors files in hub layout: one `model.safetensors` or shards named by `model.safetensors.index.json`. Owns
 * opening, listing and reading tensors by range or in file order; the header's rules are in `safetensors-header.ts`, the
 * values' types in `tensor-data.ts`, writing in `safetensors-writer.ts`. What a tensor means is its reader's business.
 */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';
import { type ByteSource, openBytes, StreamSource } from './byte-source.js';
import type { ModelFiles, ReadOptions } from './files.js';
import { withFreshFiles } from './fresh-files.js';
import { isRefusal, mayBeAbsent, readOptionalJson } from './optional-files.js';
import { brief, maxHeaderBytes, parseSafetensorsHeader, type TensorInfo, unreadable } from './safetensors-header.js';
import { decodeTensor, type TensorData } from './tensor-data.js';

const singleFile = 'model.safetensors';
const indexFile = 'model.safetensors.index.json';
const lengthBytes = 8;
const defaultChunkBytes = 4 * 1024 * 1024;

/** Some whole rows of one tensor: rows `row` to `row + rows`, a row being everything after the first dimension. */
export interface TensorChunk {
  tensor: TensorInfo;
  row: number;
  rows: number;
  /** Little-endian values as they are in the file; valid until the next chunk is asked for. */
  bytes: Uint8Array;
}

export interface StreamOptions extends ReadOptions {
  /** Only these tensors are read; all when left out. */
  select?: (tensor: TensorInfo) => boolean;
  /** Bytes of one chunk at most, unless one row is larger; 4 MiB when left out. */
  chunkBytes?: number;
}

/**
 * Opens the weights of a model, or returns null when it has none in this format. Reads headers only.
 * Throws `model_file_invalid` for a broken header or index, `model_file_missing` for a shard that is not there.
 */
export async function openSafetensors(files: ModelFiles, options: ReadOptions = {}): Promise<Safetensors | null> {
  return await openEither(files, options, async () => {
    const header = await readFreshHeader(files, singleFile, options);
    return header && new Safetensors(files, [header]);
  });
}

/**
 * Like `openSafetensors`, for who goes on to `stream` the tensors: a single file is asked for once, its header being the
 * beginning of that stream. `close` ends it where it is not streamed after all.
 */
export async function openSafetensorsStream(files: ModelFiles, options: ReadOptions = {}): Promise<Safetensors | null> {
  if (!files.readStream) return await openSafetensors(files, options);
  const paths = () => [singleFile];
  return await openEither(files, options, () => withFreshFiles(files, paths, () => openStreamed(files, options)));
}

/** The single file, else shards; where there are none either, the reason why the single file could not be had. */
async function openEither(
  files: ModelFiles,
  options: ReadOptions,
  openSingle: () => Promise<Safetensors | null>,
): Promise<Safetensors | null> {
  let denial: unknown = null;
  const single = await openSingle().catch((error: unknown) => {
    if (!mayBeAbsent(error)) throw error;
    denial = error;
    return null;
  });
  if (single) return single;
  const index = await readOptionalJson(files, indexFile, options).catch((error: unknown) => {
    throw isRefusal(error) ? (denial ?? error) : error;
  });
  if (index !== null && index !== undefined) return await openShards(files, index, options);
  if (denial !== null) throw denial;
  return null;
}

async function openStreamed(files: ModelFiles, options: ReadOptions): Promise<Safetensors | null> {
  const stream = await files.readStream?.(singleFile, options);
  if (!stream) return null;
  const source = new StreamSource(stream);
  try {
    const read = async (start: number, end: number) => (await source.take(end - start)) ?? new Uint8Array(0);
    const header = await readHeader(singleFile, read);
    return header && new Safetensors(files, [header], source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openShards(files: ModelFiles, index: unknown, options: ReadOptions): Promise<Safetensors> {
  const headers: FileHeader[] = [];
  const shards = shardsOf(index);
  for (const file of shards) announce(file, (await files.sizeOf?.(file, options)) ?? null, options);
  for (const file of shards) {
    const header = await readFreshHeader(files, file, options);
    if (header === null) {
      throw new VecinityError('model_file_missing', `The weight file ${file}, named by ${indexFile}, does not exist.`);
    }
    // Where a header does not cost the whole file, it tells how long that is.
    if (!files.sizeOf) announce(file, Math.max(0, ...header.tensors.map(({ end }) => end)), options);
    headers.push(header);
  }
  return new Safetensors(files, headers);
}

/** Says of every shard that it will be read, so that the total is that of all of them before the first one moves. */
function announce(file: string, totalBytes: number | null, { onProgress }: ReadOptions): void {
  onProgress?.({ file, loadedBytes: 0, totalBytes });
}

/** The weights of one model: what tensors there are, and their values on demand. */
export class Safetensors {
  /** By name, in file order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #files: ModelFiles;
  /** The only file, read up to its first tensor; null where files are opened by `stream`. */
  #source: ByteSource | null;

  constructor(files: ModelFiles, headers: readonly FileHeader[], source: ByteSource | null = null) {
    this.#files = files;
    this.#source = source;
    this.metadata = Object.assign({}, ...headers.map((header) => header.metadata));
    const tensors = new Map<string, TensorInfo>();
    for (const tensor of headers.flatMap((header) => header.tensors)) {
      const other = tensors.get(tensor.name);
      if (other !== undefined) {
        throw unreadable(tensor.file, `tensor "${tensor.name}" is also in ${other.file}`);
      }
      tensors.set(tensor.name, tensor);
    }
    this.tensors = tensors;
  }

  /** The files that hold tensors. */
  get files(): string[] {
    return [...new Set([...this.tensors.values()].map(({ file }) => file))];
  }

  /** Bytes of all tensors together. */
  get sizeBytes(): number {
    let sum = 0;
    for (const tensor of this.tensors.values()) sum += tensor.end - tensor.start;
    return sum;
  }

  /** Reads one tensor by range. Throws `model_file_invalid` for a name that is not there or a file that ends too soon. */
  async read(name: string, options: ReadOptions = {}): Promise<TensorData> {
    const tensor = this.tensors.get(name);
    if (tensor === undefined) throw unreadable(singleFile, `tensor "${name}" is missing`);
    if (tensor.end === tensor.start) return decodeTensor(tensor, new Uint8Array(0));
    const bytes = await this.#files.readRange(tensor.file, tensor.start, tensor.end, options);
    if (bytes === null || bytes.length !== tensor.end - tensor.start) throw endsTooSoon(tensor);
    return decodeTensor(tensor, bytes);
  }

  /**
   * All selected tensors in file order as chunks of whole rows. Each file is read once from front to back, and no
   * more than a chunk and the piece that the source hands over is held.
   */
  async *stream(options: StreamOptions = {}): AsyncGenerator<TensorChunk, void, void> {
    const selected = [...this.tensors.values()].filter(options.select ?? (() => true));
    for (const file of new Set(selected.map((tensor) => tensor.file))) {
      const bytes = this.#source ?? (await openBytes(this.#files, file, options));
      this.#source = null;
      try {
        for (const tensor of selected) {
          if (tensor.file === file) yield* tensorChunks(tensor, bytes, options.chunkBytes ?? defaultChunkBytes);
        }
        if (selected.includes(lastOf(this.tensors, file)) && (await bytes.take(1)) !== null) throw goesOn(file);
      } finally {
        await bytes.close();
      }
    }
  }

  /** Ends what was opened and is not streamed. */
  async close(): Promise<void> {
    const source = this.#source;
    this.#source = null;
    await source?.close();
  }
}

interface FileHeader {
  tensors: TensorInfo[];
  metadata: Record<string, string>;
}

async function readFreshHeader(files: ModelFiles, file: string, options: ReadOptions): Promise<FileHeader | null> {
  return await withFreshFiles(
    files,
    () => [file],
    () => readHeader(file, (start, end) => files.readRange(file, start, end, options)),
  );
}

/** `read` gives null for a file that is not there, and fewer bytes of one that ends too soon. */
async function readHeader(
  file: string,
  read: (start: number, end: number) => Promise<Uint8Array | null>,
): Promise<FileHeader | null> {
  const prefix = await read(0, lengthBytes);
  if (prefix === null) return null;
  if (prefix.length !== lengthBytes)
    throw unreadable(file, `it has ${prefix.length} bytes, not even a header's length`);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, lengthBytes).getBigUint64(0, true));
  if (length < 2 || length > maxHeaderBytes) {
    throw unreadable(file, `its header would have ${length} bytes; 2 to ${maxHeaderBytes} are allowed`);
  }
  const header = await read(lengthBytes, lengthBytes + length);
  if (header === null || header.length !== length)
    throw unreadable(file, `it ends inside its header of ${length} bytes`);
  return parseSafetensorsHeader(header, file);
}

function shardsOf(index: unknown): string[] {
  const map = isObject(index) ? index.weight_map : null;
  if (!isObject(map)) throw unreadable(indexFile, 'it has no object "weight_map"');
  const shards = new Set<string>();
  for (const [name, file] of Object.entries(map)) {
    // A shard is a plain name beside the index: a path or URL could read from anywhere.
    if (typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file)) {
      throw unreadable(indexFile, `${brief(name)} is in ${brief(file)}; a file name ending in .safetensors is allowed`);
    }
    shards.add(file);
  }
  return [...shards].sort();
}

async function* tensorChunks(tensor: TensorInfo, bytes: ByteSource, chunkBytes: number): AsyncGenerator<TensorChunk> {
  const rows = tensor.shape[0] ?? 1;
  const size = tensor.end - tensor.start;
  const rowBytes = rows === 0 ? 0 : size / rows;
  await bytes.skipTo(tensor.start);
  if (size === 0) {
    yield { tensor, row: 0, rows, bytes: new Uint8Array(0) };
    return;
  }
  const step = Math.max(1, Math.floor(chunkBytes / rowBytes));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    const chunk = await bytes.take(count * rowBytes);
    if (chunk === null) throw endsTooSoon(tensor);
    yield { tensor, row, rows: count, bytes: chunk };
  }
}

/** The tensor of a file that ends where the file must end. */
function lastOf(tensors: ReadonlyMap<string, TensorInfo>, file: string): TensorInfo {
  // A file that was asked for has tensors.
  return [...tensors.values()].filter((tensor) => tensor.file === file).at(-1) as TensorInfo;
}

function goesOn(file: string): VecinityError {
  return unreadable(file, 'it goes on after its last tensor');
}

function endsTooSoon(tensor: TensorInfo): VecinityError {
  return unreadable(tensor.file, `it ends before tensor "${tensor.name}" (bytes ${tensor.start} to ${tensor.end})`);
}
