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

for (const [device, count] of [
  ['wasm', 128],
  ['webgpu', 3],
] as const) {
  test(`${count} texts on ${device} are those of sentence-transformers, with its token counts`, async ({ page }) => {
    const golden = await readShared<Golden>('goldens/all-MiniLM-L6-v2.json');
    await openEngine(page, { ...model, device });
    const { data, usage, backend } = await page.evaluate(
      async (input) => {
        const { data, usage } = await window.vecinity.embeddings.create({ input, truncate: true });
        const backend = (await window.vecinity.status()).models[0]?.backend;
        return { data: data.map(({ embedding }) => [...(embedding as Float32Array)]), usage, backend };
      },
      golden.texts.slice(0, count),
    );
    expect(backend).toMatchObject({ device });
    expect(worstCosine(data, golden.embeddings.slice(0, count))).toBeGreaterThanOrEqual(0.99999);
    expect(usage.prompt_tokens).toBe(golden.tokens.slice(0, count).reduce((sum, tokens) => sum + tokens, 0));
  });
}

test('the page stays responsive while 256 paragraphs are embedded', async ({ page }) => {
  const texts = await readShared<string[]>('bench/mixed.json');
  await openEngine(page, { ...model, device: 'wasm' });
  const { longestMs, count } = await page.evaluate(async (input) => {
    const tasks: number[] = [];
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    });
    observer.observe({ type: 'longtask' });
    const vectors = await window.vecinity.embed(input, { truncate: true });
    await new Promise((resolve) => requestAnimationFrame(resolve));
    for (const { duration } of observer.takeRecords()) tasks.push(duration);
    return { longestMs: Math.max(0, ...tasks), count: vectors.length };
  }, texts);
  expect(count).toBe(256);
  expect(longestMs).toBeLessThanOrEqual(50);
});
