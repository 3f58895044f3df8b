/** Requests for the engine that come to Vite's own servers, because no Service Worker took them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import OpenAI from 'openai';
import { createServer, type InlineConfig, type Plugin, preview } from 'vite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answerPassedBy } from '../../src/vite/passed-by.js';
import { createPlugins } from '../../src/vite/plugin.js';

let root: string;
const ends: (() => unknown)[] = [];

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'passed-by-'));
  await mkdir(path.join(root, 'dist'));
  for (const folder of [root, path.join(root, 'dist')]) {
    await writeFile(path.join(folder, 'index.html'), '<title>the site</title>');
    await writeFile(path.join(folder, 'info.html'), '<title>about the site</title>');
  }
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
  await rm(root, { recursive: true });
});

const kinds = ['development', 'preview'] as const;

async function start(kind: (typeof kinds)[number], { plugins = [], ...config }: InlineConfig = {}): Promise<string> {
  const own = createPlugins({}, () => Promise.resolve(''));
  const common = {
    ...config,
    root,
    configFile: false,
    logLevel: 'silent' as const,
    plugins: [own, ...plugins],
  } satisfies InlineConfig;
  const listening = { host: '127.0.0.1', port: 0, ...config.server };
  if (kind === 'development') {
    const server = await createServer({ ...common, server: { ...listening, watch: null, ws: false } });
    ends.push(() => server.close());
    await server.listen();
    return originOf(server.httpServer);
  }
  const server = await preview({ ...common, preview: listening });
  ends.push(() => server.close());
  return originOf(server.httpServer);
}

function originOf(server: { address(): AddressInfo | string | null } | null): string {
  const address = server?.address() ?? null;
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return `http://127.0.0.1:${address.port}`;
}

function post(address: string): Promise<Response> {
  return fetch(address, { method: 'POST', body: '{"input":"a"}', headers: { 'content-type': 'application/json' } });
}

/** A site's own route, put before or after Vite's own. */
function ownRoute(place: 'before' | 'after'): Plugin {
  const use = ({
    middlewares,
  }: {
    middlewares: { use(route: string, handle: (...parts: never[]) => void): unknown };
  }) => {
    const add = () =>
      void middlewares.use('/v1/embeddings', (_: never, response: Server & { end(text: string): void }) =>
        response.end('own'),
      );
    if (place === 'after') return add;
    add();
  };
  return { name: 'own', configureServer: use, configurePreviewServer: use };
}

describe.each(kinds)('the %s server', (kind) => {
  it('tells who asks for the engine what it means, and when to ask again', async () => {
    const response = await post(`${await start(kind)}/v1/embeddings`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    const { error } = await response.json();
    expect(error).toMatchObject({ code: 'service_worker_unavailable', type: 'unavailable_error', param: null });
    expect(error.message).toMatch(/^No engine was reached: .*serviceWorker\.register\(\)/);
  });

  it('says the same to a read, although such a site answers unknown paths with its page', async () => {
    const origin = await start(kind);
    const answers = await Promise.all(
      ['/v1/models', '/v1/models/m', '/health?a=b'].map((route) => fetch(origin + route)),
    );
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  });

  it('lets the OpenAI SDK try again by itself until the engine is there', async () => {
    const origin = await start(kind);
    const asked: number[] = [];
    const viaServiceWorker: typeof fetch = async (input, init) => {
      const answer = { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [1] }], model: 'm' };
      const response = asked.length === 0 ? await fetch(input, init) : Response.json(answer);
      asked.push(response.status);
      return response;
    };
    const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', fetch: viaServiceWorker });
    const { data } = await client.embeddings.create({ model: 'm', input: 'a', encoding_format: 'float' });
    expect([asked, data[0]?.embedding]).toEqual([[503, 200], [1]]);
  });

  it('leaves pages, files and all other paths to the site', async () => {
    const origin = await start(kind);
    const page = { headers: { accept: 'text/html' } };
    expect(await (await fetch(`${origin}/v1/models`, page)).text()).toContain('the site');
    expect(await (await fetch(`${origin}/info`)).text()).toContain('about the site');
    expect(await (await fetch(`${origin}/other`)).text()).toContain('the site');
    expect((await post(`${origin}/other`)).status).toBe(404);
    expect((await post(`${origin}/embed`)).status).toBe(404);
  });

  it('answers below the base of a site too', async () => {
    const origin = await start(kind, { base: '/app/' });
    expect((await post(`${origin}/app/v1/embeddings`)).status).toBe(503);
    expect((await fetch(`${origin}/app/v1/models`)).status).toBe(503);
  });

  it('answers below a prefix only what lies there', async () => {
    const prefixed = createPlugins({ routePrefix: '/ai' }, () => Promise.resolve(''));
    const origin = await start(kind, { plugins: [prefixed] });
    expect((await post(`${origin}/ai/tokenize`)).status).toBe(503);
    expect((await post(`${origin}/other/tokenize`)).status).toBe(404);
  });

  it.each(['before', 'after'] as const)('leaves a route of the site that comes %s Vite to the site', async (place) => {
    const origin = await start(kind, { plugins: [ownRoute(place)] });
    expect(await (await post(`${origin}/v1/embeddings`)).text()).toBe('own');
  });

  it('leaves what is passed on to another server to that one', async () => {
    const other = createHttpServer((_, response) => response.end('other'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    ends.push(() => other.close());
    const origin = await start(kind, { server: { proxy: { '/v1': originOf(other) } } });
    expect(await (await post(`${origin}/v1/embeddings`)).text()).toBe('other');
  });
});

it('leaves the Service Worker to this plugin where one that takes every path comes after it', async () => {
  const everything: Plugin = {
    name: 'everything',
    configureServer: ({ middlewares }) => void middlewares.use((_, response) => response.end('own')),
  };
  const origin = await start('development', { plugins: [everything] });
  expect(await (await fetch(`${origin}/vecinity-sw.js`)).text()).toBe('');
  expect(await (await post(`${origin}/v1/embeddings`)).text()).toBe('own');
});

it('as a part of another server it leaves all such requests to the routes behind it', async () => {
  const config = {
    root,
    configFile: false,
    logLevel: 'silent',
    server: { middlewareMode: true, ws: false, watch: null },
  } as const;
  const vite = await createServer({
    ...config,
    plugins: [createPlugins({}, () => Promise.resolve(''))],
    appType: 'custom',
  });
  const server = createHttpServer((request, response) =>
    vite.middlewares(request, response, () => response.end('behind')),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(
    () => vite.close(),
    () => server.close(),
  );
  expect(await (await post(`${originOf(server)}/v1/embeddings`)).text()).toBe('behind');
});

it('answers in front of a plain server too, which keeps no address beside the one that is asked', async () => {
  const before = answerPassedBy({ base: '/', routePrefix: '' });
  const server = createHttpServer((request, response) => {
    before(request, response, () => response.end('a file'));
  });
  ends.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = originOf(server);
  const { error } = await (await post(`${origin}/v1/embeddings`)).json();
  expect(error.code).toBe('service_worker_unavailable');
  expect(await (await fetch(`${origin}/vecinity-sw.js`)).text()).toBe('a file');
});
