/** Plain `fetch` through the Service Worker: who is answered, and what happens when a part of the chain goes away. */
import { type CDPSession, expect, type Page, test } from '@playwright/test';
import { fetchEmbeddings, leaks, openEngine, openEngineHere, registerServiceWorker } from './engine-page.js';

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

/** A request that is still open when the test goes on; `window.pending` ends with its status or its error's name. */
async function startLongFetch(page: Page): Promise<void> {
  await page.evaluate(() => {
    const input = Array.from({ length: 800 }, (_, at) => `text ${at} `.repeat(40));
    const init = {
      method: 'POST',
      body: JSON.stringify({ input, truncate: true }),
      headers: { 'content-type': 'application/json' },
    };
    window.pending = fetch('/v1/embeddings', init).then(
      ({ status }) => status,
      ({ name }) => name,
    );
  });
}

/** Resolves once the page's engine works for the Service Worker. */
async function waitUntilBusy(page: Page): Promise<void> {
  await page.waitForFunction(async () => (await window.vecinity.status()).queue.inputs > 0);
}

/** Lets the page's requests pass its Service Worker by, as Chromium does at times; resolves to what ends that. */
async function passServiceWorkerBy(page: Page): Promise<() => Promise<unknown>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Network.setBypassServiceWorker', { bypass: true });
  return () => session.send('Network.setBypassServiceWorker', { bypass: false });
}

async function stopServiceWorkers(session: CDPSession): Promise<void> {
  await session.send('ServiceWorker.enable');
  await session.send('ServiceWorker.stopAllWorkers');
}

test('a first visit is controlled without a reload', async ({ page }) => {
  await openEngine(page);
  const before = await page.evaluate(() => navigator.serviceWorker.controller);
  expect(before).toBeNull();
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true, outdated: false });
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a page is controlled again after a hard reload', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(page);
  const loaded = page.waitForEvent('load');
  await session.send('Page.reload', { ignoreCache: true });
  await loaded;
  await openEngineHere(page);
  expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull();
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true });
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a page whose load met the end of the Service Worker is answered too', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(await context.newPage());
  const reloaded = page.reload();
  await stopServiceWorkers(session);
  await reloaded;
  await openEngineHere(page);
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true });
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a frame, another worker and a page without the package are answered too', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const init = { method: 'POST', body: '{"input":"text"}', headers: { 'content-type': 'application/json' } };
  const fromPage = await fetchEmbeddings(page, 'text');
  const fromWorker = await page.evaluate((given) => window.subject.fetchInWorker('/v1/embeddings', given), init);
  const fromFrame = await page.evaluate(async (given) => {
    const frame = document.createElement('iframe');
    frame.src = '/plain.html';
    const ready = new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }));
    document.body.append(frame);
    await ready;
    const response = await frame.contentWindow?.fetch('/v1/embeddings', given);
    return await response?.json();
  }, init);
  const other = await context.newPage();
  await other.goto('/plain.html');
  const fromOther = await fetchEmbeddings(other, 'text');
  for (const body of [fromWorker, fromFrame, fromOther.body]) expect(body).toEqual(fromPage.body);
});

