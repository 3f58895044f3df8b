/** Those who mean harm: pages of another origin, and requests through the page and the Service Worker. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type BrowserContext, expect, type Frame, type Page, test } from '@playwright/test';
import { startServer } from '../../bench/server.js';
import { repositoryRoot } from '../../src/vite/bundle.js';
import { fetchEmbeddings, openEngine, recoveries, registerServiceWorker, startJob } from './engine-page.js';
import { everyMessage } from './hostile-messages.js';

declare global {
  interface Window {
    /** In a hostile page: the window that it opened, and what came back. */
    opened: Window | null;
    heard: unknown[];
  }
}

/** A frame at the end of the page, once it is there. */
async function framed(page: Page, address: string, sandbox?: string): Promise<Frame> {
  const attached = page.waitForEvent('framenavigated', (frame) => frame.url() === new URL(address).href);
  await page.evaluate(
    ([src, rules]) => {
      document.querySelector('iframe')?.remove();
      const frame = document.createElement('iframe');
      if (rules !== undefined) frame.setAttribute('sandbox', rules);
      frame.src = src;
      document.body.append(frame);
    },
    [address, sandbox] as const,
  );
  const frame = await attached;
  await frame.waitForLoadState();
  return frame;
}

test.describe('a page of another origin', () => {
  let site: Awaited<ReturnType<typeof startServer>>;
  let stranger: Server;
  let strangerOrigin = '';
  /** What reached the stranger's own server. */
  const reached: string[] = [];

  test.beforeAll(async () => {
    const folder = path.join(repositoryRoot, 'dist');
    const models = { prefix: '/models/', folder: path.join(repositoryRoot, 'test/fixtures/models') };
    const page = { name: 'soak', title: 'Site', folder: path.join(repositoryRoot, 'test/soak/page') };
    const mounts = [models, { prefix: '/vecinity/', folder }, { prefix: '/', folder }];
    // Without isolation, which alone would keep frames and openers apart.
    site = await startServer({ mounts, page, isolated: false });
    stranger = createServer((request, response) => {
      reached.push(`${request.method} ${request.url}`);
      response.writeHead(200, { 'content-type': 'text/html', 'access-control-allow-origin': '*' });
      response.end('<!doctype html><title>Stranger</title><link rel="icon" href="data:,">');
    });
    await new Promise<void>((resolve) => stranger.listen(0, 'localhost', resolve));
    strangerOrigin = `http://localhost:${(stranger.address() as AddressInfo).port}`;
  });

  test.afterAll(async () => {
    await site.close();
    await new Promise((resolve) => stranger.close(resolve));
  });

  /** The site in a tab of its own, with an engine that is shared and a Service Worker. */
  async function openSite(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(site.origin);
    await openSiteHere(page);
    return page;
  }

  async function openSiteHere(page: Page | Frame): Promise<void> {
    await page.waitForFunction(() => window.soak !== undefined);
    const opened = await page.evaluate(() =>
      window.soak.open({ options: { model: 'bert-cls', device: 'wasm', share: true }, reranker: 'bert-reranker' }),
    );
    // A browser may refuse a Service Worker to a frame on another site's page.
    if ('parentFrame' in page) expect(opened).toMatchObject({ code: 'service_worker_unavailable' });
    else expect(opened).toEqual({ values: '' });
  }

  async function siteWorks(page: Page | Frame): Promise<void> {
    for (const kind of 'parentFrame' in page ? (['embed'] as const) : (['embed', 'fetch'] as const)) {
      const reply = await page.evaluate((given) => window.soak.ask({ kind: given, texts: ['a'] }), kind);
      expect(reply).toHaveProperty('values');
    }
  }

  async function openStranger(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    await page.goto(strangerOrigin);
    return page;
  }

  test('gets no answer to any request for the site, and reads nothing of it', async ({ context }) => {
    const page = await openSite(context);
    const other = await openStranger(context);
    const answers = await other.evaluate(async (origin) => {
      const attempt = (init: RequestInit) =>
        fetch(`${origin}/v1/embeddings`, { method: 'POST', body: '{"input":"a"}', ...init }).then(
          async (response) => `${response.type} ${response.status} ${(await response.text()).length}`,
          (error) => error.name,
        );
      const headers = { 'content-type': 'application/json' };
      const answers = [
        await attempt({ headers }),
        await attempt({}),
        await attempt({ headers, credentials: 'include' }),
        await attempt({ mode: 'no-cors' }),
      ];
      const loads = (element: HTMLScriptElement | HTMLImageElement) =>
        new Promise<boolean>((resolve) => {
          element.onload = () => resolve(true);
          element.onerror = () => resolve(false);
          element.src = `${origin}/v1/models`;
          document.head.append(element);
        });
      const [script, image] = [await loads(document.createElement('script')), await loads(new Image())];
      const worker = await navigator.serviceWorker.register(`${origin}/vecinity-sw.js`).catch((error) => error.name);
      return { answers, script, image, worker };
    }, site.origin);
    expect(answers).toEqual({
      answers: ['TypeError', 'TypeError', 'TypeError', 'opaque 0 0'],
      script: false,
      image: false,
      worker: 'SecurityError',
    });
    await siteWorks(page);
  });

  test('is not answered when it sends its visitor or a form to one of our paths', async ({ context }) => {
    await openSite(context);
    const other = await openStranger(context);
    const loaded = other.waitForURL(`${site.origin}/v1/embeddings`);
    await other.evaluate((origin) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.enctype = 'text/plain';
      form.action = `${origin}/v1/embeddings`;
      document.body.append(form);
      form.submit();
    }, site.origin);
    await loaded;
    // The static server has no such page; an engine would have answered with JSON.
    expect(await other.textContent('body')).not.toMatch(/embedding"|"error"/);
    const response = await other.goto(`${site.origin}/v1/models`);
    expect(response?.status()).toBe(404);
  });

  test('shares no channel and no lock with the site, whatever names it uses', async ({ context }) => {
    const page = await openSite(context);
    const names = await page.evaluate(
      async () => (await navigator.locks.query()).held?.map(({ name = '' }) => name) ?? [],
    );
    expect(names.length).toBeGreaterThan(1);
    const other = await openStranger(context);
    await other.evaluate((taken) => {
      window.heard = [];
      for (const name of taken) {
        const channel = new BroadcastChannel(name.replace(/:leader$/, ''));
        channel.onmessage = ({ data }) => window.heard.push(data);
        channel.postMessage({ type: 'hello', from: 'stranger', visible: true });
        channel.postMessage({ type: 'leader', epoch: '9'.repeat(16) });
      }
    }, names);
    const granted = await other.evaluate(
      (taken) =>
        Promise.all(taken.map((name) => navigator.locks.request(name, { ifAvailable: true }, (lock) => lock !== null))),
      names,
    );
    expect(granted.every(Boolean)).toBe(true);
    await siteWorks(page);
    expect(await other.evaluate(() => window.heard)).toEqual([]);
  });

  /** Sends every message that any part of the package understands, each with a port, and keeps all that comes back. */
  async function bombard(sender: Page | Frame, target: 'opened' | 'frame' | 'parent' | 'opener'): Promise<void> {
    await sender.evaluate(
      ({ messages, to }) => {
        const receivers = {
          opened: () => window.opened,
          frame: () => document.querySelector('iframe')?.contentWindow,
          parent: () => window.parent,
          opener: () => window.opener as Window | null,
        };
        const receiver = receivers[to]();
        if (!receiver) throw new Error(`there is no window ${to}`);
        window.heard = [];
        window.addEventListener('message', ({ data }) => window.heard.push(data));
        for (const first of messages) {
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = ({ data }) => window.heard.push(data);
          receiver.postMessage(first, '*', [port2]);
          for (const next of messages) port1.postMessage(next);
        }
      },
      { messages: everyMessage, to: target },
    );
  }

  /** The site answers as before, has the engine that it had, and the sender has heard nothing. */
  async function heardNothing(sender: Page | Frame, victim: Page | Frame): Promise<void> {
    await siteWorks(victim);
    // Whatever the victim posts in answer has been posted by now: its own questions came after the messages.
    expect(await sender.evaluate(() => window.heard)).toEqual([]);
  }

  test('hears nothing from a window of the site that it has opened, whatever it posts there', async ({ context }) => {
    const other = await openStranger(context);
    const opening = context.waitForEvent('page');
    await other.evaluate((origin) => {
      window.opened = window.open(origin);
    }, site.origin);
    const opened = await opening;
    await openSiteHere(opened);
    await bombard(other, 'opened');
    await heardNothing(other, opened);
    expect(opened.url()).toBe(`${site.origin}/`);
  });

  test('hears nothing from the site in a frame, nor from the tab beside it, whatever it posts there', async ({
    context,
  }) => {
    const page = await openSite(context);
    const other = await openStranger(context);
    const frame = await framed(other, `${site.origin}/`);
    await openSiteHere(frame);
    await bombard(other, 'frame');
    await heardNothing(other, frame);
    await siteWorks(page);
  });

  test('hears nothing from the site around it or before it, as a frame, a sandboxed one, or a window', async ({
    context,
  }) => {
    const page = await openSite(context);
    const frame = await framed(page, strangerOrigin);
    await bombard(frame, 'parent');
    await heardNothing(frame, page);
    const sandboxed = await framed(page, `${site.origin}/`, 'allow-scripts');
    await bombard(sandboxed, 'parent');
    await heardNothing(sandboxed, page);
    const answer = await sandboxed.evaluate(
      (origin) => fetch(`${origin}/v1/models`).then(({ status }) => status, String),
      site.origin,
    );
    expect(answer).toBe('TypeError: Failed to fetch');
    const opening = context.waitForEvent('page');
    await page.evaluate((address) => void window.open(address), strangerOrigin);
    const opened = await opening;
    await opened.waitForLoadState();
    await bombard(opened, 'opener');
    await heardNothing(opened, page);
  });

  test('is itself what answers when the site asks it for a path like ours', async ({ context }) => {
    const page = await openSite(context);
    reached.length = 0;
    const type = await page.evaluate(
      async (origin) => (await fetch(`${origin}/v1/models`)).headers.get('content-type'),
      strangerOrigin,
    );
    expect(type).toBe('text/html');
    expect(reached).toEqual(['GET /v1/models']);
  });
});

