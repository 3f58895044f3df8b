/** The playground as people use it, on the build: what it shows is compared with the vectors of another implementation. */
import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, type Page, test } from '@playwright/test';
import { cosine, type EmbeddingGolden, readGolden } from './engine-page.js';
import { WeightsServer } from './weights-server.js';

const origin = 'http://localhost:4175';

test.use({ baseURL: origin, permissions: ['clipboard-read', 'clipboard-write'] });

/** What the page's policy has forbidden during a test. */
const violations: string[] = [];

test.beforeEach(({ context }) => {
  violations.length = 0;
  context.on('console', (message) => {
    if (/content security policy/i.test(message.text())) violations.push(message.text());
  });
});

test.afterEach(() => expect(violations).toEqual([]));

const grid = (page: Page) => page.getByRole('grid');
const editor = (page: Page) => page.getByRole('textbox', { name: 'Sentences, one a line' });
const example = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const clipboard = (page: Page) => page.evaluate(() => navigator.clipboard.readText());

/** Opens the page with a tiny model and waits for the map of the first example. */
async function openDemo(page: Page, query = '?model=bert-cls&device=wasm&dtype=f32'): Promise<void> {
  await page.goto(`/${query}`);
  await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
}

/** Writes the texts and waits until the map shows exactly them. */
async function write(page: Page, texts: readonly string[]): Promise<void> {
  await editor(page).fill(texts.join('\n'));
  await expect(page.getByTestId('timing')).toContainText(`${texts.length} texts`);
  const last = texts.at(-1) ?? '';
  await expect(cell(page, last, last)).toHaveCount(1);
}

function cell(page: Page, row: string, column: string) {
  return page.locator(`[role="gridcell"][aria-label^=${JSON.stringify(`${row}, ${column}, `)}]`);
}

/** What the map's cells say, row by row. */
async function cellValues(page: Page): Promise<number[]> {
  const labels = await grid(page)
    .locator('[role="gridcell"]')
    .evaluateAll((cells) => cells.map((element) => element.getAttribute('aria-label') ?? ''));
  return labels.map((label) => Number(label.slice(label.lastIndexOf(', ') + 2).replace('−', '-')));
}

/** More tokens than the tiny models read. */
const tooLong = 'word '.repeat(1_000).trim();

/** Short inputs of the golden file that are one line each. */
async function goldenLines(): Promise<{ texts: string[]; cosines: number[][] }> {
  const { inputs, embeddings } = await readGolden<EmbeddingGolden>('bert-cls');
  const kept = inputs.flatMap((text, at) => (/[\n\t]/.test(text) || text.length > 60 ? [] : [at]));
  const vectors = kept.map((at) => embeddings[at] ?? []);
  return {
    texts: kept.map((at) => inputs[at] ?? ''),
    cosines: vectors.map((row) => vectors.map((column) => cosine(row, column))),
  };
}

