/** Sizes of built files, as they are and as they travel, and the limits that a build must keep. */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

export interface FileSize {
  name: string;
  bytes: number;
  gzipBytes: number;
}

interface Limit {
  file: string;
  measure: 'bytes' | 'gzipBytes';
  maxBytes: number;
}

const limits: Limit[] = [
  { file: 'index.js', measure: 'gzipBytes', maxBytes: 15_000 },
  { file: 'vecinity-sw.js', measure: 'bytes', maxBytes: 12_000 },
];

/** Every `.js` and `.wasm` file of a folder, by name. */
export async function measureFiles(folder: string): Promise<FileSize[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(js|mjs|wasm)$/.test(name));
  return await Promise.all(
    names.sort().map(async (name) => {
      const content = await readFile(path.join(folder, name));
      return { name, bytes: content.byteLength, gzipBytes: gzipSync(content, { level: 9 }).byteLength };
    }),
  );
}

export function formatSizes(files: readonly FileSize[]): string {
  const width = Math.max(...files.map(({ name }) => name.length));
  const row = (name: string, bytes: string, gzip: string) =>
    `${name.padEnd(width)}  ${bytes.padStart(12)}  ${gzip.padStart(12)}`;
  const lines = files.map(({ name, bytes, gzipBytes }) => row(name, grouped(bytes), grouped(gzipBytes)));
  return [row('file', 'bytes', 'gzipped'), ...lines].join('\n');
}

/** One sentence for each file that is missing or too big. */
export function brokenLimits(files: readonly FileSize[]): string[] {
  return limits.flatMap(({ file, measure, maxBytes }) => {
    const size = files.find(({ name }) => name === file);
    if (!size) return [`${file} was not built.`];
    if (size[measure] <= maxBytes) return [];
    const unit = measure === 'bytes' ? 'bytes' : 'bytes gzipped';
    return [`${file} has ${grouped(size[measure])} ${unit}; at most ${grouped(maxBytes)} are allowed.`];
  });
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
