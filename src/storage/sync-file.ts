/** Small steps on files of the origin's private file system that more than one file here takes. */
import { StorageError } from './storage-error.js';

/** What is used of `FileSystemSyncAccessHandle`, which the compiler's library for pages does not have. */
export interface SyncFile {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(sizeBytes: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

/** Opens a file of which this is the only writer. Throws where there are no such handles, and while another has one. */
export async function openSync(folder: FileSystemDirectoryHandle, name: string): Promise<SyncFile> {
  const handle = await folder.getFileHandle(name, { create: true });
  // The cast is safe: whether the method is there is looked at before it is called.
  const { createSyncAccessHandle } = handle as unknown as { createSyncAccessHandle?: () => Promise<SyncFile> };
  if (!createSyncAccessHandle) throw new StorageError('unavailable');
  return await createSyncAccessHandle.call(handle);
}

/** Replaces a file's content; a crash in between leaves one that does not parse. */
export async function writeText(folder: FileSystemDirectoryHandle, name: string, text: string): Promise<void> {
  const file = await openSync(folder, name);
  try {
    file.truncate(0);
    writeAll(file, new TextEncoder().encode(text), 0);
    file.flush();
  } finally {
    file.close();
  }
}

/** Writes all of it: the platform may write less than it was given. */
export function writeAll(file: SyncFile, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.length; ) {
    const count = file.write(bytes.subarray(written), { at: at + written });
    if (count === 0) throw new StorageError('full');
    written += count;
  }
}

/** A file's text, or null when it is not there. */
export async function readText(folder: FileSystemDirectoryHandle, name: string): Promise<string | null> {
  try {
    return await (await (await folder.getFileHandle(name)).getFile()).text();
  } catch {
    return null;
  }
}

/** Null for what is not JSON: it was being written when its writer died. */
export function parseJson(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