test.describe('the map', () => {
  test('shows the cosines of the reference vectors', async ({ page }) => {
    const { texts, cosines } = await goldenLines();
    await openDemo(page);
    await write(page, texts);
    const expected = cosines.flat();
    const shown = await cellValues(page);
    expect(shown).toHaveLength(expected.length);
    shown.forEach((value, at) => {
      expect(Math.abs(value - (expected[at] ?? Number.NaN))).toBeLessThan(0.0051);
    });
    await page.getByRole('button', { name: 'Copy as JSON' }).click();
    await expect(page.getByText('Copied as JSON.')).toBeVisible();
    const copied: { sentences: string[]; similarity: number[][] } = JSON.parse(await clipboard(page));
    expect(copied.sentences).toEqual(texts);
    expect(copied.similarity.flat()).toHaveLength(expected.length);
    copied.similarity.flat().forEach((value, at) => {
      expect(Math.abs(value - (expected[at] ?? Number.NaN))).toBeLessThan(1e-5);
    });
  });

  test('follows the examples, ignores empty lines, and stops at its limit with a word about it', async ({ page }) => {
    await openDemo(page);
    await example(page, 'Multilingual').click();
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '8');
    await expect(example(page, 'Multilingual')).toHaveAttribute('aria-pressed', 'true');
    await write(page, ['one', 'two', 'three']);
    await expect(example(page, 'Multilingual')).toHaveAttribute('aria-pressed', 'false');
    await editor(page).fill('one\n\n   \ntwo\n');
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '2');
    await editor(page).fill(Array.from({ length: 63 }, (_, at) => `sentence ${at}`).join('\n'));
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '60');
    await expect(page.getByText('3 sentences below the line are left out.')).toBeVisible();
  });

  test('has its sentences in an editor whose every line runs as its own script does', async ({ page }) => {
    await openDemo(page);
    await write(page, ['How are you?', 'מה שלומך היום?']);
    // Of the mirror, on which the field lies: where a line begins, and where the question mark at its end is.
    const lines = await page.locator('.editor-text').evaluateAll((texts) =>
      texts.map(({ firstChild }) => {
        const length = firstChild?.textContent?.length ?? 0;
        return [0, length - 1].map((at) => {
          const range = new Range();
          if (firstChild === null) return Number.NaN;
          range.setStart(firstChild, at);
          range.setEnd(firstChild, at + 1);
          return range.getBoundingClientRect().left;
        });
      }),
    );
    expect(lines.map(([start = 0, end = 0]) => start < end)).toEqual([true, false]);
    const directions = await page
      .locator('.editor-text, .editor-field')
      .evaluateAll((elements) => elements.map((element) => getComputedStyle(element).unicodeBidi));
    expect(new Set(directions)).toEqual(new Set(['plaintext']));
  });

  test('gives way to a hint when there is nothing to compare, and comes back', async ({ page }) => {
    await openDemo(page);
    await editor(page).fill('alone');
    await expect(page.getByText('One more sentence, and there is something to compare.')).toBeVisible();
    await expect(grid(page)).toHaveCount(0);
    await write(page, ['alone', 'no more']);
    await expect(page.getByText('One more sentence')).toHaveCount(0);
  });

  test('groups what is alike, and writes the order back', async ({ page }) => {
    await openDemo(page);
    await write(page, ['Привет, мир', 'word word word', 'Привет мир', 'word word']);
    const firstRow = () =>
      grid(page)
        .getByRole('row')
        .evaluateAll((rows) => rows.map((row) => row.firstElementChild?.getAttribute('aria-label')?.split(', 0.')[0]));
    const written = await firstRow();
    await page.getByText('Grouped', { exact: true }).click();
    await expect.poll(firstRow).not.toEqual(written);
    const values = await cellValues(page);
    const at = (row: number, column: number) => values[row * 4 + column] ?? Number.NaN;
    expect(Math.min(at(0, 1), at(2, 3))).toBeGreaterThan(Math.max(at(0, 2), at(0, 3), at(1, 2), at(1, 3)));
    await page.getByText('As written', { exact: true }).click();
    await expect.poll(firstRow).toEqual(written);
  });

  test('is read with the pointer and with the keyboard alone', async ({ page }) => {
    await openDemo(page);
    await write(page, ['first', 'second', 'third']);
    const reading = page.getByTestId('reading');
    await grid(page).hover({ position: { x: 5, y: 5 } });
    await expect(reading).toContainText('1.00');
    await page.mouse.move(0, 0);
    await expect(reading).toHaveCount(0);
    await page.getByRole('button', { name: 'Copy a link with these sentences' }).focus();
    await page.keyboard.press('Tab');
    await expect(grid(page)).toBeFocused();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('End');
    await expect(reading).toContainText(/second.*third/);
    const active = (await grid(page).getAttribute('aria-activedescendant')) ?? '';
    await expect(page.locator(`#${active}`)).toHaveAttribute('aria-label', /^second, third, −?\d\.\d\d$/);
  });

  test('has its nearest pairs beside it, sorted, and each leads to its cell', async ({ page }) => {
    const { texts, cosines } = await goldenLines();
    await openDemo(page);
    await write(page, texts);
    const pairs = page.getByRole('region', { name: 'Nearest pairs' });
    await pairs.getByRole('button', { name: /^Show all/ }).click();
    const scores = await pairs.locator('.pair-score').allTextContents();
    const upper = cosines.flatMap((row, at) => row.slice(at + 1)).sort((a, b) => b - a);
    expect(scores).toHaveLength(upper.length);
    scores.forEach((score, at) => {
      expect(Math.abs(Number(score.replace('−', '-')) - (upper[at] ?? Number.NaN))).toBeLessThan(0.0051);
    });
    await pairs.locator('.pair').last().click();
    await expect(page.getByTestId('reading')).toContainText(scores.at(-1) ?? '');
  });
});