test.describe('another script of the site', () => {
  /** On every channel of the package, to the Service Worker and to each window: what is no message, and what looks like one. */
  async function spill(page: Page): Promise<void> {
    await page.evaluate(async (messages) => {
      const garbage: unknown[] = [
        ...[
          null,
          undefined,
          7,
          'hello',
          true,
          [],
          {},
          new Map([['type', 'leader']]),
          new ArrayBuffer(8),
          new Error('x'),
        ],
        JSON.parse(
          '{"__proto__":{"type":"leader","epoch":"x"},"constructor":{"prototype":{"vecinity":1}},"type":"leader"}',
        ),
        ...[{ type: 'leader', from: 'x', epoch: {} }, { type: 'hello', from: {}, latest: 'zzz' }, { vecinity: 1 }],
        ...[
          { vecinity: 1, type: {} },
          { vecinity: 1, type: 'connect' },
          { vecinity: { toString: 'x' }, type: 'ping' },
        ],
        ...['x'.repeat(4_000_000), { type: 'x'.repeat(1_000_000) }, new Uint8Array(4_000_000)],
      ];
      const { held = [] } = await navigator.locks.query();
      const names = held.map(({ name = '' }) => name.replace(/:leader$/, ''));
      const channels = names.map((name) => new BroadcastChannel(name));
      const { active } = (await navigator.serviceWorker.getRegistration()) ?? {};
      const receivers = [...channels, window, ...(active ? [active] : [])];
      for (const message of [...garbage, ...messages]) for (const to of receivers) to.postMessage(message);
      for (const channel of channels) channel.close();
      if (channels.length < 3 || !active) throw new Error('There is nobody who could hear it.');
    }, everyMessage);
  }

  test('that posts anything to all that listens costs no request, no engine and no error', async ({ context }) => {
    const tabs = [await context.newPage(), await context.newPage(), await context.newPage()] as const;
    const [leader, follower, other] = tabs;
    const errors: string[] = [];
    for (const page of tabs) page.on('pageerror', ({ message }) => errors.push(message));
    for (const page of [leader, follower]) {
      await openEngine(page);
      await registerServiceWorker(page);
    }
    await other.goto('/plain.html');
    await startJob(follower);
    const plain = fetchEmbeddings(
      other,
      Array.from({ length: 100 }, (_, at) => `text ${at}`),
    );
    for (const page of [other, leader, follower]) await spill(page);
    expect(await follower.evaluate(() => window.pending)).toBe(1_500);
    expect((await plain).status).toBe(200);
    expect((await fetchEmbeddings(other, 'text')).status).toBe(200);
    for (const page of [leader, follower])
      expect(await page.evaluate(async () => (await window.vecinity.embed('text')).length)).toBe(64);
    expect(await recoveries(leader)).toBe(0);
    expect([await leader.evaluate(() => window.engineWorker !== undefined), follower.workers().length]).toEqual([
      true,
      0,
    ]);
    expect(errors).toEqual([]);
  });

  test('that answers whatever the Service Worker says, in a page without the package, is passed over', async ({
    context,
  }) => {
    const [page, talker] = [await context.newPage(), await context.newPage()];
    await openEngine(page);
    await registerServiceWorker(page);
    await talker.goto('/plain.html');
    await talker.evaluate((messages) => {
      navigator.serviceWorker.onmessage = ({ ports: [port] }) => {
        window.ended = (window.ended ?? 0) + 1;
        for (const answer of [null, 7, 'ok', {}, { type: 'hello', version: 2 }]) port?.postMessage(answer);
        for (const answer of messages) port?.postMessage({ id: '2', response: answer });
      };
    }, everyMessage);
    const { status, body } = await fetchEmbeddings(talker, 'text');
    expect(await talker.evaluate(() => window.ended)).toBeGreaterThan(0);
    expect([status, body.data.length]).toEqual([200, 1]);
  });
});

