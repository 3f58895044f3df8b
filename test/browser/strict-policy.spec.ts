/** A page under a strict Content-Security-Policy: everything works, and nothing is done that the policy forbids. */
import { expect, type Page, test } from '@playwright/test';
import {
  type EmbeddingGolden,
  fetchEmbeddings,
  type PageOptions,
  type RerankGolden,
  readGolden,
  registerServiceWorker,
  vectorsOf,
  worstCosine,
} from './engine-page.js';
import { type StrictServer, startStrictServer, strictPolicy } from './strict-server.js';

let server: StrictServer;

test.beforeAll(async () => {
  server = await startStrictServer();
});

test.afterAll(() => server.close());

test.beforeEach(() => {
  server.violations.length = 0;
});

/** With the worker that the bundler found in the package: the way of a page that gives no `createWorker`. */
async function openEngine(page: Page, options: PageOptions = {}): Promise<void> {
  await page.goto(`${server.origin}/strict.html`);
  await page.waitForFunction(() => window.subject !== undefined);
  await page.evaluate(
    async (given) => {
      window.vecinity = await window.subject.createVecinity(given);
    },
    { model: 'bert-cls', device: 'wasm', dtype: 'f32', ...options } as const,
  );
}

async function expectEmbeddings(page: Page): Promise<void> {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  const embeddings = await page.evaluate(
    async (inputs) => (await window.vecinity.embed(inputs)).map((embedding) => [...embedding]),
    golden.inputs,
  );
  expect(worstCosine(embeddings, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
}

async function expectOrder(page: Page): Promise<void> {
  const { query, documents, logits } = await readGolden<RerankGolden>('bert-reranker');
  const ranked = await page.evaluate(
    async (given) => {
      await window.vecinity.load('bert-reranker', { dtype: 'f32' });
      return await window.vecinity.rerank(given.query, given.documents, { model: 'bert-reranker' });
    },
    { query, documents },
  );
  const best = logits.indexOf(Math.max(...logits));
  expect(ranked[0]?.index).toBe(best);
}

/** A request to another origin: every policy of ours forbids it. */
async function breakPolicy(): Promise<void> {
  await fetch('https://elsewhere.invalid/').catch(() => null);
}

test('the client embeds and reranks, on several threads', async ({ page }) => {
  await openEngine(page, { threads: 2 });
  await expectEmbeddings(page);
  await expectOrder(page);
  expect(server.violations).toEqual([]);
});

test('the Service Worker answers a plain fetch', async ({ page }) => {
  await openEngine(page);
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true });
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  const { status, body } = await fetchEmbeddings(page, golden.inputs);
  expect(status).toBe(200);
  expect(worstCosine(vectorsOf(body), golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
  expect(server.violations).toEqual([]);
});

test('onnxruntime computes what the own kernels do not know', async ({ page }) => {
  await openEngine(page, { modelsUrl: '/onnx-only/models/' });
  await expectEmbeddings(page);
  expect(server.violations).toEqual([]);
});

test('trusted types may be required of every script', async ({ page }) => {
  const types = "require-trusted-types-for 'script'; trusted-types vecinity default";
  const stricter = await startStrictServer(`${strictPolicy}; ${types}`);
  try {
    await page.goto(`${stricter.origin}/strict.html`);
    await page.waitForFunction(() => window.subject !== undefined);
    await page.evaluate(async () => {
      const { createVecinity, engineWorkerUrl: workerUrl } = window.subject;
      const options = { model: 'bert-cls', device: 'wasm', dtype: 'f32', threads: 2, workerUrl } as const;
      window.vecinity = await createVecinity(options);
    });
    await expectEmbeddings(page);
    expect(await registerServiceWorker(page)).toMatchObject({ controlled: true });
    expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
    expect(stricter.violations).toEqual([]);
    const untrusted = page.evaluate(() => void new Worker('/vecinity-sw.js'));
    await expect(untrusted).rejects.toThrow('TrustedScriptURL');
  } finally {
    await stricter.close();
  }
});

test('what the policy forbids would be noticed: in the page, in every worker and in the Service Worker', async ({
  page,
  context,
}) => {
  await openEngine(page, { threads: 2 });
  await registerServiceWorker(page);
  const workers = page.workers();
  expect(workers.length).toBeGreaterThanOrEqual(2);
  await page.evaluate(breakPolicy);
  for (const worker of [...workers, ...context.serviceWorkers()]) await worker.evaluate(breakPolicy);
  await expect.poll(() => server.violations.length).toBe(1 + workers.length + 1);
  expect(server.violations[0]).toMatch(/^connect-src: https:\/\/elsewhere\.invalid/);
});
