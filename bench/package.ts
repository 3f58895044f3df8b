/** Makes sure that the package in `dist/` was built from the sources as they are now: an old one must not be measured. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { main as build } from '../scripts/build.js';
import { hashSources, repositoryRoot } from '../src/vite/bundle.js';

/** The file that the build writes last; it carries the hash of the sources. */
const lastFile = path.join(repositoryRoot, 'dist/vecinity-sw.js');

/** Builds the package when `dist/` is missing or older than the sources. */
export async function ensurePackage(): Promise<void> {
  const built = await readFile(lastFile, 'utf8').catch(() => '');
  if (built.includes(await hashSources())) return;
  console.log('The package in dist/ is missing or not of these sources: building it.');
  await build();
}
