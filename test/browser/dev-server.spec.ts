/** The same pages on Vite's development server, from the sources: workers, WASM and Service Worker are found there too. */
import { expect, test } from '@playwright/test';
import {
  type EmbeddingGolden,
  fetchEmbeddings,
  leaks,
  openEngine,
  readGolden,
  registerServiceWorker,
  vectorsOf,
  worstCosine,
} from './engine-page.js';

const origin = 'http://localhost:4174';

test.use({ baseURL: origin });

test('a first visit loads the model without a reload of the page, and a plain fetch is answered', async ({ page }) => {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  let loads = 0;
  page.on('load', () => {
    loads += 1;
  });
  await openEngine(page);
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true, outdated: false });
  const { body } = await fetchEmbeddings(page, golden.inputs);
  expect(worstCosine(vectorsOf(body), golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
  expect(loads).toBe(1);
  expect(await leaks(page.context(), origin)).toEqual([]);
});
