/** Chooses where downloaded files are kept: the origin's private file system, Cache Storage behind it. */
import { openCacheStore } from './cache-store.js';
import type { FileStore } from './file-store.js';
import { openOpfsStore } from './opfs-store.js';

/** The best store that there is; null where there is none (Node, plain http, some private windows). */
export async function openFileStore(): Promise<FileStore | null> {
  return (await openOpfsStore()) ?? (await openCacheStore());
}