test.describe('the request', () => {
  test('is a plain fetch that the Service Worker answers, and is shown with its answer', async ({ page }) => {
    const sent = page.waitForResponse('**/v1/embeddings');
    await openDemo(page);
    const response = await sent;
    expect(response.fromServiceWorker()).toBe(true);
    await expect(page.getByText('plain fetch through the Service Worker')).toBeVisible();
    const code = page.getByRole('region', { name: 'Request', exact: true });
    await expect(code).toContainText('"model": "bert-cls"');
    await expect(page.getByRole('region', { name: 'Answer' })).toContainText(/"embedding": \[.* more\]/);
    await page.getByRole('tab', { name: 'fetch' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await expect(page.getByRole('tab', { name: 'OpenAI SDK' })).toBeFocused();
    await expect(code).toContainText('openai.embeddings.create');
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    expect(await clipboard(page)).toBe(await code.textContent());
    await expect(page.getByTestId('foreign-count')).toHaveText('0');
  });

  test('goes through the client where there is no Service Worker, and the page says so', async ({ page }) => {
    await page.addInitScript(() => {
      Object.defineProperty(Navigator.prototype, 'serviceWorker', { get: () => undefined });
    });
    await openDemo(page);
    await expect(page.getByText(/^vecinity\.fetch: The Service Worker cannot be used/)).toBeVisible();
  });

  test('is answered after the tab that had the engine was closed', async ({ page, context }) => {
    await openDemo(page);
    const second = await context.newPage();
    await openDemo(second);
    const moved = second.waitForResponse('**/models/bert-cls/config.json');
    await page.close();
    await moved;
    await write(second, ['asked', 'of another', 'engine']);
    await expect(second.getByText('plain fetch through the Service Worker')).toBeVisible();
    await expect(second.getByRole('progressbar')).toHaveCount(0);
  });

  test('is stopped when the sentences change before it is answered', async ({ page }) => {
    await page.addInitScript(holdRequests);
    await page.goto('/?model=bert-cls&device=wasm');
    await page.waitForFunction(() => window.held.length === 1);
    await editor(page).fill('newer\nsentences');
    await page.waitForFunction(() => window.held.length === 2);
    expect(await page.evaluate(() => window.held.map(({ signal }) => signal.aborted))).toEqual([true, false]);
    await page.evaluate(() => {
      for (const { release } of window.held) release();
    });
    await expect(cell(page, 'newer', 'sentences')).toHaveCount(1);
    await expect(page.getByRole('alert')).toHaveCount(0);
  });
});

/** Runs in the page: keeps each request for embeddings back until the test lets it go. */
function holdRequests(): void {
  const { fetch } = window;
  window.held = [];
  window.fetch = async (input, init) => {
    if (String(input).endsWith('/v1/embeddings') && init?.signal) {
      const { signal } = init;
      await new Promise<void>((release) => window.held.push({ signal, release }));
    }
    return await fetch(input, init);
  };
}

declare global {
  interface Window {
    held: { signal: AbortSignal; release: () => void }[];
  }
}

test('a progress bar is there while files load, and goes with the first map', async ({ page }) => {
  let asked = 0;
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  await page.context().route(/bert-cls\/model\.safetensors$/, async (route) => {
    asked += 1;
    await held;
    await route.continue();
  });
  await page.goto('/?model=bert-cls&device=wasm');
  const bar = page.getByRole('progressbar', { name: 'Loading bert-cls' });
  await expect(bar).toBeVisible();
  await expect(page.getByRole('status').filter({ hasText: /^Loading bert-cls: \d+ files?, / })).toBeVisible();
  await expect.poll(() => asked).toBeGreaterThan(0);
  release();
  await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
  await expect(bar).toHaveCount(0);
});

test.describe('an error', () => {
  test('of the model is shown in its own words, and another model works', async ({ page }) => {
    await page.goto('/?model=no-such-model&device=wasm');
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('no-such-model could not be loaded.');
    await expect(alert).toContainText('The model "no-such-model" is not known');
    await page.getByLabel('Name', { exact: true }).selectOption('bert-cls');
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
    await expect(alert).toHaveCount(0);
  });

  test('of a request is shown in the words of the API, and the page recovers', async ({ page }) => {
    await openDemo(page);
    await editor(page).fill(`short\n${tooLong}`);
    await expect(page.getByRole('alert')).toContainText('The request failed.');
    await expect(page.getByRole('alert')).toContainText('tokens');
    await write(page, ['works', 'again']);
    await expect(page.getByRole('alert')).toHaveCount(0);
  });

  test('of a sentence that is too long ends when it may be cut', async ({ page }) => {
    await openDemo(page);
    await editor(page).fill(`short\n${tooLong}`);
    await page.getByRole('button', { name: 'Cut what is too long' }).click();
    await expect(page.getByTestId('timing')).toContainText('2 texts');
    await expect(page.getByRole('alert')).toHaveCount(0);
    await expect(page.getByRole('region', { name: 'Request', exact: true })).toContainText('"truncate": true');
  });
});

test('a reranker is no error: the page says what it does, and an embedding model brings the map back', async ({
  page,
}) => {
  await openDemo(page);
  await page.getByLabel('Name', { exact: true }).selectOption('bert-reranker');
  await expect(page.getByText('bert-reranker is a reranker')).toBeVisible();
  await expect(page.getByText('bert-reranker, a reranker')).toBeVisible();
  await expect(page.getByRole('alert')).toHaveCount(0);
  await expect(grid(page)).toHaveCount(0);
  await page.getByLabel('Name', { exact: true }).selectOption('bert-cls');
  await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
});

test.describe('taking the map away', () => {
  test('as CSV gives a header and a row for each sentence', async ({ page }) => {
    await openDemo(page);
    await write(page, ['plain', 'with "quotes", and a comma']);
    await page.getByRole('button', { name: 'Copy as CSV' }).click();
    await expect(page.getByText('Copied as CSV.')).toBeVisible();
    const [header, first, second] = (await clipboard(page)).split('\r\n');
    expect(header).toBe(',plain,"with ""quotes"", and a comma"');
    expect(first).toMatch(/^plain,1,-?0\.\d+$/);
    expect(second).toMatch(/^"with ""quotes"", and a comma",-?0\.\d+,1$/);
  });

  test('as PNG gives a picture of the map at twice the size', async ({ page }) => {
    await openDemo(page);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save as PNG' }).click();
    const file = await (await download).path();
    const picture = await readPicture(page, await readFile(file));
    const map = await grid(page).boundingBox();
    expect(picture.width).toBeGreaterThan(2 * (map?.width ?? Number.NaN));
    expect(picture.height).toBeGreaterThan(2 * (map?.height ?? Number.NaN));
    expect(picture.colors).toBeGreaterThan(20);
  });

  test('as a link opens the same sentences, which stay behind the #', async ({ page }) => {
    await openDemo(page);
    await write(page, ['eins & zwei', '数 #3']);
    await page.getByRole('button', { name: 'Copy a link with these sentences' }).click();
    await expect(page.getByText(/^Link copied\./)).toBeVisible();
    const link = await clipboard(page);
    expect(link.startsWith(`${origin}/#`)).toBe(true);
    const requests: string[] = [];
    const other = await page.context().newPage();
    other.on('request', (request) => requests.push(request.url() + (request.postData() ?? '')));
    await other.goto(link);
    await expect(cell(other, 'eins & zwei', '数 #3')).toHaveCount(1);
    const outside = requests.filter((request) => !new URL(request).pathname.startsWith('/v1/'));
    expect(outside.filter((request) => /eins/.test(request.replace(link, '')))).toEqual([]);
  });
});

/** Decodes a picture in the page, and counts its colours. */
async function readPicture(page: Page, bytes: Buffer) {
  return await page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d');
    context?.drawImage(image, 0, 0);
    const pixels = new Uint32Array(context?.getImageData(0, 0, image.width, image.height).data.buffer ?? []);
    return { width: image.width, height: image.height, colors: new Set(pixels).size };
  }, bytes.toString('base64'));
}

