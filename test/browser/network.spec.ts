/** What leaves the device in a whole session of the playground: requests for the site's own files, and no text. */
import { expect, test } from '@playwright/test';
import { startDemo } from './demo-server.js';
import { fetchEmbeddings } from './engine-page.js';

test('a session asks only its own origin, only for files, and sends nothing', async ({ page, context }) => {
  const server = await startDemo();
  try {
    const sent: { address: string; method: string; body: string | null }[] = [];
    context.on('request', (request) => {
      const { origin, pathname } = new URL(request.url());
      const isAnswered = origin === server.origin && pathname.startsWith('/v1/');
      if (isAnswered) return;
      sent.push({ address: request.url(), method: request.method(), body: request.postData() });
    });
    await page.goto(`${server.origin}/?model=bert-cls&device=wasm&dtype=f32`);
    const grid = page.getByRole('grid');
    await expect(grid).toHaveAttribute('aria-rowcount', '4');
    await page.getByRole('textbox', { name: 'Sentences, one a line' }).fill('a secret sentence\nand a second secret');
    await expect(grid).toHaveAttribute('aria-rowcount', '2');
    expect((await fetchEmbeddings(page, 'a third secret')).status).toBe(200);
    await page.reload();
    await expect(grid).toHaveAttribute('aria-rowcount', '4');
    expect(sent.length).toBeGreaterThan(5);
    const network = sent.filter(({ address }) => /^(https?|wss?):/.test(address));
    expect(network.filter(({ address }) => new URL(address).origin !== server.origin)).toEqual([]);
    expect(network.filter(({ method, body }) => method !== 'GET' || body !== null)).toEqual([]);
    expect(network.filter(({ address }) => /secret/.test(decodeURIComponent(address)))).toEqual([]);
  } finally {
    await server.close();
  }
});
