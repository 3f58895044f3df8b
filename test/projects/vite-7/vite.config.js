import { fileURLToPath } from 'node:url';
import { vecinity, withVecinity } from 'vecinity/vite';
import { VitePWA } from 'vite-plugin-pwa';

const modelsDir = fileURLToPath(new URL('../../fixtures/models', import.meta.url));
const strategies = process.env.VITE_PWA;

const pwa = VitePWA(
  withVecinity({
    strategies,
    registerType: 'autoUpdate',
    srcDir: '.',
    filename: strategies === 'injectManifest' ? 'service-worker.js' : 'sw.js',
    manifest: { name: 'A site with Vecinity', icons: [] },
    devOptions: {
      enabled: true,
      type: 'module',
      suppressWarnings: true,
      resolveTempFolder: () => `${process.env.OUT_DIR}-development`,
    },
  }),
);

export default {
  plugins: [vecinity({ modelsDir, isolate: true }), ...(strategies ? [pwa] : [])],
  // Found at the start, the Service Worker's imports do not make Vite reload the page in the middle of a test.
  optimizeDeps: { entries: ['*.html', 'service-worker.js'] },
  // Nothing here depends on small files, and the test is faster without.
  build: { outDir: process.env.OUT_DIR, emptyOutDir: true, minify: false, reportCompressedSize: false },
};