test('a Service Worker that is stopped in the middle of a request costs that request at most', async ({
  page,
  context,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(page);
  await startLongFetch(page);
  await waitUntilBusy(page);
  await stopServiceWorkers(session);
  expect(['TypeError', 200]).toContain(await page.evaluate(() => window.pending));
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('the openai package gets its answer although the Service Worker is stopped meanwhile', async ({
  page,
  context,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(page);
  await page.evaluate(() => {
    const client = new window.subject.OpenAI({
      baseURL: new URL('/v1', location.href).href,
      apiKey: 'none',
      dangerouslyAllowBrowser: true,
    });
    const input = Array.from({ length: 1_000 }, (_, at) => `text ${at} `.repeat(12));
    window.pending = client.embeddings.create({ model: 'bert-cls', input }).then(({ data }) => data.length);
  });
  await waitUntilBusy(page);
  await stopServiceWorkers(session);
  expect(await page.evaluate(() => window.pending)).toBe(1_000);
});

test('a Service Worker that sleeps is woken by the next request', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  await stopServiceWorkers(await context.newCDPSession(page));
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a request is answered although the Service Worker is updated in between, and so is the next', async ({
  page,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  await startLongFetch(page);
  await waitUntilBusy(page);
  const update = page.evaluate(() => window.vecinity.serviceWorker.register({ url: '/vecinity-sw.js?deployed=later' }));
  expect(await page.evaluate(() => window.pending)).toBe(200);
  expect(await update).toMatchObject({ controlled: true });
  // The browser changes workers between two events, at a time of its own choice.
  const servedBy = async () => {
    expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
    return await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL);
  };
  await expect.poll(servedBy, { timeout: 30_000 }).toContain('deployed=later');
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('an update that requests have held up takes over in the first moment without any', async ({ page }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const registered = await page.evaluate(async () => {
    const init = { method: 'POST', body: '{"input":"text"}', headers: { 'content-type': 'application/json' } };
    let isOver = false;
    const ask = async () => {
      const statuses = new Set<number>();
      while (!isOver) statuses.add((await fetch('/v1/embeddings', init)).status);
      return [...statuses];
    };
    const asking = ask();
    const { controlled } = await window.vecinity.serviceWorker.register({ url: '/vecinity-sw.js?deployed=later' });
    isOver = true;
    return { controlled, statuses: await asking };
  });
  expect(registered).toEqual({ controlled: true, statuses: [200] });
  await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.includes('deployed=later'));
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('an update that fell asleep while it waited for a long request answers what comes after that request', async ({
  page,
  context,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(page);
  const waiting = new Promise<string>((resolve) => {
    session.on('ServiceWorker.workerVersionUpdated', ({ versions }) => {
      for (const { status, versionId } of versions) if (status === 'installed') resolve(versionId);
    });
  });
  await session.send('ServiceWorker.enable');
  await startLongFetch(page);
  await waitUntilBusy(page);
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.register('/vecinity-sw.js?deployed=later');
    while (!registration.waiting) await new Promise(requestAnimationFrame);
  });
  await session.send('ServiceWorker.stopWorker', { versionId: await waiting });
  expect(await page.evaluate(() => window.pending)).toBe(200);
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.endsWith('?deployed=later'));
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a page whose requests pass the Service Worker by in the middle of its life has another one take it over', async ({
  page,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  await page.route('/v1/embeddings', (route) => route.fulfill({ status: 404, json: {} }));
  const endBypass = await passServiceWorkerBy(page);
  expect((await fetchEmbeddings(page, 'text')).status).toBe(404);
  await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.endsWith('?again=1'));
  await endBypass();
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a page whose new Service Worker is passed by is mended before it asks for anything', async ({ page }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const endBypass = await passServiceWorkerBy(page);
  await page.evaluate(() => navigator.serviceWorker.dispatchEvent(new Event('controllerchange')));
  await page.waitForFunction(() => navigator.serviceWorker.controller?.scriptURL.endsWith('?again=1'));
  await endBypass();
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a page that belongs to a Service Worker of a narrower scope is told so, and what to do about it', async ({
  page,
}) => {
  await openEngine(page, {}, '/index.html');
  const theirs = { url: '/vecinity-sw.js?theirs', scope: '/index.html' };
  const refused = await page.evaluate(async ({ url, scope }) => {
    const { installing } = await navigator.serviceWorker.register(url, { scope });
    await new Promise<void>((resolve) => {
      installing?.addEventListener('statechange', () => installing.state === 'activated' && resolve());
    });
    return await window.vecinity.serviceWorker.register().catch(({ message }) => message);
  }, theirs);
  expect(refused).toContain('this page belongs to /vecinity-sw.js?theirs, whose scope /index.html is narrower');
  expect(refused).toContain("register({ url: '/vecinity-sw.js?theirs', scope: '/index.html' })");
  const followed = await page.evaluate((options) => window.vecinity.serviceWorker.register(options), theirs);
  expect(followed).toMatchObject({ controlled: true });
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a Service Worker of a narrower scope than the one that has the page gets it', async ({ page }) => {
  await openEngine(page, {}, '/index.html');
  await registerServiceWorker(page);
  const registered = await page.evaluate(() =>
    window.vecinity.serviceWorker.register({ url: '/vecinity-sw.js?narrower', scope: '/index.html' }),
  );
  expect(registered).toMatchObject({ controlled: true });
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toContain('?narrower');
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test("a site's own Service Worker that answers for us gives way to ours where that is registered", async ({ page }) => {
  await openEngine(page);
  const theirs = await page.evaluate(() => window.vecinity.serviceWorker.register({ url: '/their-sw.js' }));
  expect(theirs).toMatchObject({ controlled: true });
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toMatch(/\/their-sw\.js$/);
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true });
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toMatch(/\/vecinity-sw\.js$/);
  expect((await fetchEmbeddings(page, 'text')).status).toBe(200);
});

test('a Service Worker that is stopped after a request has forgotten nothing that the next one needs', async ({
  page,
  context,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const session = await context.newCDPSession(page);
  const { body } = await fetchEmbeddings(page, 'text');
  await stopServiceWorkers(session);
  expect((await fetchEmbeddings(page, 'text')).body).toEqual(body);
});

test('a request moves to another tab when the tab that serves it is closed', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const caller = await context.newPage();
  await caller.goto('/plain.html');
  await startLongFetch(caller);
  await waitUntilBusy(page);
  const [heir] = await Promise.all([context.newPage(), page.close()]);
  await openEngine(heir);
  expect(await caller.evaluate(() => window.pending)).toBe(200);
});

test('a request moves to the next engine when the engine that serves it dies', async ({ page }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  await startLongFetch(page);
  await waitUntilBusy(page);
  await page.evaluate(() => window.engineWorker.terminate());
  expect(await page.evaluate(() => window.pending)).toBe(200);
});

test('an abort of a plain fetch ends it at once, and a short request does not wait for what it left', async ({
  page,
}) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const { name, status, waiting } = await page.evaluate(async () => {
    const controller = new AbortController();
    const init = (input: string | string[]) => ({
      method: 'POST',
      body: JSON.stringify({ input, truncate: true }),
      headers: { 'content-type': 'application/json' },
    });
    const texts = Array.from({ length: 1_000 }, (_, at) => `text ${at} `.repeat(40));
    const queued = async () => (await window.vecinity.status()).queue.inputs;
    const ended = fetch('/v1/embeddings', { ...init(texts), signal: controller.signal }).catch((error) => error.name);
    while ((await queued()) === 0) await new Promise(requestAnimationFrame);
    controller.abort();
    const name = await ended;
    const { status } = await fetch('/v1/embeddings', init('short'));
    return { name, status, waiting: await queued() };
  });
  expect(name).toBe('AbortError');
  expect(status).toBe(200);
  // Chromium does not tell the Service Worker of the abort, so the long job is still there: the short one overtook it.
  expect(waiting).toBeGreaterThan(0);
});

