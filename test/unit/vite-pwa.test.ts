/** What `withVecinity` makes of a site's options for vite-plugin-pwa. */
import { expect, it } from 'vitest';
import { withVecinity } from '../../src/vite/pwa.js';

const complete = (options: object) => withVecinity(options) as Required<Parameters<typeof withVecinity>[0]>;

it('puts the answers first in a generated Service Worker and keeps the kernels', () => {
  const { workbox } = complete({});
  expect(workbox.importScripts).toEqual(['vecinity-sw.js']);
  expect(workbox.globPatterns).toEqual(['**/*.{js,css,html}', '**/{relaxed,simd}*.wasm']);
  expect(workbox.globIgnores).toContain('**/vecinity-sw.js');
});

it('leaves what the site says in its place', () => {
  const rule = { urlPattern: /api/, handler: 'NetworkOnly' };
  const given = {
    registerType: 'autoUpdate',
    workbox: { importScripts: ['mine.js'], globPatterns: ['**/*.svg'], globIgnores: ['big'], runtimeCaching: [rule] },
    injectManifest: { globPatterns: ['**/*.js'], maximumFileSizeToCacheInBytes: 5 },
  };
  const before = structuredClone(given);
  const { workbox, injectManifest, ...rest } = complete(given);
  expect(rest).toEqual({ registerType: 'autoUpdate' });
  expect(workbox.importScripts).toEqual(['vecinity-sw.js', 'mine.js']);
  expect(workbox.globPatterns).toEqual(['**/*.svg', '**/{relaxed,simd}*.wasm']);
  expect(workbox.globIgnores).toContain('big');
  expect(workbox.runtimeCaching?.[0]).toBe(rule);
  expect(injectManifest).toMatchObject({
    maximumFileSizeToCacheInBytes: 5,
    globPatterns: ['**/*.js', expect.any(String)],
  });
  expect(given).toEqual(before);
});

it('keeps model files and ONNX Runtime when they are used, and nothing else', () => {
  const rules = complete({}).workbox.runtimeCaching as { urlPattern: RegExp }[];
  const kept = (url: string) => rules.some(({ urlPattern }) => urlPattern.test(url));
  expect(
    ['model.safetensors', 'tokenizer.json', 'onnx/model.onnx'].map((file) => kept(`https://a.b/models/m/${file}`)),
  ).toEqual([true, true, true]);
  expect(kept('https://a.b/assets/ort-wasm-simd-threaded-DcHrbrbl.wasm')).toBe(true);
  expect(kept('https://a.b/models/all')).toBe(false);
  expect(kept('https://a.b/v1/models')).toBe(false);
});
