/** Weights from another origin: kept in the browser's storage, gone on with after a break, healed when damaged. */
import { expect, type Page, test } from '@playwright/test';
import { expectGolden, openEngine } from './engine-page.js';
import { type Answer, serveWeights } from './weights-server.js';

const model = 'owner/bert-cls';
const server = serveWeights();

/** A new visit of the page. */
const load = (page: Page) => openEngine(page, { model, hubUrl: server.hubUrl, modelsUrl: null });

/** Changes a file in the private file system as nobody should. */
async function damage(page: Page, sizeBytes: number): Promise<number> {
  return await page.evaluate(async (size) => {
    let flipped = 0;
    const walk = async (folder: FileSystemDirectoryHandle): Promise<void> => {
      for await (const entry of folder.values()) {
        if (entry.kind === 'directory') await walk(entry as FileSystemDirectoryHandle);
        else flipped += await flip(entry as FileSystemFileHandle);
      }
    };
    const flip = async (handle: FileSystemFileHandle): Promise<number> => {
      const file = await handle.getFile();
      if (file.size !== size) return 0;
      const bytes = new Uint8Array(await file.arrayBuffer());
      bytes[700_000] = (bytes[700_000] ?? 0) ^ 1;
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
      return 1;
    };
    await walk(await navigator.storage.getDirectory());
    return flipped;
  }, sizeBytes);
}

test('weights are downloaded once and stay for the next visit', async ({ page }) => {
  await load(page);
  await expectGolden(page);
  await load(page);
  await expectGolden(page);
  expect(server.ranges).toEqual([null]);
});

test('a download goes on where the network cut it, ten times', async ({ page }) => {
  // 0.1 to 0.9 of a twelfth of the file at each cut, from a fixed seed.
  let state = 7;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  server.cuts = Array.from({ length: 10 }, () => Math.floor((server.sizeBytes / 12) * (0.1 + 0.8 * random())));
  await load(page);
  await expectGolden(page);
  expect(server.ranges.length).toBeGreaterThan(5);
  expect(server.ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
});

const refusals: [string, Answer, string][] = [
  ['a wrong length', (response) => response.end('short'), 'model_file_invalid'],
  ['a wrong hash', (response, bytes) => response.end(Buffer.alloc(bytes.length, 7)), 'model_file_invalid'],
  [
    'a page of HTML',
    (response) => response.setHeader('content-type', 'text/html').end('<!doctype html><html></html>'),
    'model_file_invalid',
  ],
  // The hub's list has the file, so the model does not lack it.
  ['404', (response) => response.writeHead(404).end(), 'download_failed'],
  ['500', (response) => response.writeHead(500).end(), 'download_failed'],
];

for (const [name, answer, code] of refusals) {
  test(`${name} in place of the weights is refused, and the next load works`, async ({ page }) => {
    // As many as there are tries: a server that answers 500 is asked for a while.
    server.answers = new Array(8).fill(answer);
    const options = { model, hubUrl: server.hubUrl, modelsUrl: null, device: 'wasm', dtype: 'f32' } as const;
    await page.goto('/');
    await page.waitForFunction(() => window.subject !== undefined);
    const failed = await page.evaluate(async (given) => {
      const createWorker = () => window.subject.startEngineWorker();
      return await window.subject.createVecinity({ ...given, createWorker }).catch((error) => error.code);
    }, options);
    expect(failed).toBe(code);
    server.answers = [];
    await load(page);
    await expectGolden(page);
  });
}

test('a wrong file that comes once does no harm', async ({ page }) => {
  server.answers = [(response, bytes) => response.end(Buffer.alloc(bytes.length, 7))];
  await load(page);
  await expectGolden(page);
  expect(server.ranges).toEqual([null, null]);
});

for (const [name, wrong] of [
  ['of another version', (bytes: Buffer) => Buffer.alloc(bytes.length, 7)],
  ['of HTML', () => '<!doctype html><html></html>'],
] as const) {
  test(`a wrong file ${name} that the browser caches is not taken from there again`, async ({ page }) => {
    const answer: Answer = (response, bytes) =>
      response.setHeader('cache-control', 'public, max-age=3600').end(wrong(bytes));
    server.answers = [answer];
    await load(page);
    await expectGolden(page);
    expect(server.ranges).toEqual([null, null]);
  });
}

test('weights that trickle in arrive', async ({ page }) => {
  server.answers = [
    (response, bytes) => {
      response.writeHead(200, { 'content-length': bytes.length });
      const stepBytes = Math.ceil(bytes.length / 40);
      const send = (start: number): void => {
        if (start >= bytes.length) return void response.end();
        response.write(bytes.subarray(start, start + stepBytes), () => setImmediate(send, start + stepBytes));
      };
      send(0);
    },
  ];
  await load(page);
  await expectGolden(page);
});

test('a flipped bit on the disk is found and healed', async ({ page }) => {
  await load(page);
  expect(await damage(page, server.sizeBytes)).toBe(1);
  await load(page);
  await expectGolden(page);
  expect(server.ranges).toEqual([null, null]);
});

test('storage cleared while the engine runs is filled again', async ({ page }) => {
  await load(page);
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin: 'http://localhost:4173', storageTypes: 'all' });
  await expectGolden(page);
  await page.evaluate(async (name) => {
    await window.vecinity.unload(name);
    await window.vecinity.load(name);
  }, model);
  await expectGolden(page);
  expect(server.ranges).toEqual([null, null]);
});

test('two tabs download a file once', async ({ page, context }) => {
  const other = await context.newPage();
  await Promise.all([load(page), load(other)]);
  await expectGolden(page);
  await expectGolden(other);
  expect(server.ranges).toEqual([null]);
});

test('stored models are listed, measured and deleted', async ({ page }) => {
  await load(page);
  const found = await page.evaluate(async () => ({
    list: await window.vecinity.storage.list(),
    usage: await window.vecinity.storage.usage(),
  }));
  expect(found.list).toEqual([expect.objectContaining({ model, revision: 'main', complete: true })]);
  expect(found.list[0]?.sizeBytes).toBeGreaterThan(server.sizeBytes);
  expect(found.usage.modelsBytes).toBe(found.list[0]?.sizeBytes);
  const left = await page.evaluate(async (name) => {
    const deleted = await window.vecinity.storage.delete(name);
    return { deleted, list: await window.vecinity.storage.list(), again: await window.vecinity.storage.delete(name) };
  }, model);
  expect(left).toEqual({ deleted: true, list: [], again: false });
  await load(page);
  await expectGolden(page);
  expect(server.ranges).toEqual([null, null]);
});
