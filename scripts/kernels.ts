/**
 * `npm run build:kernels`: compiles the WASM engine's kernels (AssemblyScript) into `src/backend/wasm/generated`, one
 * module per feature level, each for private and for shared memory. Prints what every module weighs.
 */
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const engine = path.join(root, 'src/backend/wasm');

const levels = [
  { entry: 'relaxed', features: ['simd', 'relaxed-simd', 'bulk-memory'] },
  { entry: 'simd', features: ['simd', 'bulk-memory'] },
] as const;

const modules = levels.flatMap((level) =>
  [false, true].map((threads) => ({ ...level, threads, file: `${level.entry}${threads ? '-threads' : ''}.wasm` })),
);

const flags = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--noExportMemory', '--use', 'abort='];
const sharedFlags = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'];

/** Compiles all modules and prints their sizes. */
export async function main(): Promise<number> {
  const sizes = await buildKernels();
  for (const [file, size] of sizes) console.log(`${file.padEnd(24)} ${(size / 1000).toFixed(1)} kB`);
  return 0;
}

/** Compiles only when a source is newer than a module, or a module is missing; cheap enough for every start. */
export async function ensureKernels(): Promise<void> {
  const built = await Promise.all(modules.map(({ file }) => modified(path.join(engine, 'generated', file))));
  const sources = (await readdir(path.join(engine, 'kernels'))).map((file) => path.join(engine, 'kernels', file));
  const changed = await Promise.all([...sources, fileURLToPath(import.meta.url)].map(modified));
  if (Math.max(...changed) > Math.min(...built)) await buildKernels();
}

/** Compiles all modules; their sizes in bytes by file name. */
async function buildKernels(): Promise<Map<string, number>> {
  await mkdir(path.join(engine, 'generated'), { recursive: true });
  const sizes = new Map<string, number>();
  for (const module of modules) {
    const out = path.join(engine, 'generated', module.file);
    const source = path.join(engine, 'kernels', `${module.entry}.ts`);
    const enable = module.features.flatMap((feature) => ['--enable', feature]);
    const args = [source, '-o', out, ...flags, ...enable, ...(module.threads ? sharedFlags : [])];
    const { error, stderr } = await asc.main(args);
    if (error !== null) throw new Error(`${source}: ${error.message}\n${stderr.toString()}`);
    sizes.set(module.file, (await stat(out)).size);
  }
  return sizes;
}

async function modified(file: string): Promise<number> {
  try {
    return (await stat(file)).mtimeMs;
  } catch {
    return 0;
  }
}
