/**
 * The contract of a place where downloaded files are kept between visits, by URL. Only whole and checked files are
 * committed; what a broken download left is a part, which the next one goes on with.
 */

/** What a file is called: `base` is the address of its model with a trailing slash, `path` its name in there. */
export interface FileName {
  url: string;
  base: string;
  path: string;
}

/** A committed file as `list` shows it. */
export interface StoredFile extends FileName {
  sizeBytes: number;
  /** Unix time of the last read, in milliseconds; 0 where it is not known. */
  lastUsedMs: number;
  /** False for what a broken download has left so far. */
  complete: boolean;
}

export interface KeptFile {
  readonly sizeBytes: number;
  /** Whether what is read is known to be what its publisher has: another download could not be better. */
  readonly isVerified: boolean;
  /** Bytes `start` (inclusive) to `end` (exclusive), cut to the file. Throws `DamagedFileError`. */
  slice(start: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Which version of a file a part is of; null for what the server does not tell. */
export interface PartVersion {
  etag: string | null;
  totalBytes: number | null;
}

/** What is known of a file before a server has said anything of it. */
export const unknownVersion: PartVersion = { etag: null, totalBytes: null };

/** A file that is being downloaded. Its calls throw `StorageError`. */
export interface FilePart {
  /** Bytes that are there, from the file's start on. */
  readonly sizeBytes: number;
  readonly version: PartVersion;
  /** Throws away what is there and begins a part of this version. */
  restart(version: PartVersion): Promise<void>;
  append(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** SHA-256 of all bytes as lower-case hex digits; nothing may be appended afterwards. */
  digest(): Promise<string>;
  /** Makes it the kept file; `isVerified` says that the digest is the publisher's. Needs `digest` before. */
  commit(isVerified: boolean): Promise<void>;
  /** Lets go of it; what is there stays for the next time where that is possible. */
  close(): void;
}

export interface FileStore {
  /** The kept file, or null when there is none or it is not as long as it was when it was written. */
  read(url: string): Promise<KeptFile | null>;
  /** The caller sees to it that a file has one part at a time. */
  openPart(name: FileName): Promise<FilePart>;
  /** Removes a file and its part; false when there was neither. */
  remove(url: string): Promise<boolean>;
  list(): Promise<StoredFile[]>;
}
