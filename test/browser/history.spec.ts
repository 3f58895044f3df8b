/** Pages that the browser keeps asleep for its back and forward buttons: they come back as they were, and work on. */
import { type Browser, chromium, expect, type Page, test } from '@playwright/test';
import { fetchEmbeddings, openEngine, registerServiceWorker, startJob } from './engine-page.js';

const jobTexts = 1_500;

let browser: Browser;

test.beforeAll(async ({ launchOptions }) => {
  // Playwright's own wish, because its traces cannot follow such pages.
  browser = await chromium.launch({ ...launchOptions, ignoreDefaultArgs: ['--disable-back-forward-cache'] });
});

test.afterAll(() => browser.close());

/** Tabs of one profile; `share` as for `createVecinity`. */
async function openTabs(count: number, baseURL: string | undefined, share = true): Promise<Page[]> {
  const context = await browser.newContext(baseURL === undefined ? {} : { baseURL });
  const pages: Page[] = [];
  for (let at = 0; at < count; at += 1) {
    const page = await context.newPage();
    await openEngine(page, { share });
    pages.push(page);
  }
  return pages;
}

function embedOne(page: Page): Promise<number[]> {
  return page.evaluate(async () => [...(await window.vecinity.embed('a text'))]);
}

function jobOf(page: Page): Promise<unknown> {
  return page.evaluate(() => window.pending);
}

/** Back to the page that was left, which must not be loaded again: its variables are still there. */
async function comeBack(page: Page): Promise<void> {
  await page.goBack({ waitUntil: 'commit' });
  const reasons = await page.evaluate(() => {
    const [entry] = performance.getEntriesByType('navigation') as unknown as { notRestoredReasons: unknown }[];
    return window.vecinity === undefined ? (entry?.notRestoredReasons ?? 'no reason') : 'restored';
  });
  expect(reasons).toBe('restored');
}

test('a tab that is left and come back to ends its job', async ({ baseURL }) => {
  const [page] = (await openTabs(1, baseURL)) as [Page];
  const before = await embedOne(page);
  await startJob(page);
  await page.goto('/plain.html');
  await comeBack(page);
  expect(await jobOf(page)).toBe(jobTexts);
  expect(await embedOne(page)).toEqual(before);
});

test('a tab with an engine of its own that is left and come back to ends its job', async ({ baseURL }) => {
  const [page] = (await openTabs(1, baseURL, false)) as [Page];
  await startJob(page);
  await page.goto('/plain.html');
  await comeBack(page);
  expect(await jobOf(page)).toBe(jobTexts);
});

test('a tab that is left gives the engine to another, and is not forgotten for it', async ({ baseURL }) => {
  const [first, second] = (await openTabs(2, baseURL)) as [Page, Page];
  const before = await embedOne(second);
  await startJob(first);
  await startJob(second);
  await first.goto('/plain.html');
  expect(await jobOf(second)).toBe(jobTexts);
  expect(await second.evaluate(() => window.engineWorker !== undefined)).toBe(true);
  await comeBack(first);
  expect(await jobOf(first)).toBe(jobTexts);
  expect(await embedOne(first)).toEqual(before);
});

test('a tab that follows and is left takes its work away, and asks again when it is come back to', async ({
  baseURL,
}) => {
  const [first, second] = (await openTabs(2, baseURL)) as [Page, Page];
  await startJob(second);
  await second.goto('/plain.html');
  await expect.poll(() => first.evaluate(async () => (await window.vecinity.status()).queue.inputs)).toBe(0);
  await embedOne(first);
  // A leader that begins says so to every tab that listens.
  await first.evaluate(() => window.engineWorker.terminate());
  await embedOne(first);
  await comeBack(second);
  expect(await jobOf(second)).toBe(jobTexts);
});

test('plain fetch works on in a tab that is come back to', async ({ baseURL }) => {
  const [page] = (await openTabs(1, baseURL)) as [Page];
  await registerServiceWorker(page);
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
  await page.goto('/plain.html');
  await comeBack(page);
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});
