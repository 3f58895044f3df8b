/** WebGPU on a software adapter: works when asked for by name, is not chosen by itself, and status says why. */
import { expect, test } from '@playwright/test';
import { type EmbeddingGolden, openEngine, readGolden, worstCosine } from './engine-page.js';

test('device webgpu gives the numbers of the reference', async ({ page }) => {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  await openEngine(page, { device: 'webgpu' });
  const { vectors, backend } = await page.evaluate(async (inputs) => {
    const vectors = (await window.vecinity.embed(inputs)).map((vector) => [...vector]);
    return { vectors, backend: (await window.vecinity.status()).models[0]?.backend };
  }, golden.inputs);
  expect(backend).toMatchObject({ device: 'webgpu' });
  expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
});

test('device auto takes WASM and says why the software adapter was left out', async ({ page }) => {
  await openEngine(page, { device: 'auto' });
  const status = await page.evaluate(async () => (await window.vecinity.status()).models[0]);
  expect(status?.backend).toMatchObject({ device: 'wasm' });
  expect(status?.tried.find(({ device }) => device === 'webgpu')).toMatchObject({
    ok: false,
    reason: expect.stringContaining('software'),
  });
});
