/**
 * The contract of a model's files: where they lie and how they are read. `ModelLocation` is plain data and crosses
 * threads; what opens one is in `open-files.ts`.
 */
import type { FileProgress } from './progress.js';

export interface ModelLocation {
  /** `url`: files are fetched below `baseUrl`; `folder`: files are read below a directory of the file system (Node only). */
  kind: 'url' | 'folder';
  /** A URL or directory with a trailing slash; a file's path is appended to it. */
  base: string;
  /** Sent with every fetch, for example the hub's token. */
  headers: Record<string, string>;
  /**
   * True keeps fetched files in the browser's storage. A location on our own origin relies on the HTTP cache: its files
   * may be replaced under the same address with the next deployment, which only the server can tell.
   */
  cache: boolean;
  /** What to do about a file that does not fit into the storage; left out: `error`. */
  storageFull?: StorageFull;
  /** A second place, of the same kind, that has the ONNX files which `base` lacks. */
  onnxBase?: string;
}

/** `error`: the load ends; `evict`: the least used models make room; `memory`: the file is used and not kept. */
export type StorageFull = 'error' | 'evict' | 'memory';

export interface ReadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: FileProgress) => void;
  /** For who goes elsewhere when nobody answers: an outage is not waited for. */
  isProbe?: boolean;
  /** For a file that models may lack: a server that may not tell what it lacks refuses it, and that counts as absence. */
  isOptional?: boolean;
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
  /**
   * The whole file front to back, or null when it does not exist; for files too large to be held twice. A piece is valid
   * until the next one is asked for.
   */
  readStream?(path: string, options?: ReadOptions): Promise<ReadableStream<Uint8Array> | null>;
  /**
   * Forgets a kept copy that its reader cannot use, so that the next read fetches it again. False when none was kept,
   * or it is known to be what its publisher has: then the fault lies elsewhere.
   */
  purge?(path: string): Promise<boolean>;
  /** Bytes of a file that is not read yet; null where nobody has said it. Left out where reading a part costs little. */
  sizeOf?(path: string, options?: ReadOptions): Promise<number | null>;
}
