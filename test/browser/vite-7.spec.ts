/** Sites with Vite 7, alone and beside vite-plugin-pwa in both of its modes, as their owners would install it all. */
import path from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { repositoryRoot } from '../../src/vite/bundle.js';
import { type EmbeddingGolden, fetchEmbeddings, readGolden, vectorsOf, worstCosine } from './engine-page.js';
import { installProject } from './nested-project.js';
import { Program } from './program.js';

const project = 'test/projects/vite-7';
const vite7 = `${project}/node_modules/vite/bin/vite.js`;
const vite8 = 'node_modules/vite/bin/vite.js';

declare global {
  interface Window {
    /** Vectors of LangChain's adapter and of LlamaIndex's, on `adapters.html` only. */
    embedEach?: (texts: readonly string[]) => Promise<number[][][]>;
  }
}

type Mode = 'generateSW' | 'injectManifest' | '';

let programs: Program[] = [];
let isThere = false;

test.beforeAll(async () => {
  test.setTimeout(300_000);
  isThere = (await installProject(project)) !== null;
});

test.afterEach(async () => {
  for (const program of programs) await program.stop();
  programs = [];
});

function start(vite: string, args: readonly string[], mode: Mode): Program {
  const env = { VITE_PWA: mode, OUT_DIR: path.join(repositoryRoot, 'build/vite-7', mode || 'plain') };
  const program = new Program(process.execPath, [vite, ...args, project, '--clearScreen', 'false'], {
    ...env,
    NO_COLOR: '1',
  });
  programs.push(program);
  return program;
}

/** The address that Vite prints. */
async function serve(vite: string, args: readonly string[], mode: Mode): Promise<{ url: string; server: Program }> {
  const server = start(vite, [...args, '--port', '0', '--host', '127.0.0.1'], mode);
  const [, url = ''] = await server.line(/Local:\s+(http:\S+)/);
  return { url, server };
}

async function buildAndPreview(vite: string, mode: Mode) {
  await start(vite, ['build'], mode).output();
  return await serve(vite, ['preview'], mode);
}

/** The page has its engine and a Service Worker, and a plain `fetch` is answered with the right vectors. */
async function expectAnswers(page: Page, script: string): Promise<void> {
  await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.scriptURL)).toContain(script);
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  const { status, body } = await fetchEmbeddings(page, golden.inputs);
  expect(status).toBe(200);
  expect(worstCosine(vectorsOf(body), golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
}

test('Vite 7 serves workers, WASM and the Service Worker in development', async ({ page }) => {
  if (!isThere) return;
  const { url } = await serve(vite7, [], '');
  await page.goto(url);
  await expectAnswers(page, '/vecinity-sw.js');
});

for (const [version, vite] of Object.entries({ 7: vite7, 8: vite8 })) {
  test(`Vite ${version} serves the adapters in development, with the CommonJS behind LangChain and LlamaIndex`, async ({
    page,
  }) => {
    if (!isThere) return;
    const { url } = await serve(vite, ['--force'], '');
    await page.goto(`${url}adapters.html`);
    await expect(page.locator('body')).toHaveAttribute('data-ready', 'true');
    const golden = await readGolden<EmbeddingGolden>('bert-cls');
    const answers = await page.evaluate((texts) => window.embedEach?.(texts), golden.inputs);
    expect(answers).toHaveLength(2);
    for (const vectors of answers ?? []) {
      expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
    }
  });
}

test('Vite 7 builds a site that works', async ({ page }) => {
  if (!isThere) return;
  const { url } = await buildAndPreview(vite7, '');
  await page.goto(url);
  await expectAnswers(page, '/vecinity-sw.js');
});

for (const [mode, script, versions] of [
  ['generateSW', '/sw.js', { 7: vite7, 8: vite8 }],
  ['injectManifest', '/service-worker.js', { 7: vite7 }],
] as const) {
  test.describe(`vite-plugin-pwa with ${mode}`, () => {
    test('answers in development', async ({ page }) => {
      if (!isThere) return;
      const { url } = await serve(vite7, [], mode);
      await page.goto(url);
      await expectAnswers(page, '/dev-sw.js');
    });

    for (const [version, vite] of Object.entries(versions)) {
      test(`built with Vite ${version}, answers, and starts again without a server`, async ({ page }) => {
        if (!isThere) return;
        const { url, server } = await buildAndPreview(vite, mode);
        await page.goto(url);
        await expectAnswers(page, script);
        // The first visit loads its model before it has a Service Worker; the second one's is kept.
        await page.reload();
        await expectAnswers(page, script);
        await server.stop();
        await page.goto('about:blank');
        await page.goto(url);
        await expectAnswers(page, script);
      });
    }
  });
}
