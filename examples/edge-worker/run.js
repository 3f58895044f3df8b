/** What `wrangler dev` does with worker.js and a folder of assets: bundles it and starts Cloudflare's runtime here. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Miniflare } from 'miniflare';
import { rolldown } from 'rolldown';

const models = path.join(import.meta.dirname, '../../public/models');

const bundle = await rolldown({
  input: path.join(import.meta.dirname, 'worker.js'),
  platform: 'browser',
  external: /\.wasm$|^cloudflare:/,
});
const { output } = await bundle.generate({
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: '[name]-[hash].js',
});
const scripts = output.flatMap(({ type, fileName, code }) =>
  type === 'chunk' ? [{ type: 'ESModule', path: fileName, contents: code }] : [],
);
const kernels = ['vecinity/assets/relaxed.wasm', 'vecinity/assets/simd.wasm'].map(async (name) => ({
  type: 'CompiledWasm',
  path: name,
  contents: await readFile(fileURLToPath(import.meta.resolve(name))),
}));

/** The binding: a request's path is that of a file. */
async function assets(request) {
  const file = path.join(models, decodeURIComponent(new URL(request.url).pathname.replace('/models/', '/')));
  const bytes = file.startsWith(models) ? await readFile(file).catch(() => null) : null;
  return bytes === null ? new Response('not there', { status: 404 }) : new Response(bytes);
}

const runtime = new Miniflare({
  modules: [...scripts, ...(await Promise.all(kernels))],
  compatibilityDate: '2026-01-01',
  host: '127.0.0.1',
  port: Number(process.env.PORT ?? 8787),
  durableObjects: { EMBEDDER: 'Embedder' },
  serviceBindings: { ASSETS: assets },
});
console.log(`${await runtime.ready}v1/embeddings`);
process.once('SIGTERM', () => runtime.dispose());
