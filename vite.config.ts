/** The demo: from the sources in development, from the built package in builds, so that every build proves the package. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { offline } from './scripts/offline.js';
import { policy } from './scripts/policy.js';
import { bundleServiceWorker, defineBuild, hashSources } from './src/vite/bundle.js';
import { createPlugins } from './src/vite/plugin.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Models that were put beside the demo come first; the second folder lies beside a developer's checkout. */
const modelsDir = [process.env.VECINITY_MODELS_DIR ?? 'public/models', '../shared/models'].map(at).filter(existsSync);

export default defineConfig(async ({ command, isPreview }) => {
  const isSource = command === 'serve' && !isPreview;
  const buildId = await hashSources();
  return {
    root: at('demo'),
    publicDir: at('public'),
    define: isSource ? defineBuild(buildId) : {},
    resolve: { alias: { vecinity: at(isSource ? 'src/index.ts' : 'dist/index.js') } },
    oxc: { jsx: { runtime: 'automatic' as const, importSource: 'preact' } },
    plugins: [
      createPlugins({ modelsDir, isolate: true }, () =>
        isSource ? bundleServiceWorker(buildId) : readFile(at('dist/vecinity-sw.js'), 'utf8'),
      ),
      policy(),
      offline(at('demo/service-worker.ts')),
    ],
    optimizeDeps: {
      // Workers are not crawled by themselves; a package found late would reload the page in the middle of a first visit.
      entries: ['index.html', '../worker/*.ts'],
      exclude: ['onnxruntime-web'],
    },
    server: { port: 5173, fs: { allow: [at('.')] } },
    build: { outDir: at('build/demo'), emptyOutDir: true, target: 'es2022' },
  };
});
