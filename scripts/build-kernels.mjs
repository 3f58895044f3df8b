// Compiles the WASM engine's kernels (AssemblyScript) into src/backend/wasm/generated: one module per feature level,
// each for private and for shared memory. Run with `npm run build:kernels`; prints what every module weighs.
import { mkdir, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('..', import.meta.url));
const levels = [
  { entry: 'relaxed', features: ['simd', 'relaxed-simd', 'bulk-memory'] },
  { entry: 'simd', features: ['simd', 'bulk-memory'] },
];
const common = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--noExportMemory', '--use', 'abort='];
const shared = ['--enable', 'threads', '--sharedMemory', '--maximumMemory', '65536'];

await mkdir(`${root}src/backend/wasm/generated`, { recursive: true });
let total = 0;
for (const { entry, features } of levels) {
  for (const threads of [false, true]) {
    const out = `src/backend/wasm/generated/${entry}${threads ? '-threads' : ''}.wasm`;
    const enable = features.flatMap((feature) => ['--enable', feature]);
    const source = `src/backend/wasm/kernels/${entry}.ts`;
    const args = [source, '-o', out, ...common, ...enable, ...(threads ? shared : [])];
    const { error, stderr } = await asc.main(args, { baseDir: root });
    if (error !== null) throw new Error(`${source}: ${error.message}\n${stderr.toString()}`);
    const { size } = await stat(root + out);
    total += size;
    console.log(`${out}  ${(size / 1024).toFixed(1)} kB`);
  }
}
console.log(`together  ${(total / 1024).toFixed(1)} kB`);
