/** `npm run build`: the package in `dist/`, then the demo in `build/demo/`, made from that package. Prints the sizes. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'vite';
import {
  adapterEntries,
  adapterPeers,
  bundleLibrary,
  bundleServiceWorker,
  hashSources,
  lazyEntries,
  nodeEntries,
  repositoryRoot,
} from '../src/vite/bundle.js';
import { ensureKernels } from './kernels.js';
import { collectLicenses } from './licenses.js';
import { brokenLimits, formatSizes, measureFiles } from './sizes.js';

const dist = path.join(repositoryRoot, 'dist');

/** Every entry is bundled alone, so that a page never loads a chunk of the engine and a worker starts with one file. */
async function browserEntries(): Promise<[name: string, file: string][]> {
  const workers = (await readdir(path.join(repositoryRoot, 'worker'))).filter((name) =>
    /^(?!service-).*-worker\.ts$/.test(name),
  );
  return [
    ['index', 'src/index.ts'],
    ['edge', 'src/edge/worker.ts'],
    ...Object.entries(lazyEntries),
    ...workers.map((name): [string, string] => [name.slice(0, -3), `worker/${name}`]),
  ];
}

export async function main(): Promise<number> {
  // Vite takes this for the mode of a build; `run.mjs`, which loads scripts like a development server, has set another.
  process.env.NODE_ENV = 'production';
  await ensureKernels();
  await buildPackage();
  await build({ configFile: path.join(repositoryRoot, 'vite.config.ts'), logLevel: 'warn' });
  const sizes = await measureFiles(dist);
  console.log(formatSizes(sizes));
  const broken = brokenLimits(sizes);
  for (const sentence of broken) console.error(sentence);
  return broken.length === 0 ? 0 : 1;
}

async function buildPackage(): Promise<void> {
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const buildId = await hashSources();
  const modules: string[] = [];
  for (const [name, file] of await browserEntries()) {
    // The page's entry, whose bytes are counted, marks nothing but empty maps, which every bundler knows.
    const entry = { input: { [name]: file }, annotations: name !== 'index' };
    modules.push(...(await bundleLibrary({ ...entry, folder: dist, buildId, platform: 'browser' })));
  }
  modules.push(...(await bundleLibrary({ input: { ...nodeEntries }, folder: dist, buildId, platform: 'node' })));
  const adapters = { input: { ...adapterEntries }, external: adapterPeers };
  modules.push(...(await bundleLibrary({ ...adapters, folder: dist, buildId, platform: 'browser' })));
  await writeFile(path.join(dist, 'THIRD-PARTY.txt'), await collectLicenses(modules));
  const plugin = { vite: 'src/vite/plugin.ts' };
  await bundleLibrary({ input: plugin, folder: dist, buildId, platform: 'node', external: /^[^./]/ });
  await writeFile(path.join(dist, 'vecinity-sw.js'), await bundleServiceWorker(buildId));
  await writeDeclarations('tsconfig.types.json');
}

async function writeDeclarations(project: string): Promise<void> {
  const tsc = path.join(repositoryRoot, 'node_modules/typescript/bin/tsc');
  await promisify(execFile)(process.execPath, [tsc, '-p', project], { cwd: repositoryRoot });
}
