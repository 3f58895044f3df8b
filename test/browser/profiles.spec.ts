/** What a browser keeps of the weights from one visit to the next: in a profile, in a private window, without a Service Worker. */
import { expect, type Page, test } from '@playwright/test';
import { expectGolden, openEngine } from './engine-page.js';
import { Profile } from './profile.js';
import { serveWeights } from './weights-server.js';

const server = serveWeights();

/** A visit, with right vectors; gives how often the weights are kept, and where. */
async function visit(page: Page): Promise<{ listed: number; files: number; cached: number }> {
  await openEngine(page, { model: 'owner/bert-cls', hubUrl: server.hubUrl, modelsUrl: null });
  await expectGolden(page);
  return await page.evaluate(async (sizeBytes) => {
    const countIn = async (folder: FileSystemDirectoryHandle): Promise<number> => {
      let count = 0;
      for await (const entry of folder.values()) {
        if (entry.kind === 'directory') count += await countIn(entry as FileSystemDirectoryHandle);
        else if ((await (entry as FileSystemFileHandle).getFile()).size === sizeBytes) count += 1;
      }
      return count;
    };
    let cached = 0;
    for (const name of await caches.keys()) {
      const requests = await (await caches.open(name)).keys();
      cached += requests.filter(({ url }) => url.includes('safetensors')).length;
    }
    const { length: listed } = await window.vecinity.storage.list();
    return { listed, files: await countIn(await navigator.storage.getDirectory()), cached };
  }, server.sizeBytes);
}

const inPrivateFileSystem = { listed: 1, files: 1, cached: 0 };

test('a profile keeps the weights in the private file system when the browser is closed', async ({
  launchOptions,
  baseURL,
}) => {
  const profile = await Profile.create();
  try {
    for (let start = 0; start < 2; start += 1) {
      const context = await profile.open(launchOptions, baseURL);
      expect(await visit(await context.newPage())).toEqual(inPrivateFileSystem);
      await context.close();
    }
    expect(server.ranges).toEqual([null]);
  } finally {
    await profile.remove();
  }
});

test('a private window keeps them there until it is closed, and the next one begins anew', async ({
  browser,
  baseURL,
}) => {
  for (let window = 1; window <= 2; window += 1) {
    const context = await browser.newContext(baseURL ? { baseURL } : {});
    expect(await visit(await context.newPage())).toEqual(inPrivateFileSystem);
    expect(await visit(await context.newPage())).toEqual(inPrivateFileSystem);
    await context.close();
    expect(server.ranges).toHaveLength(window);
  }
});

test.describe('in a window that blocks Service Workers', () => {
  test.use({ serviceWorkers: 'block' });

  test('tabs share an engine, vecinity.fetch answers, and the registration says what is wrong', async ({ context }) => {
    const pages = [await context.newPage(), await context.newPage()] as const;
    for (const page of pages) await openEngine(page);
    for (const page of pages) await expectGolden(page);
    expect(await Promise.all(pages.map((page) => page.evaluate(() => window.engineWorker !== undefined)))).toEqual([
      true,
      false,
    ]);
    const { refusal, status } = await pages[1].evaluate(async () => {
      const { vecinity } = window;
      const refusal = await vecinity.serviceWorker.register().catch(({ code, message }) => ({ code, message }));
      return { refusal, status: (await vecinity.fetch('/v1/models')).status };
    });
    expect(refusal).toEqual({
      code: 'service_worker_unavailable',
      message: expect.stringMatching(/blocks its registration.*vecinity\.fetch and the client work without it/),
    });
    expect(status).toBe(200);
  });
});
