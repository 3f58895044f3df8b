/** A site that is deployed anew while tabs of the version before are open: both work, side by side. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { repositoryRoot } from '../../src/vite/bundle.js';
import { expectGolden, fetchEmbeddings, openEngine, registerServiceWorker } from './engine-page.js';

type Deployment = (script: string) => string;

const asBuilt: Deployment = (script) => script;
let build = '';
const anotherBuild: Deployment = (script) => script.replaceAll(build, 'another-build');
/** All places where the number of the protocol is said or asked for. */
const anotherProtocol: Deployment = (script) =>
  anotherBuild(script)
    .replaceAll(/\bvecinity:1\b/g, 'vecinity:2')
    .replaceAll(/\.(vecinity|version)===1\b/g, '.$1===2')
    .replaceAll('version:1,engineId', 'version:2,engineId');

const folders: Record<string, string> = { vecinity: 'dist', models: 'test/fixtures/models' };
const html = `<!doctype html><title>Site</title><link rel="icon" href="data:,">
<script type="module">
  import { createVecinity } from '/vecinity/index.js';
  const startEngineWorker = () => new Worker('/vecinity/engine-worker.js', { type: 'module' });
  window.subject = { createVecinity, startEngineWorker };
</script>`;

let deployed = asBuilt;
let site: Server;
let origin = '';
/** Paths that our API answers and that reached the server all the same. */
const leaked: string[] = [];

async function respond({ url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname } = new URL(url, origin);
  if (pathname.startsWith('/v1/')) leaked.push(pathname);
  response.setHeader('cache-control', 'no-store');
  if (pathname === '/') {
    response.setHeader('content-type', 'text/html');
    response.end(html);
    return;
  }
  const [, name = '', rest = ''] = /^\/([^/]+)\/(.+)$/.exec(pathname.replace('/vecinity-sw.js', '/vecinity$&')) ?? [];
  const bytes = await readFile(path.join(repositoryRoot, folders[name] ?? 'no-such-folder', rest));
  if (rest.endsWith('.js')) response.setHeader('content-type', 'text/javascript');
  if (rest.endsWith('.wasm')) response.setHeader('content-type', 'application/wasm');
  response.end(rest.endsWith('.js') ? deployed(bytes.toString()) : bytes);
}

test.beforeAll(async () => {
  const script = await readFile(path.join(repositoryRoot, 'dist/vecinity-sw.js'), 'utf8');
  build = /type:`pong`,build:`([^`]+)`/.exec(script)?.[1] ?? '';
  expect(build).not.toBe('');
  // Said four times, compared once, and once more of the port: a change of the build must not hide from the test.
  expect(anotherProtocol(script).match(/vecinity:2|(vecinity|version)===2/g)?.length).toBeGreaterThanOrEqual(5);
  site = createServer((request, response) => {
    respond(request, response).catch(() => response.writeHead(404).end());
  });
  await new Promise<void>((resolve) => site.listen(0, 'localhost', resolve));
  origin = `http://localhost:${(site.address() as AddressInfo).port}`;
});

test.afterAll(async () => {
  site.closeAllConnections();
  await new Promise((resolve) => site.close(resolve));
});

test.beforeEach(() => {
  deployed = asBuilt;
  leaked.length = 0;
});

test.afterEach(() => expect(leaked).toEqual([]));

/** A tab of what is deployed now; gives what its registration says. */
async function openTab(context: BrowserContext): Promise<{ page: Page; registration: unknown }> {
  const page = await context.newPage();
  await openEngine(page, {}, origin);
  return { page, registration: await registerServiceWorker(page) };
}

async function isServed({ page }: { page: Page }): Promise<void> {
  await expectGolden(page);
  const { status } = await page.evaluate(() => window.vecinity.fetch('/v1/models').then(({ status }) => ({ status })));
  expect([status, (await fetchEmbeddings(page, 'text')).status]).toEqual([200, 200]);
}

test('tabs of two builds are served by one Service Worker, the newer one, and each is told which it is', async ({
  context,
}) => {
  const old = await openTab(context);
  expect(old.registration).toEqual({ controlled: true, version: build, outdated: false });
  await isServed(old);
  deployed = anotherBuild;
  const later = await openTab(context);
  expect(later.registration).toEqual({ controlled: true, version: 'another-build', outdated: false });
  for (const tab of [old, later]) await isServed(tab);
  const outdated = { controlled: true, version: 'another-build', outdated: true };
  expect(await registerServiceWorker(old.page)).toEqual(outdated);
  const plain = await context.newPage();
  await plain.goto(`${origin}/models/bert-cls/config.json`);
  await later.page.close();
  await isServed(old);
  expect((await fetchEmbeddings(plain, 'text')).status).toBe(200);
});

test('tabs of two protocols have nothing to do with each other, and a request that only the older can answer hears so', async ({
  context,
}) => {
  const old = await openTab(context);
  deployed = anotherProtocol;
  const later = await openTab(context);
  expect(later.registration).toEqual({ controlled: true, version: 'another-build', outdated: false });
  for (const tab of [old, later]) await isServed(tab);
  await later.page.close();
  const { status, body } = await fetchEmbeddings(old.page, 'text');
  expect([status, body.error.code]).toEqual([503, 'no_engine']);
  await expectGolden(old.page);
});
