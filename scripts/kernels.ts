/** The WASM engine's compiled kernels are not in the repository: they are made when they are missing or out of date. */
import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../src/vite/bundle.js';

const folder = path.join(repositoryRoot, 'src/backend/wasm');
const script = path.join(repositoryRoot, 'scripts/build-kernels.mjs');

export async function main(): Promise<number> {
  await ensureKernels();
  return 0;
}

/** Compiles the kernels unless the compiled ones are newer than their sources. */
export async function ensureKernels(): Promise<void> {
  const sources = await changeTimes(path.join(folder, 'kernels'));
  const compiled = await changeTimes(path.join(folder, 'generated'));
  if (compiled.length > 0 && Math.min(...compiled) > Math.max(...sources, (await stat(script)).mtimeMs)) return;
  await promisify(execFile)(process.execPath, [script], { cwd: repositoryRoot });
}

async function changeTimes(directory: string): Promise<number[]> {
  const names = await readdir(directory).catch(() => []);
  return await Promise.all(names.map(async (name) => (await stat(path.join(directory, name))).mtimeMs));
}
