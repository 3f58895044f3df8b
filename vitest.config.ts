/**
 * Tests that run in Node: `unit` (pure files, milliseconds) and `conformance` (goldens of another implementation). Limits
 * of time are there so that a test that hangs ends, also on a machine that has much else to do; none is a part of a rule.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const expectations = { poll: { timeout: 20_000 } };

export default defineConfig({
  test: {
    projects: [
      {
        // The demo names the package; its tests take the sources, which need no build.
        resolve: { alias: { vecinity: fileURLToPath(new URL('src/index.ts', import.meta.url)) } },
        test: {
          name: 'unit',
          environment: 'node',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          expect: expectations,
        },
      },
      {
        test: {
          name: 'conformance',
          environment: 'node',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: expectations,
        },
      },
    ],
  },
});
