/** One engine for several tabs: who has it, and what the others see when that tab goes away. */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { fetchEmbeddings, leaks, openEngine, registerServiceWorker } from './engine-page.js';

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

async function openShared(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await openEngine(page);
  return page;
}

/** A job that outlasts what happens next; `window.pending` ends with the number of vectors or the error's code. */
async function startLongEmbed(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const texts = Array.from({ length: 600 }, (_, at) => `text ${at} `.repeat(40));
    const { vecinity } = window;
    const started = new Promise<void>((resolve) => {
      vecinity.addEventListener('progress', () => resolve(), { once: true });
    });
    window.pending = vecinity.embed(texts, { truncate: true }).then(
      (vectors) => vectors.length,
      (error) => error.code,
    );
    await started;
  });
}

function embedOne(page: Page): Promise<number[]> {
  return page.evaluate(async () => [...(await window.vecinity.embed('a text'))]);
}

function hasEngine(page: Page): Promise<boolean> {
  return page.evaluate(() => window.engineWorker !== undefined);
}

/** The renderer process ends without a word, as with a crash or when the system takes its memory. */
async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = page.waitForEvent('crash');
  session.send('Page.crash').catch(() => {});
  await crashed;
}

test('two tabs have one engine and load its weights once', async ({ context }) => {
  const weights: string[] = [];
  context.on('request', (request) => {
    if (request.url().includes('.safetensors')) weights.push(request.url());
  });
  const first = await openShared(context);
  const ofFirst = weights.length;
  expect(ofFirst).toBeGreaterThan(0);
  const second = await openShared(context);
  expect(await embedOne(second)).toEqual(await embedOne(first));
  expect([await hasEngine(first), await hasEngine(second)]).toEqual([true, false]);
  expect(weights.length).toBe(ofFirst);
});

test('tabs that ask for different models have an engine each', async ({ context }) => {
  const first = await openShared(context);
  const second = await context.newPage();
  await openEngine(second, { model: 'bert-mean-unnormalized' });
  const idsOf = (page: Page) => page.evaluate(async () => (await window.vecinity.status()).models.map(({ id }) => id));
  expect(await idsOf(first)).toEqual(['bert-cls']);
  expect(await idsOf(second)).toEqual(['bert-mean-unnormalized']);
});

test('tabs of two deployed builds have an engine each', async ({ context }) => {
  const first = await openShared(context);
  const { version } = await registerServiceWorker(first);
  const second = await context.newPage();
  await second.route('**/*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll(version, 'another-build') });
  });
  await openEngine(second);
  expect([await hasEngine(first), await hasEngine(second)]).toEqual([true, true]);
  const names = await first.evaluate(async () => (await navigator.locks.query()).held?.map(({ name }) => name));
  const leaders = names?.filter((name) => name?.endsWith(':leader')).map((name) => name?.split(':').slice(0, 3));
  expect(leaders?.sort()).toEqual(
    [
      ['vecinity', '1', version],
      ['vecinity', '1', 'another-build'],
    ].sort(),
  );
});

test('a tab that was told so does not share its engine', async ({ context }) => {
  const first = await openShared(context);
  const second = await context.newPage();
  await openEngine(second, { share: false });
  expect([await hasEngine(first), await hasEngine(second)]).toEqual([true, true]);
});

test('a job goes on in another tab when the tab with the engine is closed', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  const before = await embedOne(second);
  await startLongEmbed(second);
  await first.close();
  expect(await second.evaluate(() => window.pending)).toBe(600);
  expect(await embedOne(second)).toEqual(before);
  expect(await hasEngine(second)).toBe(true);
});

test('a job goes on in another tab when the tab with the engine crashes', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await startLongEmbed(second);
  await crash(first);
  expect(await second.evaluate(() => window.pending)).toBe(600);
});

test('a job goes on when the tab with the engine is reloaded, and that tab follows', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await startLongEmbed(second);
  await openEngine(first);
  expect(await second.evaluate(() => window.pending)).toBe(600);
  await embedOne(first);
  expect([await hasEngine(first), await hasEngine(second)]).toEqual([false, true]);
});

test('a job goes on in another tab when the tab with the engine goes to another page', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await startLongEmbed(second);
  await first.goto('/plain.html');
  expect(await second.evaluate(() => window.pending)).toBe(600);
  expect(await hasEngine(second)).toBe(true);
});

// Headless Chromium freezes no page, whatever `Page.setWebLifecycleState` is told; a page that is stuck has its own test.
for (const [event, back] of [
  ['freeze', 'resume'],
  ['pagehide', 'pageshow'],
] as const)
  test(`a tab that hears ${event} hands the engine over at once, and its own job ends after ${back}`, async ({
    context,
  }) => {
    const tell = (page: Page, type: string) =>
      page.evaluate((name) => (name.startsWith('page') ? window : document).dispatchEvent(new Event(name)), type);
    const first = await openShared(context);
    const second = await openShared(context);
    await startLongEmbed(first);
    await startLongEmbed(second);
    await tell(first, event);
    await second.waitForFunction(() => window.engineWorker !== undefined);
    expect(await second.evaluate(() => window.pending)).toBe(600);
    await tell(first, back);
    expect(await first.evaluate(() => window.pending)).toBe(600);
    await expect.poll(() => first.workers().length).toBe(0);
  });

test('a worker that is terminated costs no request', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await startLongEmbed(second);
  await first.evaluate(() => window.engineWorker.terminate());
  expect(await second.evaluate(() => window.pending)).toBe(600);
});