test.describe('a request that means harm', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  const bodies: [name: string, body: string, status: number, code: string | undefined][] = [
    ['arrays in arrays', `{"input":${deep}}`, 400, 'invalid_request'],
    ['a million inputs', `{"input":[${'"a",'.repeat(1_000_000)}"a"]}`, 400, 'invalid_request'],
    [
      'keys of the prototype',
      '{"__proto__":{"input":"x"},"constructor":{"prototype":{"x":1}},"input":"a"}',
      200,
      undefined,
    ],
    ['an infinite number', '{"input":"a","dimensions":1e999}', 400, 'invalid_request'],
    ['halves of characters', '{"input":"\\ud800 \\udfff"}', 200, undefined],
    ['bytes that are not UTF-8', '\u00ff', 400, 'invalid_json'],
  ];
  const giants: [name: string, open: string, part: string, close: string, status: number, code: string | undefined][] =
    [
      ['a giant text', '{"input":"', 'abc def ', '"}', 400, 'context_length_exceeded'],
      ['a giant text that may be cut', '{"truncate":true,"input":"', 'abc def ', '"}', 200, undefined],
      ['a giant word', '{"input":"', 'abcdefgh', '"}', 400, 'context_length_exceeded'],
      ['more than a body may have', '{"input":"a"', '        '.repeat(2), '}', 413, 'payload_too_large'],
    ];

  test.beforeEach(async ({ page }) => {
    await openEngine(page);
    await registerServiceWorker(page);
  });

  for (const by of ['a plain fetch', 'vecinity.fetch'] as const) {
    test(`is answered with what is wrong, by ${by}, and the next one works`, async ({ page }) => {
      const ask = (body: string, parts?: [part: string, close: string]) =>
        page.evaluate(
          async ([start, rest, isPlain]) => {
            const text = rest ? start + rest[0].repeat(3_500_000) + rest[1] : start;
            const bytes = start === '\u00ff' ? new Uint8Array([0xff, 0xfe]) : text;
            const init = { method: 'POST', body: bytes, headers: { 'content-type': 'application/json' } };
            const response = await (isPlain ? fetch : window.vecinity.fetch)('/v1/embeddings', init);
            const { error } = await response.json();
            return [response.status, error?.code];
          },
          [body, parts, by === 'a plain fetch'] as const,
        );
      for (const [name, body, status, code] of bodies) expect(await ask(body), name).toEqual([status, code]);
      for (const [name, open, part, close, status, code] of giants) {
        expect(await ask(open, [part, close]), name).toEqual([status, code]);
      }
      expect((await fetchEmbeddings(page, 'next')).status).toBe(200);
    });
  }

  test('is answered by the client with an error that has a code', async ({ page }) => {
    const codes = await page.evaluate(async () => {
      const { vecinity } = window;
      const codeOf = (call: Promise<unknown>) =>
        call.then(
          () => 'resolved',
          (error) => error.code,
        );
      const cyclic: unknown[] = [];
      cyclic.push(cyclic);
      // A caller in JavaScript can pass anything.
      const anything = (value: unknown) => value as string;
      return [
        await codeOf(vecinity.embed(anything(cyclic))),
        await codeOf(vecinity.embed(anything({ text: Symbol('a') }))),
        await codeOf(vecinity.embed(anything(() => 'a'))),
        await codeOf(vecinity.embed(anything([Number.NaN]))),
        await codeOf(vecinity.embed('a', { dimensions: Number.NaN })),
        await codeOf(vecinity.embed('abc def '.repeat(30_000_000))),
        await codeOf(vecinity.rerank('q'.repeat(30_000_000), ['a'])),
        await codeOf(vecinity.load('../../../etc/passwd')),
        await codeOf(vecinity.load('x'.repeat(1_000_000))),
        await codeOf(vecinity.embed('a')),
      ];
    });
    expect(codes.at(-1)).toBe('resolved');
    for (const code of codes.slice(0, -1)) expect(String(code)).toMatch(/^[a-z_]+$/);
    expect(codes.slice(0, -1)).not.toContain('resolved');
    expect(codes).not.toContain('worker_died');
  });
});
