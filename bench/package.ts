/**
 * The package that is measured: built from the sources as they are now, and copied away from `dist/`, so that a build
 * during a run changes nothing that the run still loads.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { main as build } from '../scripts/build.js';
import { hashSources, repositoryRoot } from '../src/vite/bundle.js';

const dist = path.join(repositoryRoot, 'dist');
/** Of the package's code this is written last; it carries the hash of the sources. */
const lastFile = path.join(dist, 'vecinity-sw.js');

export interface PackageCopy {
  folder: string;
  remove(): Promise<void>;
}

/** Builds the package when `dist/` is missing or older than the sources, and gives a copy of it. */
export async function copyPackage(): Promise<PackageCopy> {
  const built = await readFile(lastFile, 'utf8').catch(() => '');
  if (!built.includes(await hashSources())) {
    console.log('The package in dist/ is missing or not of these sources: building it.');
    await build();
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-package-'));
  await cp(dist, folder, { recursive: true });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
