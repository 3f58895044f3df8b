/** The part of the package that runs on Node, bundled as the build does it: its threads are files, not sources. */
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleLibrary, nodeEntries, repositoryRoot } from '../../src/vite/bundle.js';

export interface NodePackage {
  module: typeof import('../../src/edge/index.js');
  folder: string;
  remove(): Promise<void>;
}

/** The folder of tiny models that `modelsDir` takes. */
export const fixtureModels = path.join(repositoryRoot, 'test/fixtures/models');

/** `more`: source files beside the usual ones, by the name of their output. */
export async function bundleNodePackage(more: Record<string, string> = {}): Promise<NodePackage> {
  const folder = await mkdtemp(path.join(tmpdir(), 'vecinity-'));
  await bundleLibrary({ input: { ...nodeEntries, ...more }, folder, buildId: 'test', platform: 'node' });
  await copyAssets(path.join(folder, 'assets'));
  const module = await import(pathToFileURL(path.join(folder, 'node.js')).href);
  return { module, folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** The `.wasm` files that the browser's half of the build puts there. */
async function copyAssets(target: string): Promise<void> {
  await mkdir(target);
  const kernels = path.join(repositoryRoot, 'src/backend/wasm/generated');
  const runtime = path.join(repositoryRoot, 'node_modules/onnxruntime-web/dist');
  const files = [
    ...(await readdir(kernels)).map((name) => path.join(kernels, name)),
    path.join(runtime, 'ort-wasm-simd-threaded.wasm'),
  ];
  await Promise.all(files.map((file) => copyFile(file, path.join(target, path.basename(file)))));
}
