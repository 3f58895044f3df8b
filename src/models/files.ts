/** Where a model's files lie and how they are read. `ModelLocation` is plain data and crosses threads. */
import type { FileProgress } from '../backend/backend.js';

export interface ModelLocation {
  /** `url`: files are fetched below `baseUrl`; `folder`: files are read below a directory of the file system (Node only). */
  kind: 'url' | 'folder';
  /** A URL or directory with a trailing slash; a file's path is appended to it. */
  base: string;
  /** Sent with every fetch, for example the hub's token. */
  headers: Record<string, string>;
  /** True keeps fetched files in Cache Storage; a location on our own origin relies on the HTTP cache. */
  cache: boolean;
}

export interface ReadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: FileProgress) => void;
}

/** Reads one model's files. Null means "not there"; anything wrong with a file that is there throws. */
export interface ModelFiles {
  readonly location: ModelLocation;
  /** Throws `model_file_invalid` when the file is not JSON, for example a page of HTML. */
  readJson(path: string, options?: ReadOptions): Promise<unknown>;
  /** The whole file, or null when it does not exist. Throws `download_failed`, `model_file_invalid`. */
  readBytes(path: string, options?: ReadOptions): Promise<Uint8Array | null>;
  /** Bytes `start` (inclusive) to `end` (exclusive), or null when the file does not exist. */
  readRange(path: string, start: number, end: number, options?: ReadOptions): Promise<Uint8Array | null>;
  /** The whole file front to back, or null when it does not exist; for files too large to be held twice. */
  readStream?(path: string, options?: ReadOptions): Promise<ReadableStream<Uint8Array> | null>;
}