test.describe('the panel of stored models', () => {
  const hub = new WeightsServer();
  let address = '';
  test.beforeAll(async () => {
    address = `${await hub.start()}/owner/bert-cls/resolve/main/`;
  });
  test.afterAll(() => hub.stop());

  const panel = (page: Page) => page.locator('details.storage');
  const openStored = async (page: Page) => {
    await openDemo(page, `?model=${encodeURIComponent(address)}&device=wasm&dtype=f32`);
    await panel(page).getByText('Stored models').click();
    await expect(panel(page).getByText('owner/bert-cls')).toBeVisible();
  };

  test('lists them with sizes and quota, and deletes one after a question, by keyboard alone', async ({ page }) => {
    await openStored(page);
    const megabytes = `${(hub.sizeBytes / 1e6).toFixed(0)}`;
    await expect(panel(page).getByRole('listitem')).toContainText(
      new RegExp(`${megabytes}\\.\\d MB · \\d files · main · in use`),
    );
    await expect(panel(page)).toContainText(/of models\. This site takes [\d.]+ [MG]B of the [\d.]+ [MG]B/);
    const remove = panel(page).getByRole('button', { name: 'Delete owner/bert-cls' });
    await remove.focus();
    await page.keyboard.press('Enter');
    await expect(panel(page).getByRole('button', { name: 'Keep', exact: true })).toBeFocused();
    await expect(panel(page).getByText('The model goes on working here until the page is closed.')).toBeVisible();
    await page.keyboard.press('Escape');
    await expect(remove).toBeFocused();
    await expect(panel(page).getByRole('listitem')).toHaveCount(1);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await expect(panel(page).getByRole('status')).toHaveText('owner/bert-cls was deleted.');
    await expect(panel(page).getByText('None yet.')).toBeVisible();
    await expect(panel(page).getByText('Stored models')).toBeFocused();
  });

  test('works while no model could be loaded', async ({ page }) => {
    await openStored(page);
    await page.goto('/?model=no-such-model&device=wasm');
    await expect(page.getByRole('alert')).toBeVisible();
    await panel(page).getByText('Stored models').click();
    await expect(panel(page).getByText('owner/bert-cls')).toBeVisible();
  });

  test('says whether the browser promised to keep them', async ({ page, context }) => {
    await openStored(page);
    await expect(panel(page)).toContainText('The browser may clear them when the disk is full.');
    const session = await context.newCDPSession(page);
    const { targetInfo } = await session.send('Target.getTargetInfo');
    await session.send('Browser.grantPermissions', {
      permissions: ['durableStorage'],
      origin,
      ...(targetInfo.browserContextId ? { browserContextId: targetInfo.browserContextId } : {}),
    });
    await panel(page).getByRole('button', { name: 'Ask it to keep them' }).click();
    await expect(panel(page)).toContainText('The browser promised to keep them.');
  });

  test('and the browser without room: the page asks what may be done, and does only that', async ({
    page,
    context,
  }) => {
    await openDemo(page);
    const session = await context.newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1 });
    await page.goto(`/?model=${encodeURIComponent(address)}&device=wasm&dtype=f32`);
    const alert = page.getByRole('alert');
    await expect(alert).toContainText('MB of storage and the browser gives no more');
    await expect(alert.getByRole('button', { name: 'Delete what was used least lately' })).toBeVisible();
    await alert.getByRole('button', { name: 'Use it without storing it' }).click();
    await expect(grid(page)).toHaveAttribute('aria-rowcount', '4');
    await panel(page).getByText('Stored models').click();
    await expect(panel(page).getByText('of models.')).toBeVisible();
    await expect(panel(page).getByText('owner/bert-cls')).toHaveCount(0);
  });

  for (const width of [390, 1280]) {
    test(`fits a screen of ${width} pixels and breaks no rule of accessibility`, async ({ page }) => {
      await page.setViewportSize({ width, height: 900 });
      await openStored(page);
      await panel(page).getByRole('button', { name: 'Delete owner/bert-cls' }).click();
      await expectAccessible(page);
    });
  }
});

