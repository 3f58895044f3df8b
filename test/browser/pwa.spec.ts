/** The playground as an installed app: without a network, and when a new version comes. */
import type { ServerResponse } from 'node:http';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { type DemoServer, newTitle, startDemo } from './demo-server.js';
import { fetchEmbeddings } from './engine-page.js';

const query = '?model=bert-cls&device=wasm&dtype=f32';
const grid = (page: Page) => page.getByRole('grid');
const editor = (page: Page) => page.getByRole('textbox', { name: 'Sentences, one a line' });
const prompt = (page: Page) => page.getByRole('status').filter({ hasText: 'A new version is ready.' });
const threads = (page: Page) => page.getByText(/^WebAssembly, f32, \d+ threads? /);

let server: DemoServer;

test.beforeEach(async () => {
  server = await startDemo();
});

test.afterEach(() => server.close());

async function openDemo(page: Page, options: { timeout?: number } = {}): Promise<void> {
  await page.goto(`${server.origin}/${query}`);
  await expect(grid(page)).toHaveAttribute('aria-rowcount', '4', options);
}

/** Asks the browser to look for a new version, as it does by itself when a page is opened. */
async function lookForUpdate(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    await registration.update();
  });
}

test('can be installed: nothing that the browser asks for is missing', async ({ page }) => {
  await openDemo(page);
  const session = await page.context().newCDPSession(page);
  const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
  expect(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito')).toEqual([]);
  const { errors, data } = await session.send('Page.getAppManifest');
  expect(errors).toEqual([]);
  const { icons } = JSON.parse(data ?? '{}') as { icons: { src: string; sizes: string; type: string }[] };
  expect(icons).not.toEqual([]);
  for (const { src, sizes, type } of icons) {
    const response = await page.request.get(server.origin + src);
    expect(response.headers()['content-type']).toBe(type);
    if (type === 'image/png') expect(pngSize(await response.body())).toBe(sizes);
  }
});

/** The width and height that a PNG file states in its header. */
function pngSize(file: Buffer): string {
  return `${file.readUInt32BE(16)}x${file.readUInt32BE(20)}`;
}

test('starts and answers without a server, with the same vectors and as many threads', async ({ page }) => {
  await openDemo(page);
  const online = await fetchEmbeddings(page, ['first text', 'second text']);
  const running = await threads(page).textContent();
  await server.close();
  await page.goto('about:blank');
  await openDemo(page);
  await expect(page.getByText('plain fetch through the Service Worker')).toBeVisible();
  expect(await threads(page).textContent()).toBe(running);
  const offline = await fetchEmbeddings(page, ['first text', 'second text']);
  expect(offline.status).toBe(200);
  expect(offline.body.data).toEqual(online.body.data);
});

const unable: [string, (response: ServerResponse) => void][] = [
  ['whose server is down behind its proxy', (response) => void response.writeHead(502).end('Bad Gateway')],
  ['whose network swallows what is sent', () => {}],
];
for (const [name, answer] of unable)
  test(`starts and answers as a site ${name}`, async ({ page }) => {
    test.slow();
    await openDemo(page);
    server.answerWith(answer);
    await page.goto('about:blank');
    // What is swallowed is waited for, a few seconds each.
    await openDemo(page, { timeout: 60_000 });
    expect((await fetchEmbeddings(page, 'still here')).status).toBe(200);
  });

test('starts in a new tab with the network off', async ({ page, context }) => {
  await openDemo(page);
  await page.close();
  await context.setOffline(true);
  const other = await context.newPage();
  await openDemo(other);
  await editor(other).fill('no network\nno matter');
  await expect(other.getByTestId('timing')).toContainText('2 texts');
});

test('says which files are missing when a model was never loaded and there is no network', async ({ page }) => {
  await openDemo(page);
  await server.close();
  await page.goto(`${server.origin}/?model=qwen3&device=wasm`);
  await expect(page.getByRole('alert')).toContainText('qwen3 could not be loaded.');
  await expect(page.getByRole('alert').getByRole('button', { name: 'Try again' })).toBeVisible();
});

test('fetches a model once: what is kept and unchanged is neither loaded nor written again', async ({ page }) => {
  await openDemo(page);
  const kept = () =>
    page.evaluate(async () => {
      const cache = await caches.open('vecinity-demo-models');
      const found = await Promise.all((await cache.keys()).map((request) => cache.match(request)));
      const files = found.filter((response) => response?.ok && !response.url.endsWith('/index.json'));
      return files.map((response) => [response?.url, response?.headers.get('date')]);
    });
  await expect
    .poll(async () => (await kept()).map(([url]) => url))
    .toContain(`${server.origin}/models/bert-cls/model.safetensors`);
  const first = await kept();
  await page.reload();
  await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
  expect(await kept()).toEqual(first);
});

test.describe('a new version', () => {
  test('is offered, never forced, and opens with what was written', async ({ page }) => {
    await openDemo(page);
    await editor(page).fill('my own sentence\nand another');
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '2');
    let loads = 0;
    page.on('framenavigated', () => {
      loads += 1;
    });
    await server.release();
    await lookForUpdate(page);
    await expect(prompt(page)).toBeVisible();
    expect((await fetchEmbeddings(page, 'still answered')).status).toBe(200);
    expect(loads).toBe(0);
    await expect(page).not.toHaveTitle(newTitle);
    await prompt(page).getByRole('button', { name: 'Reload' }).click();
    await expect(page).toHaveTitle(newTitle);
    await expect(editor(page)).toHaveValue('my own sentence\nand another');
    await expect(page.getByText('bert-cls, 64 dimensions')).toBeVisible();
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '2');
    await expect(prompt(page)).toHaveCount(0);
  });

  test('can wait until later, and does not open by itself on the next visit', async ({ page }) => {
    await openDemo(page);
    await server.release();
    await lookForUpdate(page);
    await prompt(page).getByRole('button', { name: 'Later' }).click();
    await expect(prompt(page)).toHaveCount(0);
    await page.reload();
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
    await expect(page).not.toHaveTitle(newTitle);
    await expect(prompt(page)).toBeVisible();
  });

  test('opens at once when it is asked for, although other tabs are open with nothing to do', async ({
    page,
    context,
  }) => {
    await openDemo(page);
    const other = await context.newPage();
    await openDemo(other);
    await server.release();
    await lookForUpdate(page);
    await prompt(page).getByRole('button', { name: 'Reload' }).click();
    await expect(page).toHaveTitle(newTitle);
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
    await prompt(other).getByRole('button', { name: 'Reload' }).click();
    await expect(other).toHaveTitle(newTitle);
    await expect(grid(other)).toHaveAttribute('aria-rowcount', '4');
  });

  test('is offered in every tab, and taking it in one leaves the others as they are', async ({ page, context }) => {
    await openDemo(page);
    const other = await context.newPage();
    await openDemo(other);
    await editor(other).fill('left as\nit was');
    await server.release();
    await lookForUpdate(page);
    await expect(prompt(page)).toBeVisible();
    await expect(prompt(other)).toBeVisible();
    let loads = 0;
    other.on('framenavigated', () => {
      loads += 1;
    });
    await prompt(page).getByRole('button', { name: 'Reload' }).click();
    expect((await fetchEmbeddings(other, 'still answered')).status).toBe(200);
    await expect(editor(other)).toHaveValue('left as\nit was');
    await expect(prompt(other)).toBeVisible();
    expect(loads).toBe(0);
  });

  for (const [screen, viewport] of Object.entries({
    desktop: { width: 1440, height: 900 },
    phone: { width: 360, height: 800 },
  })) {
    test(`is offered within a ${screen}'s screen and by the rules of accessibility`, async ({ page }) => {
      await page.setViewportSize(viewport);
      await openDemo(page);
      await server.release();
      await lookForUpdate(page);
      await expect(prompt(page)).toBeVisible();
      await page.screenshot({ path: test.info().outputPath(`${screen}.png`) });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      for (const button of await prompt(page).getByRole('button').all())
        await expect(button).toBeInViewport({ ratio: 1 });
    });
  }
});