test('the status says in every tab when the engine was replaced, and why', async ({ context }) => {
  const [first, second, third] = [await openShared(context), await openShared(context), await openShared(context)];
  const formerEngines = (page: Page) => page.evaluate(async () => (await window.vecinity.status()).formerEngines);
  expect(await formerEngines(second)).toEqual([]);
  const start = Date.now();
  await first.evaluate(() => window.engineWorker.terminate());
  const died = { at: expect.any(String), reason: expect.stringMatching(/^The engine worker died: it was terminated/) };
  for (const page of [first, second]) expect(await formerEngines(page)).toEqual([died]);
  const [{ at } = { at: '' }] = await formerEngines(second);
  expect(Date.parse(at)).toBeGreaterThanOrEqual(start);
  await first.close();
  const closed = expect.objectContaining({ reason: expect.stringContaining('The tab that had the engine was closed') });
  for (const page of [second, third]) expect(await formerEngines(page)).toEqual([closed]);
});

test('a plain fetch of a tab that asks another is answered although that one is closed', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await registerServiceWorker(second);
  expect((await fetchEmbeddings(second, 'text')).status).toBe(200);
  await second.evaluate(() => {
    const input = Array.from({ length: 600 }, (_, at) => `text ${at} `.repeat(40));
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ input, truncate: true }) };
    window.pending = fetch('/v1/embeddings', init).then(async (response) => (await response.json()).data.length);
  });
  await second.waitForFunction(async () => (await window.vecinity.status()).queue.inputs > 0);
  await first.close();
  expect(await second.evaluate(() => window.pending)).toBe(600);
});

test('a tab that floods the engine leaves another tab its share', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  const flood = first.evaluate(async () => {
    const texts = Array.from({ length: 100 }, (_, at) => `text ${at} `.repeat(20));
    window.ended = 0;
    const jobs = Array.from({ length: 40 }, async () => {
      await window.vecinity.embed(texts);
      window.ended += 1;
    });
    await Promise.all(jobs);
    return window.ended;
  });
  await first.waitForFunction(() => window.ended > 0);
  await second.evaluate(async () => {
    const texts = Array.from({ length: 300 }, (_, at) => `text ${at} `.repeat(20));
    await window.vecinity.embed(texts);
  });
  expect(await first.evaluate(() => window.ended)).toBeLessThan(20);
  expect(await flood).toBe(40);
});

test('a cancel in one tab drops its work in the other', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  const code = await second.evaluate(async () => {
    const controller = new AbortController();
    const texts = Array.from({ length: 2_000 }, () => 'a text '.repeat(60));
    const options = { signal: controller.signal, onProgress: () => controller.abort(), truncate: true };
    return await window.vecinity.embed(texts, options).catch((error) => error.code);
  });
  expect(code).toBe('aborted');
  await expect.poll(() => first.evaluate(async () => (await window.vecinity.status()).queue.inputs)).toBe(0);
});

test('a tab that is closed takes its work with it', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await startLongEmbed(second);
  await second.close();
  await expect.poll(() => first.evaluate(async () => (await window.vecinity.status()).queue.inputs)).toBe(0);
});

test('dispose leaves the engine to the next tab', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await first.evaluate(() => window.vecinity.dispose());
  expect((await embedOne(second)).length).toBeGreaterThan(0);
  await expect.poll(() => first.workers().length).toBe(0);
  expect(await first.evaluate(() => window.vecinity.embed('later').catch((error) => error.code))).toBe('disposed');
});

test('a model that cannot be loaded leaves the way free for the next try', async ({ context }) => {
  const page = await context.newPage();
  await page.goto('/');
  await page.waitForFunction(() => window.subject !== undefined);
  const codes = await page.evaluate(async () => {
    const create = () => window.subject.createVecinity({ model: 'missing-weights', device: 'wasm' });
    const codeOf = (error: { code: string }) => error.code;
    return [await create().catch(codeOf), await create().catch(codeOf)];
  });
  expect(codes).toEqual(['model_file_missing', 'model_file_missing']);
  expect(await page.evaluate(async () => (await navigator.locks.query()).held?.length)).toBe(0);
});

test('a tab that is seen takes the engine over from one that is hidden and has nothing to do', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  await first.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await second.waitForFunction(() => window.engineWorker !== undefined);
  expect((await embedOne(second)).length).toBeGreaterThan(0);
  await expect.poll(() => first.workers().length).toBe(0);
  expect((await embedOne(first)).length).toBeGreaterThan(0);
});

test('a tab that is stuck loses the engine to one that waits, and follows it later', async ({ context }) => {
  const first = await openShared(context);
  const second = await openShared(context);
  const session = await context.newCDPSession(first);
  await session.send('Debugger.enable');
  await session.send('Debugger.pause');
  expect((await embedOne(second)).length).toBeGreaterThan(0);
  expect(await hasEngine(second)).toBe(true);
  await session.send('Debugger.disable');
  expect((await embedOne(first)).length).toBeGreaterThan(0);
  await expect.poll(() => first.workers().length).toBe(0);
});

for (const missing of ['BroadcastChannel', 'LockManager']) {
  test(`without ${missing} each tab has its own engine`, async ({ context }) => {
    await context.addInitScript((name) => {
      if (name === 'LockManager') Reflect.deleteProperty(Navigator.prototype, 'locks');
      else Reflect.deleteProperty(window, name);
    }, missing);
    const first = await openShared(context);
    const second = await openShared(context);
    expect(await embedOne(second)).toEqual(await embedOne(first));
    expect([await hasEngine(first), await hasEngine(second)]).toEqual([true, true]);
  });
}