const themes = ['light', 'dark'] as const;
const screens = { desktop: { width: 1440, height: 900 }, phone: { width: 360, height: 800 } };

for (const colorScheme of themes) {
  for (const [screen, viewport] of Object.entries(screens)) {
    test.describe(`on a ${screen} in the ${colorScheme} theme`, () => {
      test.use({ colorScheme, viewport });

      test('nothing breaks the rules of accessibility, and nothing is wider than the screen', async ({ page }) => {
        await openDemo(page);
        await page.getByText('Nothing leaves this device').click();
        await grid(page).focus();
        await expectAccessible(page);
        await page.keyboard.press('Escape');
        await expect(page.getByText('Your sentences are neither sent nor stored')).toBeHidden();
        await example(page, 'Customer messages').click();
        await expect(grid(page)).toHaveAttribute('aria-rowcount', '20');
        await expectAccessible(page);
        await editor(page).fill(`short\n${tooLong}`);
        await expect(page.getByRole('alert')).toBeVisible();
        await expectAccessible(page);
        await page.getByLabel('Name', { exact: true }).selectOption('bert-reranker');
        await expect(page.getByText('bert-reranker is a reranker')).toBeVisible();
        await expectAccessible(page);
      });
    });
  }
}

async function expectAccessible(page: Page): Promise<void> {
  await expect(page.locator('[data-pending="true"]')).toHaveCount(0);
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(content).toBeLessThanOrEqual(screen ?? 0);
}

