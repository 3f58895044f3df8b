/** How much more the browser lets this origin keep, and what is given up for a file that does not fit. */
import type { FileStore, StoredFile } from './file-store.js';

/** Kept free, because estimates are rounded and records take room too. */
const reserveBytes = 1024 * 1024;

/** Bytes that still fit, or null where the browser does not say. */
export async function availableBytes(): Promise<number | null> {
  try {
    const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
    if (quota === undefined || usage === undefined) return null;
    return Math.max(0, quota - usage - reserveBytes);
  } catch {
    return null;
  }
}

/** All files of one model, by the address they came from. */
export interface StoredFolder {
  base: string;
  files: StoredFile[];
  sizeBytes: number;
  /** Unix time of the last read of any of them, in milliseconds. */
  lastUsedMs: number;
}

/** What is kept, the least recently used first. */
export async function listFolders(store: FileStore): Promise<StoredFolder[]> {
  const folders = new Map<string, StoredFolder>();
  for (const file of await store.list()) {
    const folder = folders.get(file.base) ?? { base: file.base, files: [], sizeBytes: 0, lastUsedMs: 0 };
    folder.files.push(file);
    folder.sizeBytes += file.sizeBytes;
    folder.lastUsedMs = Math.max(folder.lastUsedMs, file.lastUsedMs);
    folders.set(file.base, folder);
  }
  return [...folders.values()].sort((a, b) => a.lastUsedMs - b.lastUsedMs);
}

/** Removes models, the least recently used first and never the one at `keep`, until `neededBytes` are free. */
export async function evict(store: FileStore, neededBytes: number, keep: string): Promise<void> {
  for (const folder of await listFolders(store)) {
    const available = await availableBytes();
    if (available !== null && available >= neededBytes) return;
    if (folder.base === keep) continue;
    for (const { url } of folder.files) await store.remove(url);
    // Where the browser does not say what is free, one model a try is given up.
    if (available === null) return;
  }
}
