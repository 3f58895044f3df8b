/**
 * WebGPU on a software adapter: works when asked for by name, is not chosen by itself, and status says why. A GPU that
 * is lost costs no request its answer.
 */
import { type Browser, expect, type Page, test } from '@playwright/test';
import {
  type EmbeddingGolden,
  expectGolden,
  failures,
  openEngine,
  readGolden,
  recoveries,
  worstCosine,
} from './engine-page.js';

test('device webgpu gives the numbers of the reference', async ({ page }) => {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  await openEngine(page, { device: 'webgpu' });
  const { vectors, backend } = await page.evaluate(async (inputs) => {
    const vectors = (await window.vecinity.embed(inputs)).map((vector) => [...vector]);
    return { vectors, backend: (await window.vecinity.status()).models[0]?.backend };
  }, golden.inputs);
  expect(backend).toMatchObject({ device: 'webgpu' });
  expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
});

test('device auto takes WASM and says why the software adapter was left out', async ({ page }) => {
  await openEngine(page, { device: 'auto' });
  const status = await page.evaluate(async () => (await window.vecinity.status()).models[0]);
  expect(status?.backend).toMatchObject({ device: 'wasm' });
  expect(status?.tried.find(({ device }) => device === 'webgpu')).toMatchObject({
    ok: false,
    reason: expect.stringContaining('software'),
  });
});

/** Ends the browser's GPU process; the browser starts another when one is asked for. */
async function killGpu(browser: Browser): Promise<void> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  const gpu = processInfo.find(({ type }) => type === 'GPU');
  if (!gpu) throw new Error('The browser has no GPU process.');
  process.kill(gpu.id, 'SIGKILL');
  await session.detach();
}

/** Few and short texts: a software adapter computes each shader's first run for seconds. */
function embedSome(page: Page): Promise<number | string> {
  return page.evaluate(() => {
    const texts = Array.from({ length: 20 }, (_, at) => `a few words ${at}`);
    return window.vecinity.embed(texts).then(
      ({ length }) => length,
      ({ code, message }) => `${code}: ${message}`,
    );
  });
}

test('a GPU that is lost in a batch is taken again, the second time the CPU goes on, and no request is lost', async ({
  page,
  browser,
}) => {
  test.setTimeout(180_000);
  await openEngine(page, { device: 'webgpu' });
  const lost = expect.stringMatching(/^onnx: The GPU device was lost/);
  const device = () => page.evaluate(async () => (await window.vecinity.status()).models[0]?.backend?.device);
  for (const [losses, next] of [[1, 'webgpu'] as const, [2, 'wasm'] as const]) {
    const inFlight = embedSome(page);
    await killGpu(browser);
    expect(await inFlight).toBe(20);
    await expectGolden(page);
    expect(await failures(page)).toEqual(Array(losses).fill(lost));
    expect([await device(), await recoveries(page)]).toEqual([next, losses]);
  }
});

test('a GPU that is lost while a model loads does not end the load', async ({ page, browser }) => {
  const opening = openEngine(page, { device: 'webgpu' });
  await expect.poll(() => page.workers().length).toBeGreaterThan(1);
  await killGpu(browser);
  await opening;
  await expectGolden(page);
});
