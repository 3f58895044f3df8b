/** What is noted beside a file on the disk, and how it is read back: nothing that lies on a disk is believed unseen. */
import { isObject } from '../json-object.js';
import type { FileHashes } from './file-hash.js';
import type { FileName, PartVersion } from './file-store.js';

export interface FileRecord extends FileName, FileHashes {
  sizeBytes: number;
  /** The hash was compared with the publisher's. */
  isVerified: boolean;
}

export interface PartRecord extends FileName, PartVersion {}

/** Null for anything that is not a whole record. */
export function parseRecord(value: unknown): FileRecord | null {
  const name = parseName(value);
  if (name === null || !isObject(value)) return null;
  const { sizeBytes, sha256, blocks } = value;
  if (!isSize(sizeBytes) || typeof sha256 !== 'string') return null;
  if (!Array.isArray(blocks) || !blocks.every((block) => typeof block === 'string')) return null;
  return { ...name, sizeBytes, isVerified: value.isVerified === true, sha256, blocks };
}

/** Null for anything that is not a whole record. */
export function parsePartRecord(value: unknown): PartRecord | null {
  const name = parseName(value);
  if (name === null || !isObject(value)) return null;
  const { etag, totalBytes } = value;
  return { ...name, etag: typeof etag === 'string' ? etag : null, totalBytes: isSize(totalBytes) ? totalBytes : null };
}

function parseName(value: unknown): FileName | null {
  if (!isObject(value)) return null;
  const { url, base, path } = value;
  const complete = typeof url === 'string' && typeof base === 'string' && typeof path === 'string';
  return complete ? { url, base, path } : null;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
