/**
 * Browsers and pages that lack something: the engine works by the next best way, or says exactly what is missing. What is
 * missing is taken away in the page and in every worker before any script of ours runs.
 */
import { type BrowserContext, chromium, expect, type Page, test } from '@playwright/test';
import { expectGolden, fetchEmbeddings, openEngine, registerServiceWorker } from './engine-page.js';
import { runEverywhere } from './everywhere.js';
import { WeightsServer } from './weights-server.js';

/** Paths from the global object, each removed where it exists. */
async function without(context: BrowserContext, ...missing: string[]): Promise<void> {
  await runEverywhere(
    context,
    (paths) => {
      for (const path of paths) {
        const names = path.split('.');
        const last = names.pop() ?? '';
        let owner: unknown = self;
        for (const name of names) owner = Reflect.get(owner as object, name) ?? {};
        Reflect.deleteProperty(owner as object, last);
      }
    },
    missing,
  );
}

/** What a page sees of a failure. */
async function refusalOf(page: Page, options: object) {
  await page.goto('/');
  await page.waitForFunction(() => window.subject !== undefined);
  return await page.evaluate(
    (given) =>
      window.subject.createVecinity(given).then(
        () => ({ code: 'resolved', message: '' }),
        ({ code, message }) => ({ code, message }),
      ),
    options,
  );
}

test('without a Service Worker, as in some private windows, all but plain fetch works and says so', async ({
  page,
  context,
}) => {
  await without(context, 'Navigator.prototype.serviceWorker');
  await openEngine(page, { share: true });
  const { error, status } = await page.evaluate(async () => {
    const error = await window.vecinity.serviceWorker.register().catch(({ code, message }) => ({ code, message }));
    const init = { method: 'POST', body: '{"input":"a"}', headers: { 'content-type': 'application/json' } };
    return { error, status: (await window.vecinity.fetch('/v1/embeddings', init)).status };
  });
  expect(error).toMatchObject({
    code: 'service_worker_unavailable',
    message: expect.stringContaining('private window'),
  });
  expect(status).toBe(200);
  await expectGolden(page);
});

test('without a private file system the weights are kept in Cache Storage', async ({ page, context }) => {
  const server = new WeightsServer();
  const options = { model: 'owner/bert-cls', hubUrl: await server.start(), modelsUrl: null };
  try {
    await without(context, 'StorageManager.prototype.getDirectory');
    await openEngine(page, options);
    await expectGolden(page);
    const asked = server.ranges.length;
    await openEngine(page, options);
    await expectGolden(page);
    expect(server.ranges).toHaveLength(asked);
    expect(await page.evaluate(async () => (await caches.keys()).length)).toBeGreaterThan(0);
  } finally {
    await server.stop();
  }
});

test('without any storage the weights are fetched for every visit', async ({ page, context }) => {
  const server = new WeightsServer();
  const options = { model: 'owner/bert-cls', hubUrl: await server.start(), modelsUrl: null };
  try {
    await without(context, 'StorageManager.prototype.getDirectory', 'caches', 'WorkerGlobalScope.prototype.caches');
    await openEngine(page, options);
    await openEngine(page, options);
    await expectGolden(page);
    expect(server.ranges.length).toBeGreaterThan(1);
  } finally {
    await server.stop();
  }
});

test('without locks and channels each tab has an engine of its own, in its workers too', async ({ page, context }) => {
  await without(context, 'Navigator.prototype.locks', 'WorkerNavigator.prototype.locks', 'BroadcastChannel');
  await openEngine(page, { share: true });
  await expectGolden(page);
});

test('where locks are there but forbidden, as in frames of other sites, each tab has an engine of its own', async ({
  page,
  context,
}) => {
  const server = new WeightsServer();
  const options = { model: 'owner/bert-cls', hubUrl: await server.start(), modelsUrl: null };
  try {
    await runEverywhere(
      context,
      () => {
        const refuse = () => Promise.reject(new DOMException('Access to the Locks API is denied.', 'SecurityError'));
        LockManager.prototype.request = refuse;
        LockManager.prototype.query = refuse;
      },
      null,
    );
    await openEngine(page, options);
    await expectGolden(page);
    await registerServiceWorker(page);
    expect((await fetchEmbeddings(page, 'a text')).status).toBe(200);
    await page.evaluate(() => window.engineWorker.terminate());
    await expectGolden(page);
  } finally {
    await server.stop();
  }
});

test('without shared memory the engine computes with the same result', async ({ page, context }) => {
  await without(context, 'SharedArrayBuffer');
  await openEngine(page);
  await expectGolden(page);
  expect(await page.evaluate(() => typeof SharedArrayBuffer)).toBe('undefined');
  const backend = await page.evaluate(async () => (await window.vecinity.status()).models[0]?.backend);
  expect(backend).toMatchObject({ backend: 'wasm' });
});

test('without WebGPU the processor computes, and a GPU that was demanded is said to be missing', async ({
  page,
  context,
}) => {
  await without(context, 'Navigator.prototype.gpu', 'WorkerNavigator.prototype.gpu');
  await openEngine(page, { device: 'auto' });
  await expectGolden(page);
  const tried = await page.evaluate(async () => (await window.vecinity.status()).models[0]?.tried);
  const missing = { backend: 'onnx', device: 'webgpu', ok: false, reason: 'there is no WebGPU adapter' };
  expect(tried).toContainEqual(expect.objectContaining(missing));
});

test('without WebAssembly SIMD the error says that this is what is missing', async ({ launchOptions, baseURL }) => {
  // Such a processor: Chromium offers SIMD only where it finds these instructions.
  const args = [...(launchOptions.args ?? []), '--js-flags=--no-enable-sse4-1'];
  const browser = await chromium.launch({ ...launchOptions, args });
  try {
    const page = await browser.newPage({ ...(baseURL ? { baseURL } : {}) });
    const refusal = await refusalOf(page, { model: 'bert-cls', device: 'wasm' });
    expect(refusal.code).toBe('device_unavailable');
    expect(refusal.message).toContain('WebAssembly SIMD');
  } finally {
    await browser.close();
  }
});

test('without WebAssembly the error says that this is what is missing', async ({ page, context }) => {
  await without(context, 'WebAssembly');
  const refusal = await refusalOf(page, { model: 'bert-cls', device: 'wasm' });
  expect(refusal.code).toBe('device_unavailable');
  expect(refusal.message).toContain('WebAssembly');
});

test('in a sandboxed frame without an origin the error says that no worker can start there', async ({
  page,
  context,
}) => {
  // Such a frame may read our scripts only from a site that lets everyone read them.
  await context.route('**/*', async (route) => {
    const response = await route.fetch();
    const headers = {
      ...response.headers(),
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    };
    await route.fulfill({ response, headers });
  });
  await page.goto('/plain.html');
  await page.evaluate(() => {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    frame.src = '/';
    document.body.append(frame);
  });
  await expect.poll(() => page.frames().length).toBe(2);
  const frame = page.frames()[1];
  if (!frame) throw new Error('There is no frame.');
  await frame.waitForFunction(() => window.subject !== undefined);
  const refusals = await frame.evaluate(async () => {
    const create = (share: boolean) =>
      window.subject.createVecinity({ model: 'bert-cls', device: 'wasm', share }).then(
        () => 'resolved',
        ({ name, code, message }) => `${name} ${code}: ${message}`,
      );
    return { origin: self.origin, own: await create(false), shared: await create(true) };
  });
  expect(refusals.origin).toBe('null');
  for (const refusal of [refusals.own, refusals.shared])
    expect(refusal).toMatch(/^VecinityError worker_died: .*worker/i);
});
