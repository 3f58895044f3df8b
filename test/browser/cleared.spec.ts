/** Who clears the site's data takes weights, Service Worker and all from open tabs that share an engine: they work on. */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import {
  expectGolden,
  fetchEmbeddings,
  leaks,
  openEngine,
  registerServiceWorker,
  startJob,
  vectorsOf,
} from './engine-page.js';
import { serveWeights } from './weights-server.js';

const model = 'owner/bert-cls';
const jobTexts = 1_500;
const server = serveWeights();

type Tabs = [leader: Page, follower: Page, plain: Page];

/** Tabs of which the first has the engine, the last without the package, all with a Service Worker. */
async function openTabs(context: BrowserContext): Promise<Tabs> {
  const tabs: Tabs = [await context.newPage(), await context.newPage(), await context.newPage()];
  const [leader, follower, plain] = tabs;
  for (const page of [leader, follower]) {
    await openEngine(page, { model, hubUrl: server.hubUrl, modelsUrl: null });
    await registerServiceWorker(page);
  }
  await plain.goto('/plain.html');
  return tabs;
}

/** `window.pending` ends with the status and the number of vectors. */
async function startPlainJob(page: Page): Promise<void> {
  await page.evaluate(() => {
    const input = Array.from({ length: 800 }, (_, at) => `text ${at} `.repeat(40));
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ input, truncate: true }) };
    window.pending = fetch('/v1/embeddings', init).then(async (response) => {
      const { data } = await response.json();
      return [response.status, data.length];
    });
  });
}

/** All of it; resolves when each of the pages has a Service Worker again. */
async function clearSite(pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    await page.evaluate(() => {
      const { serviceWorker } = navigator;
      const lost = new Promise<void>((resolve) => {
        const check = () => serviceWorker.controller === null && resolve();
        serviceWorker.addEventListener('controllerchange', check);
      });
      Object.assign(window, { lost });
    });
  }
  const [page] = pages;
  const session = await page?.context().newCDPSession(page);
  const origin = await page?.evaluate(() => location.origin);
  await session?.send('Storage.clearDataForOrigin', { origin: origin ?? '', storageTypes: 'all' });
  for (const page of pages) {
    // What was put there before.
    await page.evaluate(() => (window as unknown as { lost: Promise<void> }).lost);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  }
}

test('all that is under way is answered, no later request reaches the network, and the weights come back when needed', async ({
  context,
}) => {
  const tabs = await openTabs(context);
  const [leader, follower, plain] = tabs;
  const before = vectorsOf((await fetchEmbeddings(plain, 'text')).body);
  await startJob(leader);
  await startJob(follower);
  await startPlainJob(plain);
  await leader.waitForFunction(async () => (await window.vecinity.status()).queue.inputs > 2_000);
  await clearSite(tabs);
  const after = await fetchEmbeddings(plain, 'text');
  expect([after.status, vectorsOf(after.body)]).toEqual([200, before]);
  expect(await plain.evaluate(() => window.pending)).toEqual([200, 800]);
  expect(await leader.evaluate(() => window.pending)).toBe(jobTexts);
  expect(await follower.evaluate(() => window.pending)).toBe(jobTexts);
  expect(await follower.evaluate(async () => (await window.vecinity.storage.list()).length)).toBe(0);
  for (const page of [follower, leader]) await page.evaluate((name) => window.vecinity.unload(name), model);
  await follower.evaluate((name) => window.vecinity.load(name), model);
  await expectGolden(follower);
  expect(server.ranges).toEqual([null, null]);
  expect(await leaks(context)).toEqual([]);
});

test('a tab that takes over afterwards fetches the weights again and ends the jobs', async ({ context }) => {
  const tabs = await openTabs(context);
  const [leader, follower, plain] = tabs;
  await startJob(follower);
  await startPlainJob(plain);
  await leader.waitForFunction(async () => (await window.vecinity.status()).queue.inputs > 1_000);
  await clearSite(tabs);
  await leader.close();
  expect(await follower.evaluate(() => window.pending)).toBe(jobTexts);
  expect(await plain.evaluate(() => window.pending)).toEqual([200, 800]);
  await expectGolden(follower);
  expect(server.ranges).toEqual([null, null]);
  expect(await leaks(context)).toEqual([]);
});
