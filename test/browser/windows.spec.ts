/** Tabs that share more than usual: a tab and the window that it opened, which is a copy of it, and a tab that is loaded anew. */
import { expect, type Page, test } from '@playwright/test';
import { fetchEmbeddings, leaks, openEngine, openEngineHere, registerServiceWorker, startJob } from './engine-page.js';

const jobTexts = 1_500;

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

/** What a duplicated tab is too: a copy of the session's storage, and mostly the same process. */
async function openCopy(page: Page): Promise<Page> {
  const opening = page.context().waitForEvent('page');
  await page.evaluate(() => {
    sessionStorage.setItem('mark', 'copied');
    window.open(location.href);
  });
  const copy = await opening;
  await openEngineHere(copy);
  expect(await copy.evaluate(() => [window.opener !== null, sessionStorage.getItem('mark')])).toEqual([true, 'copied']);
  return copy;
}

function jobOf(page: Page): Promise<unknown> {
  return page.evaluate(() => window.pending);
}

function hasEngine(page: Page): Promise<boolean> {
  return page.evaluate(() => window.engineWorker !== undefined);
}

test('a window that a tab has opened shares its engine, and goes on when that tab is closed', async ({ page }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const copy = await openCopy(page);
  expect(await hasEngine(copy)).toBe(false);
  await startJob(page);
  await startJob(copy);
  await page.close();
  expect(await jobOf(copy)).toBe(jobTexts);
  expect(await hasEngine(copy)).toBe(true);
  expect((await fetchEmbeddings(copy, 'text')).status).toBe(200);
});

test('a tab goes on when the window that it has opened, and that has the engine by then, is closed', async ({
  page,
}) => {
  await openEngine(page);
  const copy = await openCopy(page);
  await page.reload();
  await openEngineHere(page);
  expect(await hasEngine(page)).toBe(false);
  await startJob(page);
  await copy.close();
  expect(await jobOf(page)).toBe(jobTexts);
});

test('a hard reload of the tab with the engine costs the requests of no other tab, and that tab is served again', async ({
  context,
}) => {
  const [first, second, plain] = [await context.newPage(), await context.newPage(), await context.newPage()];
  for (const page of [first, second]) {
    await openEngine(page);
    await registerServiceWorker(page);
  }
  await plain.goto('/plain.html');
  await startJob(second);
  await plain.evaluate(() => {
    const input = Array.from({ length: 800 }, (_, at) => `text ${at} `.repeat(40));
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ input, truncate: true }) };
    window.pending = fetch('/v1/embeddings', init).then(async (response) => (await response.json()).data.length);
  });
  await first.waitForFunction(async () => (await window.vecinity.status()).queue.inputs > 1_000);
  const session = await context.newCDPSession(first);
  const loaded = first.waitForEvent('load');
  await session.send('Page.reload', { ignoreCache: true });
  await loaded;
  await openEngineHere(first);
  expect(await first.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
  expect(await first.evaluate(async () => (await window.vecinity.embed('text')).length)).toBeGreaterThan(0);
  expect(await jobOf(second)).toBe(jobTexts);
  expect(await jobOf(plain)).toBe(800);
  expect([await hasEngine(first), await hasEngine(second)]).toEqual([false, true]);
  expect(await registerServiceWorker(first)).toMatchObject({ controlled: true });
  expect((await fetchEmbeddings(first, 'text')).status).toBe(200);
});
