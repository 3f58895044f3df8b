/** What may happen to a download and to the storage while they are in use, by the browser's own means. */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import type { LoadProgress, StorageFull, Vecinity } from 'vecinity';
import { expectGolden, openEngine } from './engine-page.js';
import { type Answer, serveWeights } from './weights-server.js';

declare global {
  interface Window {
    /** What a load that was only begun has said, and how it ended. */
    begun: { progress: LoadProgress[]; abort: AbortController; end: Promise<string> };
  }
}

const origin = 'http://localhost:4173';
const model = 'owner/bert-cls';
const server = serveWeights();

const half = () => server.sizeBytes >> 1;

/** Sends the first half of the weights and says nothing more until it is told to go on. */
function heldAtHalf(): { answer: Answer; goOn: () => void } {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const answer: Answer = (response, bytes) => {
    response.writeHead(200, { etag: '"v1"', 'content-length': bytes.length });
    response.write(bytes.subarray(0, half()));
    void told.then(() => response.end(bytes.subarray(half())));
  };
  return { answer, goOn };
}

async function open(page: Page): Promise<void> {
  await page.goto('/');
  await page.waitForFunction(() => window.subject !== undefined);
}

/** Begins a load and comes back when this many bytes of the weights have been read. */
async function begin(page: Page, bytes: number, storageFull: StorageFull = 'error'): Promise<void> {
  await page.evaluate(
    (given) => {
      const progress: LoadProgress[] = [];
      const abort = new AbortController();
      const loading: Promise<Vecinity> = window.subject.createVecinity({
        ...given,
        createWorker: () => window.subject.startEngineWorker(),
        onProgress: (event) => event.type === 'load' && progress.push(event),
        signal: abort.signal,
      });
      const end = loading.then(
        (vecinity) => {
          window.vecinity = vecinity;
          return 'ready';
        },
        (error) => `${error.code}: ${error.message}`,
      );
      window.begun = { progress, abort, end };
    },
    { model, hubUrl: server.hubUrl, modelsUrl: null, device: 'wasm', dtype: 'f32', storageFull } as const,
  );
  await page.waitForFunction(
    (wanted) => (window.begun.progress.at(-1)?.files['model.safetensors']?.loadedBytes ?? -1) >= wanted,
    bytes,
  );
}

const endOf = (page: Page) => page.evaluate(() => window.begun.end);

/** A new visit of the page. */
async function load(page: Page, options: { model?: string; storageFull?: StorageFull } = {}): Promise<void> {
  await openEngine(page, { model, hubUrl: server.hubUrl, modelsUrl: null, ...options });
}

async function setQuota(context: BrowserContext, page: Page, quotaBytes: number | null): Promise<void> {
  const session = await context.newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', {
    origin,
    ...(quotaBytes === null ? {} : { quotaSize: quotaBytes }),
  });
}

const storedModels = (page: Page) =>
  page.evaluate(async () => (await window.vecinity.storage.list()).map((stored) => stored.model));

test('a page that is reloaded in the middle of a download goes on where it was', async ({ page }) => {
  const { answer } = heldAtHalf();
  server.answers = [answer];
  await open(page);
  await begin(page, 1);
  await load(page);
  await expectGolden(page);
  expect(server.ranges).toEqual([null, expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
});

test('a load that is cancelled keeps what is there, and the next one tells how much that was', async ({ page }) => {
  const { answer } = heldAtHalf();
  server.answers = [answer];
  await open(page);
  await begin(page, 1);
  await page.evaluate(() => window.begun.abort.abort());
  expect(await endOf(page)).toMatch(/^aborted: /);
  await begin(page, server.sizeBytes);
  expect(await endOf(page)).toBe('ready');
  await expectGolden(page);
  const start = Number(/^bytes=(\d+)-$/.exec(server.ranges[1] ?? '')?.[1]);
  expect(start).toBeGreaterThan(0);
  const last = await page.evaluate(() => window.begun.progress.at(-1));
  expect(last?.files['model.safetensors']?.resumedBytes).toBe(start);
  expect(last).toMatchObject({ phase: 'ready', loadedBytes: last?.totalBytes });
});

test('storage that is cleared in the middle of a download costs nothing but the traffic', async ({ page, context }) => {
  const { answer, goOn } = heldAtHalf();
  server.answers = [answer];
  await open(page);
  await begin(page, 1);
  const session = await context.newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'all' });
  goOn();
  expect(await endOf(page)).toBe('ready');
  await expectGolden(page);
  await load(page);
  await expectGolden(page);
});

