/** Browser tests, in real Chromium: the built package, the development server, and the demo. */
import { defineConfig } from '@playwright/test';
import { ensureChromium } from './scripts/chromium.js';

const vite = 'npx vite';
const tests = '--config test/browser/vite.config.ts';
const flags = ['--no-sandbox'];

export default defineConfig({
  testDir: 'test/browser',
  outputDir: 'test-results',
  // The machine's cores compute embeddings; two tests at once would only wait for each other.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: {
    baseURL: 'http://localhost:4173',
    launchOptions: { executablePath: ensureChromium(), args: flags },
  },
  projects: [
    { name: 'browser', testIgnore: ['webgpu.spec.ts', 'goldens.spec.ts'] },
    {
      name: 'webgpu',
      testMatch: ['webgpu.spec.ts', 'numbers.spec.ts'],
      use: { launchOptions: { executablePath: ensureChromium(), args: [...flags, '--enable-unsafe-webgpu'] } },
    },
    {
      name: 'parity',
      testMatch: ['goldens.spec.ts'],
      timeout: 300_000,
      use: { launchOptions: { executablePath: ensureChromium(), args: [...flags, '--enable-unsafe-webgpu'] } },
    },
  ],
  webServer: [
    {
      command: `${vite} build ${tests} --logLevel warn && ${vite} preview ${tests} --port 4173 --strictPort`,
      url: 'http://localhost:4173/',
      reuseExistingServer: false,
    },
    {
      command: `${vite} ${tests} --port 4174 --strictPort`,
      url: 'http://localhost:4174/',
      reuseExistingServer: false,
    },
    {
      command: `${vite} preview --port 4175 --strictPort`,
      url: 'http://localhost:4175/',
      env: { VECINITY_MODELS_DIR: 'test/fixtures/models' },
      reuseExistingServer: false,
    },
  ],
});
