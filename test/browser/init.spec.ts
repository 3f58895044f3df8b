/** What `vecinity init` writes, on a plain server of files: all that a page without a bundler needs. */
import { appendFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import send from 'send';
import { repositoryRoot } from '../../src/vite/bundle.js';
import { runCommand } from '../conformance/command.js';
import { type EmbeddingGolden, fetchEmbeddings, readGolden, vectorsOf, worstCosine } from './engine-page.js';

const dist = path.join(repositoryRoot, 'dist');

const pages = {
  'module.html': `<script type="module">
    import { createVecinity } from './vecinity/index.js';
    window.createVecinity = createVecinity;
  </script>`,
  'import-map.html': `<script type="importmap">{ "imports": { "vecinity": "/vecinity/index.js" } }</script>
  <script type="module">
    import { createVecinity } from 'vecinity';
    window.createVecinity = createVecinity;
  </script>`,
};

let folder = '';
let origin = '';
let close: () => void = () => {};

test.beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'vecinity-site-'));
  expect(await init(folder)).toMatchObject({ code: 0 });
  await symlink(path.join(repositoryRoot, 'test/fixtures/models'), path.join(folder, 'models'));
  for (const [name, script] of Object.entries(pages)) {
    await writeFile(path.join(folder, name), `<!doctype html><title>Plain</title>\n${script}\n`);
  }
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    // Without safetensors the engine has to take ONNX Runtime.
    if (/^\/onnx-only\/.*\.safetensors/.test(pathname)) response.writeHead(404).end();
    else send(request, pathname.replace('/onnx-only/', '/models/'), { root: folder }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  origin = `http://localhost:${address.port}`;
  close = () => server.close().closeAllConnections();
});

test.afterAll(async () => {
  close();
  await rm(folder, { recursive: true, force: true });
});

const init = (...args: string[]) => runCommand(dist, ['init', ...args]);

async function openEngine(page: Page, options: { workerUrl?: string; modelsUrl?: string } = {}): Promise<void> {
  await page.waitForFunction(() => 'createVecinity' in window);
  await page.evaluate(async (given) => {
    // The page has put the package's function there.
    const { createVecinity } = window as unknown as Window['subject'];
    window.vecinity = await createVecinity({ model: 'bert-cls', device: 'wasm', dtype: 'f32', ...given });
  }, options);
}

for (const name of Object.keys(pages)) {
  test(`${name} embeds, and its Service Worker answers a plain fetch`, async ({ page }) => {
    await page.goto(`${origin}/${name}`);
    await openEngine(page);
    const golden = await readGolden<EmbeddingGolden>('bert-cls');
    const embedded = await page.evaluate(
      async (inputs) => (await window.vecinity.embed(inputs)).map((embedding) => [...embedding]),
      golden.inputs,
    );
    expect(worstCosine(embedded, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
    const registration = await page.evaluate(() => window.vecinity.serviceWorker.register());
    expect(registration).toMatchObject({ controlled: true, outdated: false });
    const { status, body } = await fetchEmbeddings(page, golden.inputs);
    expect(status).toBe(200);
    expect(worstCosine(vectorsOf(body), golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
  });
}

test('ONNX Runtime is found beside a worker that is named by its address', async ({ page }) => {
  await page.goto(`${origin}/module.html`);
  await openEngine(page, { workerUrl: '/vecinity/engine-worker.js', modelsUrl: '/onnx-only/' });
  const { models } = await page.evaluate(() => window.vecinity.status());
  expect(models[0]?.backend).toMatchObject({ backend: 'onnx', device: 'wasm' });
});

test('the copy is current until a file of it is another one', async () => {
  expect(await init(folder, '--check')).toMatchObject({ code: 0 });
  await appendFile(path.join(folder, 'vecinity-sw.js'), '\n');
  const { code, stderr } = await init(folder, '--check');
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('vecinity-sw.js is of another version'),
  });
  await init(folder);
  expect(await init(folder, '--check')).toMatchObject({ code: 0 });
});
