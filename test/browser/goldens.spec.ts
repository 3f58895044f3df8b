/** The real model against sentence-transformers: needs `../shared`, so it is a project of its own (`npm run test:parity`). */
import { readFile } from 'node:fs/promises';
import { expect, test } from '@playwright/test';
import { openEngine, worstCosine } from './engine-page.js';

interface Golden {
  texts: string[];
  tokens: number[];
  embeddings: number[][];
}

const model = { model: 'all-MiniLM-L6-v2', modelsUrl: '/shared-models/', dtype: 'f32' } as const;
const shared = new URL('../../../shared/', import.meta.url);

async function readShared<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(new URL(path, shared), 'utf8'));
}

const engines = [
  { backend: 'wasm', device: 'wasm', count: 128, modelsUrl: '/shared-models/' },
  { backend: 'onnx', device: 'wasm', count: 128, modelsUrl: '/onnx-only/shared-models/' },
  { backend: 'onnx', device: 'webgpu', count: 3, modelsUrl: '/shared-models/' },
] as const;

for (const { backend, device, count, modelsUrl } of engines) {
  test(`${count} texts by ${backend} on ${device} are those of sentence-transformers, with its tokens`, async ({
    page,
  }) => {
    const golden = await readShared<Golden>('goldens/all-MiniLM-L6-v2.json');
    await openEngine(page, { ...model, modelsUrl, device });
    const { vectors, usage, used } = await page.evaluate(
      async (input) => {
        const { data, usage } = await window.vecinity.embeddings.create({ input, truncate: true });
        const used = (await window.vecinity.status()).models[0]?.backend;
        return { vectors: data.map(({ embedding }) => [...(embedding as Float32Array)]), usage, used };
      },
      golden.texts.slice(0, count),
    );
    expect(used).toMatchObject({ backend, device, dtype: 'f32' });
    expect(worstCosine(vectors, golden.embeddings.slice(0, count))).toBeGreaterThanOrEqual(0.99999);
    expect(usage.prompt_tokens).toBe(golden.tokens.slice(0, count).reduce((sum, tokens) => sum + tokens, 0));
  });
}

test('the page stays responsive while 256 paragraphs are embedded', async ({ page }) => {
  const texts = await readShared<string[]>('bench/mixed.json');
  await openEngine(page, { ...model, device: 'wasm' });
  const longestTaskMs = () =>
    page.evaluate(async (input) => {
      const tasks: number[] = [];
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) tasks.push(duration);
      });
      observer.observe({ type: 'longtask' });
      await window.vecinity.embed(input, { truncate: true });
      await new Promise((resolve) => requestAnimationFrame(resolve));
      for (const { duration } of observer.takeRecords()) tasks.push(duration);
      observer.disconnect();
      return Math.max(0, ...tasks);
    }, texts);
  // A task of ours is long in each of them, one that waits for a busy processor is not.
  const longest = [await longestTaskMs(), await longestTaskMs(), await longestTaskMs()];
  expect(Math.min(...longest)).toBeLessThanOrEqual(50);
});
