/** Aborts, deaths and the end of an engine: every call ends at once, and the next one works. */
import { expect, type Page, test } from '@playwright/test';
import { leaks, openEngine } from './engine-page.js';

test.beforeEach(async ({ page }) => {
  await openEngine(page);
});

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

/** Starts a job that outlasts the test, once by each way into the engine; what each ends with is its error's code. */
async function startLongCalls(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const { vecinity } = window;
    const texts = Array.from({ length: 20_000 }, (_, at) => `text ${at} `.repeat(60));
    const codeOf = (call: Promise<unknown>) =>
      call.then(
        () => 'resolved',
        (error) => error.code ?? error.name,
      );
    const started = new Promise<void>((resolve) => {
      vecinity.addEventListener('progress', () => resolve(), { once: true });
    });
    const body = JSON.stringify({ input: texts.slice(0, 2_000), truncate: true });
    const init = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
    window.pending = Promise.all([
      codeOf(vecinity.embed(texts, { truncate: true })),
      codeOf(vecinity.embeddings.create({ input: texts.slice(0, 2_000), truncate: true })),
      vecinity.fetch('/v1/embeddings', init).then(async (response) => (await response.json()).error?.code),
    ]);
    await started;
  });
}

async function worksAgain(page: Page): Promise<void> {
  const { length, states } = await page.evaluate(async () => ({
    length: (await window.vecinity.embed('again')).length,
    states: (await window.vecinity.status()).models.map(({ id, state }) => `${id} ${state}`),
  }));
  expect(length).toBeGreaterThan(0);
  expect(states).toEqual(['bert-cls ready']);
}

test('an abort ends a running job at once and leaves the engine free', async ({ page }) => {
  const ended = await page.evaluate(async () => {
    const { vecinity } = window;
    const controller = new AbortController();
    const texts = Array.from({ length: 2_000 }, () => 'a text '.repeat(60));
    const abort = () => controller.abort();
    const embed = vecinity
      .embed(texts, { signal: controller.signal, onProgress: abort, truncate: true })
      .catch((error) => `${error.name} ${error.code}`);
    const body = JSON.stringify({ input: texts, truncate: true });
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', body, headers, signal: controller.signal };
    const fetched = vecinity.fetch('/v1/embeddings', init).catch((error) => error.name);
    return [await embed, await fetched];
  });
  expect(ended).toEqual(['VecinityError aborted', 'AbortError']);
  await expect
    .poll(() => page.evaluate(async () => (await window.vecinity.status()).queue.inputs), { message: 'queue is empty' })
    .toBe(0);
  await worksAgain(page);
});

test('a terminated worker rejects every waiting call of an engine that is not shared; the next call starts another', async ({
  context,
}) => {
  const page = await context.newPage();
  await openEngine(page, { share: false });
  await startLongCalls(page);
  const codes = await page.evaluate(() => {
    window.engineWorker.terminate();
    return window.pending;
  });
  expect(codes).toEqual(['worker_died', 'worker_died', 'worker_died']);
  await worksAgain(page);
});

test('an uncaught error in such a worker does the same', async ({ context }) => {
  const page = await context.newPage();
  await openEngine(page, { share: false });
  await startLongCalls(page);
  const [worker] = page.workers();
  await worker?.evaluate(() => {
    setTimeout(() => {
      throw new Error('a defect');
    });
  });
  expect(await page.evaluate(() => window.pending)).toEqual(['worker_died', 'worker_died', 'worker_died']);
  await worksAgain(page);
});

test('dispose rejects what waits and what comes with disposed, and leaves no worker', async ({ page }) => {
  await startLongCalls(page);
  const codes = await page.evaluate(async () => {
    await window.vecinity.dispose();
    const later = await window.vecinity.embed('later').catch((error) => error.code);
    return [...((await window.pending) as string[]), later];
  });
  expect(codes).toEqual(['disposed', 'disposed', 'disposed', 'disposed']);
  await expect.poll(() => page.workers().length).toBe(0);
});

test('a worker script that is not there is said so, at once', async ({ page }) => {
  const error = await page.evaluate(async () => {
    const { createVecinity } = window.subject;
    return await createVecinity({ model: 'bert-cls', workerUrl: '/no-such-worker.js' }).catch((thrown) => thrown.code);
  });
  expect(error).toBe('worker_died');
});

test('progress tells of the files while a model loads and of texts while a job runs', async ({ page }) => {
  const events = await page.evaluate(async () => {
    const seen: string[] = [];
    const vecinity = await window.subject.createVecinity({
      model: 'bert-mean-unnormalized',
      device: 'wasm',
      onProgress: (progress) =>
        seen.push(progress.type === 'load' ? progress.phase : `${progress.done}/${progress.total}`),
    });
    await vecinity.embed(['one', 'two', 'three']);
    await vecinity.dispose();
    return seen;
  });
  expect(events).toContain('download');
  expect(events).toContain('ready');
  expect(events.at(-1)).toBe('3/3');
});

test('the page has next to nothing to do while many texts are embedded', async ({ page, context }) => {
  const session = await context.newCDPSession(page);
  // The time of the processor, so that what else the machine has to do does not count.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const busySeconds = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
  const before = await busySeconds();
  const jobMs = await page.evaluate(async () => {
    const texts = Array.from({ length: 512 }, (_, at) => `paragraph ${at} `.repeat(40));
    const startedAt = performance.now();
    await window.vecinity.embed(texts, { truncate: true });
    return performance.now() - startedAt;
  });
  const busyMs = ((await busySeconds()) - before) * 1_000;
  expect(busyMs).toBeGreaterThan(0);
  expect(busyMs / jobMs).toBeLessThan(0.05);
});
