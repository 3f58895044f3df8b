/** Model files of a folder on disk, for tests that read fixtures in Node. */
import { open, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ModelFiles } from '../../src/models/files.js';

/** The folder of a tiny model in `test/fixtures/models`, with a trailing slash. */
export function fixtureFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/models/${name}/`, import.meta.url));
}

/** Reads below a directory; a file that does not exist is null. */
export function modelFolder(base: string): ModelFiles {
  const location = { kind: 'folder', base, headers: {}, cache: false } as const;
  return {
    location,
    readJson: async (path) => {
      const bytes = await orNull(readFile(base + path, 'utf8'));
      return bytes === null ? null : JSON.parse(bytes);
    },
    readBytes: async (path) => orNull(readFile(base + path)),
    readRange: async (path, start, end) => orNull(readSlice(base + path, start, end)),
  };
}

async function readSlice(path: string, start: number, end: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
    await file.read(bytes, 0, bytes.length, start);
    return bytes;
  } finally {
    await file.close();
  }
}

async function orNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
