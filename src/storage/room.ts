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

/**
 * Removes models, the least recently used first and never the one at `keep`, until `neededBytes` are free. Removes none
 * where all of them would not be enough.
 */
export async function evict(store: FileStore, neededBytes: number, keep: string): Promise<void> {
  const others = (await listFolders(store)).filter(({ base }) => base !== keep);
  const mostBytes = others.reduce((sum, { sizeBytes }) => sum + sizeBytes, (await availableBytes()) ?? 0);
  if (mostBytes < neededBytes) return;
  for (;;) {
    const available = await availableBytes();
    if (available === null || available >= neededBytes) return;
    if (!(await evictOne(store, keep))) return;
  }
}

/** Removes the least recently used model that is not the one at `keep`. False when there is none that can be removed. */
export async function evictOne(store: FileStore, keep: string): Promise<boolean> {
  for (const { base, files } of await listFolders(store)) {
    if (base === keep) continue;
    const removed = await Promise.all(files.map(({ url }) => store.remove(url)));
    // Another tab may be writing it.
    if (removed.includes(true)) return true;
  }
  return false;
}