test('a caller that is closed frees the engine', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const caller = await context.newPage();
  await caller.goto('/plain.html');
  await startLongFetch(caller);
  await waitUntilBusy(page);
  await caller.close();
  await expect
    .poll(() => page.evaluate(async () => (await window.vecinity.status()).queue.inputs), { timeout: 5_000 })
    .toBe(0);
});

test('a tab without an engine gets 503 no_engine with a time to retry, never the server', async ({ page, context }) => {
  await openEngine(page);
  await registerServiceWorker(page);
  const other = await context.newPage();
  await other.goto('/plain.html');
  await page.evaluate(() => window.vecinity.dispose());
  const { status, body } = await fetchEmbeddings(other, 'text');
  expect(status).toBe(503);
  expect(body.error.code).toBe('no_engine');
});

test('a script that is not there is said so, and vecinity.fetch works all the same', async ({ page }) => {
  await openEngine(page);
  const { error, status } = await page.evaluate(async () => {
    const thrown = await window.vecinity.serviceWorker
      .register({ url: '/no-such-script.js' })
      .catch((reason) => reason);
    const init = { method: 'POST', body: '{"input":"text"}', headers: { 'content-type': 'application/json' } };
    const response = await window.vecinity.fetch('/v1/embeddings', init);
    return { error: { code: thrown.code, message: thrown.message }, status: response.status };
  });
  expect(error.code).toBe('service_worker_unavailable');
  expect(error.message).toContain('/no-such-script.js');
  expect(status).toBe(200);
});

test('the part that registers is loaded when it is asked for; where it does not come, this is said', async ({
  page,
}) => {
  const asked: string[] = [];
  await page.route(/\/registration[^/]*\.js$/, async (route) => {
    asked.push(route.request().url());
    await route.abort();
  });
  await openEngine(page);
  expect(asked).toEqual([]);
  const refused = await page.evaluate(() =>
    window.vecinity.serviceWorker.register().catch(({ code, message }) => `${code}: ${message}`),
  );
  expect(refused).toContain('service_worker_unavailable: The code of register() could not be loaded');
  expect(asked).toHaveLength(1);
});

test('a prefix mounts the API elsewhere, for the Service Worker and for vecinity.fetch alike', async ({ page }) => {
  await openEngine(page, { routePrefix: '/ai' });
  await registerServiceWorker(page);
  const statuses = await page.evaluate(async () => {
    const init = { method: 'POST', body: '{"input":"text"}', headers: { 'content-type': 'application/json' } };
    const plain = await fetch('/ai/v1/embeddings', init);
    const direct = await window.vecinity.fetch('/ai/v1/embeddings', init);
    return [plain.status, direct.status];
  });
  expect(statuses).toEqual([200, 200]);
});