test.describe('the policy of the page', () => {
  test('lets no script in that is not its own, and no connection out but to its server and the hub', async ({
    browser,
  }) => {
    // Nobody counts what is forbidden here.
    const page = await browser.newPage({ baseURL: origin });
    await openDemo(page);
    const outcome = await page.evaluate(async () => {
      const forbidden = new Set<string>();
      const told = new Promise<void>((resolve) => {
        document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
          if (forbidden.add(effectiveDirective).size === 2) resolve();
        });
      });
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.body.append(script);
      await Promise.all([told, fetch('https://elsewhere.invalid/').catch(() => null)]);
      return { injected: 'injected' in window, forbidden: [...forbidden].sort() };
    });
    expect(outcome).toEqual({ injected: false, forbidden: ['connect-src', 'script-src-elem'] });
    await page.close();
  });

  test('holds in its workers too', async ({ page }) => {
    await openDemo(page);
    const answers = await Promise.all(page.workers().map(async (worker) => (await fetch(worker.url())).headers));
    expect(answers.length).toBeGreaterThan(1);
    for (const headers of answers) expect(headers.get('content-security-policy')).toContain("script-src 'self'");
  });
});

test('the theme can be switched and stays after a reload', async ({ page }) => {
  await openDemo(page);
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expect(page.getByRole('button', { name: 'Use the light theme' })).toBeVisible();
});