for (const name of ['record.json', 'data', 'used']) {
  test(`a stored file whose ${name} was deleted is healed`, async ({ page }) => {
    await load(page);
    const removed = await page.evaluate(async (entryName) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle('vecinity-files-v1');
      let count = 0;
      for await (const folder of root.values()) {
        await (folder as FileSystemDirectoryHandle).removeEntry(entryName);
        count += 1;
      }
      return count;
    }, name);
    expect(removed).toBeGreaterThan(3);
    await load(page);
    await expectGolden(page);
    await load(page);
    await expectGolden(page);
    expect(server.ranges.length).toBeLessThanOrEqual(2);
  });
}

test.describe('with too little room', () => {
  // Chromium tells every site of gigabytes, whatever its quota is: only a write shows what is true.
  test('a load says what is missing, and works when there is room again', async ({ page, context }) => {
    await open(page);
    await setQuota(context, page, 1_000_000);
    await begin(page, -1);
    expect(await endOf(page)).toMatch(
      /^storage_full: The file model\.safetensors needs \d\.\d MB of storage and the browser gives no more\./,
    );
    await setQuota(context, page, null);
    await load(page);
    await expectGolden(page);
  });

  test('a stored model works, is listed and can be deleted on a disk that is full', async ({ page, context }) => {
    await load(page);
    await setQuota(context, page, 1);
    const fetched = server.ranges.length;
    await load(page);
    await expectGolden(page);
    expect(server.ranges.length).toBe(fetched);
    expect(await storedModels(page)).toEqual([model]);
    expect(await page.evaluate((name) => window.vecinity.storage.delete(name), model)).toBe(true);
    expect(await storedModels(page)).toEqual([]);
  });

  test('a load that may use memory works, and keeps only what fits', async ({ page, context }) => {
    await open(page);
    await setQuota(context, page, 1_000_000);
    await load(page, { storageFull: 'memory' });
    await expectGolden(page);
    const stored = await page.evaluate(() => window.vecinity.storage.list());
    expect(stored[0]?.sizeBytes).toBeLessThan(100_000);
  });

  test('a model that may use memory survives the death of its engine on a full disk from which it was cleared', async ({
    page,
    context,
  }) => {
    await load(page, { storageFull: 'memory' });
    const session = await context.newCDPSession(page);
    await session.send('Storage.clearDataForOrigin', { origin, storageTypes: 'file_systems,cache_storage' });
    await setQuota(context, page, 1_000_000);
    await page.evaluate(() => window.engineWorker.terminate());
    await expectGolden(page);
    const stored = await page.evaluate(() => window.vecinity.storage.list());
    expect(stored.every(({ sizeBytes }) => sizeBytes < 100_000)).toBe(true);
  });

  test('a load that may evict deletes the model that was used least lately', async ({ page, context }) => {
    for (const other of ['owner/first', 'owner/second']) await load(page, { model: other });
    await load(page, { model: 'owner/first' });
    const { usedBytes } = await page.evaluate(() => window.vecinity.storage.usage());
    await setQuota(context, page, (usedBytes ?? 0) + 500_000);
    await load(page, { storageFull: 'evict' });
    await expectGolden(page);
    expect((await storedModels(page)).sort()).toEqual([model, 'owner/first']);
  });

  test('a disk that is full in the middle of a download is said, and the download goes on later', async ({
    page,
    context,
  }) => {
    const { answer, goOn } = heldAtHalf();
    server.answers = [answer];
    await open(page);
    await begin(page, 1);
    await setQuota(context, page, 1);
    goOn();
    expect(await endOf(page)).toMatch(/^storage_full: The file model\.safetensors needs /);
    await setQuota(context, page, null);
    await load(page);
    await expectGolden(page);
    expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
  });
});
