/** Tests that run in Node: `unit` (pure files, milliseconds) and `conformance` (goldens of another implementation). */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      {
        // The demo names the package; its tests take the sources, which need no build.
        resolve: { alias: { vecinity: fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
        test: { name: 'unit', environment: 'node', include: ['test/unit/**/*.test.ts'] },
      },
      {
        test: {
          name: 'conformance',
          environment: 'node',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
