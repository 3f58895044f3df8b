/** Every example of `examples/`, as its README says to run it, on the built package and the model of this repository. */
import { cp } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from '@playwright/test';
import { build, createServer, preview } from 'vite';
import { repositoryRoot } from '../../src/vite/bundle.js';
import { findPython } from '../conformance/python.js';
import { cosine } from './engine-page.js';
import { installProject } from './nested-project.js';
import { Program } from './program.js';

/** What all-MiniLM-L6-v2 says of "a cat sleeps" and "a kitten naps", in 8 bits. */
const alike = /^0\.[67]\d$/;

let cleanups: (() => Promise<unknown>)[] = [];
test.afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

function start(command: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const program = new Program(command, args, env);
  cleanups.push(() => program.stop());
  return program;
}

const node = (file: string, ...args: string[]) => start(process.execPath, [file, ...args]);

async function embed(url: string) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'all-MiniLM-L6-v2', input: 'a cat sleeps' }),
  });
  return { response, body: await response.json() };
}

const optionsOf = (name: string) => ({
  root: path.join(repositoryRoot, 'examples', name),
  build: { outDir: path.join(repositoryRoot, 'build/examples', name), emptyOutDir: true },
  logLevel: 'warn' as const,
});

/** Builds an example and serves it as its users would; gives the address. */
async function buildAndPreview(name: string): Promise<string> {
  await build(optionsOf(name));
  const server = await preview({ ...optionsOf(name), preview: { port: 0 } });
  cleanups.push(() => server.close());
  return server.resolvedUrls?.local[0] ?? '';
}

async function serveForDevelopment(name: string): Promise<string> {
  const server = await createServer({
    ...optionsOf(name),
    cacheDir: path.join(repositoryRoot, 'node_modules/.vite-examples', name),
    server: { port: 0 },
  });
  cleanups.push(() => server.close());
  await server.listen();
  return server.resolvedUrls?.local[0] ?? '';
}

test('plain-html compares two texts with a plain fetch', async ({ page }) => {
  const [url] = await node('examples/plain-html/serve.js').line(/^http:\S+$/);
  await page.goto(url);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.locator('output')).toHaveText(alike);
});

for (const [way, open] of [
  ['built', buildAndPreview],
  ['in development', serveForDevelopment],
] as const) {
  test(`vite searches while somebody types, ${way}`, async ({ page }) => {
    await page.goto(await open('vite'));
    const search = page.getByRole('searchbox');
    await expect(search).toBeEnabled();
    await search.pressSequentially('stars at night');
    await expect(page.locator('li').first()).toContainText('telescope');
    await expect(page.locator('li')).toHaveCount(4);
    await search.fill('');
    await expect(page.locator('li')).toHaveCount(0);
  });
}

test('react compares two texts', async ({ page }) => {
  await page.goto(await buildAndPreview('react'));
  await page.getByLabel('Second text').fill('a kitten naps');
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.locator('output')).toHaveText(alike);
});

test('next compares two texts, with what `vecinity init` has put into public/', async ({ page }) => {
  test.setTimeout(300_000);
  const folder = await installProject('examples/next');
  if (folder === null) return;
  const [model, environment] = ['models/all-MiniLM-L6-v2', { NEXT_TELEMETRY_DISABLED: '1' }];
  const options = { recursive: true };
  await cp(path.join(repositoryRoot, 'public', model), path.join(folder, 'public', model), options);
  await node('dist/cli.js', 'init', 'examples/next/public').output();
  const next = (...args: string[]) =>
    start(process.execPath, ['examples/next/node_modules/next/dist/bin/next', ...args, 'examples/next'], environment);
  await next('build').output();
  const [, url = ''] = await next('start', '--port', '0', '--hostname', '127.0.0.1').line(/Local:\s+(http:\S+)/);
  await page.goto(url);
  await page.getByRole('button', { name: 'Compare' }).click();
  await expect(page.locator('output')).toHaveText(alike);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
});

test('openai-sdk gets its vectors from the page', async ({ page }) => {
  await page.goto(await buildAndPreview('openai-sdk'));
  await expect(page.locator('output')).toHaveText(/^0\.[67]\d, 11 tokens$/);
});

test('langchain finds the page about bicycles', async () => {
  expect(await node('examples/langchain/main.js').output()).toBe('page 3: Repairing the chain of a bicycle');
});

test('ai-sdk embeds and ranks', async () => {
  expect(await node('examples/ai-sdk/main.js').output()).toMatch(/^0\.[67]\d, 11 tokens\nbest: a cat$/);
});

test('node-server answers the API beside its own page, and ends when it is told to', async () => {
  const program = node('examples/node-server/main.js');
  const [url] = await program.line(/^http:\S+$/);
  expect((await embed(url)).body.data[0].embedding).toHaveLength(384);
  expect(await (await fetch(new URL('/', url))).text()).toBe('my own page\n');
  expect(await program.stop()).toBe(0);
});

test('fetch-export answers pages of other origins', async () => {
  const [url] = await node('examples/fetch-export/run.js').line(/^http:\S+$/);
  const { response, body } = await embed(url);
  expect(body.usage.prompt_tokens).toBe(5);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
});

test('edge-worker answers in the runtime of Cloudflare, without Node and without threads', async () => {
  test.setTimeout(180_000);
  if ((await installProject('examples/edge-worker')) === null) return;
  const [url] = await node('examples/edge-worker/run.js').line(/^http:\S+$/);
  const answers = await Promise.all([embed(url), embed(url), embed(url)]);
  const later = await embed(url);
  for (const { response, body } of [...answers, later]) {
    expect(response.status).toBe(200);
    expect(body.usage.prompt_tokens).toBe(5);
    expect(body.data).toEqual(later.body.data);
  }
  const args = ['a cat sleeps', '--model', 'all-MiniLM-L6-v2', '--models-dir', 'public/models'];
  const { embeddings } = JSON.parse(await node('dist/cli.js', 'embed', ...args).output());
  expect(cosine(later.body.data[0].embedding, embeddings[0].embedding)).toBeGreaterThan(0.9999);
});

test('python gets its vectors from `vecinity serve`', async () => {
  const args = ['--model', 'all-MiniLM-L6-v2', '--models-dir', 'public/models'];
  const server = node('dist/cli.js', 'serve', ...args);
  const [, url = ''] = await server.line(/"url":"(http:[^"]+)"/);
  await server.line(/"model_ready"/);
  expect((await embed(`${url}/v1/embeddings`)).body.data[0].embedding).toHaveLength(384);
  const { version, reason } = await findPython('openai');
  console.log(`openai for Python: ${version ? `run, ${version}` : `absent: ${reason}`}`);
  if (version === null) return;
  const client = start(process.env.VECINITY_PYTHON ?? 'python3', ['examples/python/client.py'], { VECINITY_URL: url });
  expect(await client.output()).toMatch(/^0\.[67]\d, 11 tokens$/);
});
