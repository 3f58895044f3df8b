/** The site in frames on pages of another site (127.0.0.1 and localhost are two), with storage of their own there or none. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, type Frame, type Page, test } from '@playwright/test';
import { expectGolden, fetchEmbeddings, openEngine, openEngineHere, registerServiceWorker } from './engine-page.js';
import { framesHaveStorage, Profile } from './profile.js';
import { WeightsServer } from './weights-server.js';

const weights = new WeightsServer();
const options = { model: 'owner/bert-cls', hubUrl: '', modelsUrl: null };
let other: Server;
let otherSite = '';

test.beforeAll(async () => {
  options.hubUrl = await weights.start();
  other = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<!doctype html><title>Another site</title><link rel="icon" href="data:,">');
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  otherSite = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
});

test.afterAll(async () => {
  await weights.stop();
  other.closeAllConnections();
  await new Promise((resolve) => other.close(resolve));
});

test.beforeEach(() => weights.reset());

/** Opens a page of the other site with the site in a frame, and an engine there. */
async function openFrame(page: Page, site: string | undefined, sandbox?: string): Promise<Frame> {
  await page.goto(otherSite);
  const address = new URL('/', site).href;
  const navigated = page.waitForEvent('framenavigated', (frame) => frame.url() === address);
  await page.evaluate(
    ([src, rules]) => {
      const frame = document.createElement('iframe');
      if (rules !== undefined) frame.setAttribute('sandbox', rules);
      frame.src = src;
      document.body.append(frame);
    },
    [address, sandbox] as const,
  );
  const frame = await navigated;
  await openEngineHere(frame, options);
  return frame;
}

function hasEngine(place: Page | Frame): Promise<boolean> {
  return place.evaluate(() => window.engineWorker !== undefined);
}

test('frames with storage share engine and weights below one site, plain fetch included, and nothing with the tab', async ({
  launchOptions,
  baseURL,
}) => {
  const profile = await Profile.create(framesHaveStorage);
  try {
    const context = await profile.open(launchOptions, baseURL);
    const [around, aroundSandbox, tab] = [await context.newPage(), await context.newPage(), await context.newPage()];
    const first = await openFrame(around, baseURL);
    const second = await openFrame(aroundSandbox, baseURL, 'allow-scripts allow-same-origin');
    await openEngine(tab, options);
    expect([await hasEngine(first), await hasEngine(second), await hasEngine(tab)]).toEqual([true, false, true]);
    expect(weights.ranges).toEqual([null, null]);
    expect(await registerServiceWorker(first)).toMatchObject({ controlled: true, outdated: false });
    for (const place of [first, second, tab]) await expectGolden(place);
    for (const frame of [first, second]) expect((await fetchEmbeddings(frame, 'text')).status).toBe(200);
    expect(await tab.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length)).toBe(0);
    await around.close();
    await expectGolden(second);
    expect((await fetchEmbeddings(second, 'text')).status).toBe(200);
    expect(weights.ranges).toEqual([null, null]);
    await context.close();
  } finally {
    await profile.remove();
  }
});

test('a frame without storage has an engine and vecinity.fetch, keeps nothing, and hears why plain fetch is not served', async ({
  page,
  baseURL,
}) => {
  const frame = await openFrame(page, baseURL);
  await expectGolden(frame);
  const found = await frame.evaluate(async () => {
    const { vecinity } = window;
    const refusal = await vecinity.serviceWorker.register().catch(({ code, message }) => ({ code, message }));
    const { status } = await vecinity.fetch('/v1/models');
    return { refusal, status, list: await vecinity.storage.list(), persisted: await vecinity.storage.persist() };
  });
  expect(found).toEqual({
    refusal: {
      code: 'service_worker_unavailable',
      message: expect.stringMatching(/denied permission.*frame on a page of another site.*vecinity\.fetch/),
    },
    status: 200,
    list: [],
    persisted: false,
  });
  await openFrame(page, baseURL);
  expect(weights.ranges).toEqual([null, null]);
});
