/** Node's HTTP server around a handler: its life and whom it answers, without an engine. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isLoopback } from '../../src/edge/hosts.js';
import { type ListenOptions, listen } from '../../src/edge/server.js';
import { deferred } from './deferred.js';

describe('a server on Node', () => {
  it('finishes what it has accepted before it ends, and takes nothing after', async () => {
    const accepted = deferred<void>();
    const answer = deferred<Response>();
    const server = await listen(() => {
      accepted.resolve();
      return answer.promise;
    });
    const asked = fetch(server.url);
    await accepted.promise;
    let ended = false;
    const closing = server.close().then(() => {
      ended = true;
    });
    await expect(fetch(server.url)).rejects.toThrow();
    expect(ended).toBe(false);
    answer.resolve(new Response('finished'));
    expect(await (await asked).text()).toBe('finished');
    await closing;
  });

  it('hands on method, path, headers and body', async () => {
    const server = await listen(async (request) =>
      Response.json([request.method, new URL(request.url).pathname, request.headers.get('x-a'), await request.text()]),
    );
    const answer = await fetch(`${server.url}/v1/x?q=1`, { method: 'POST', headers: { 'x-a': 'b' }, body: 'body' });
    expect(await answer.json()).toEqual(['POST', '/v1/x', 'b', 'body']);
    await server.close();
  });

  it('tells the handler that its client has gone', async () => {
    const accepted = deferred<void>();
    const gone = deferred<void>();
    const server = await listen((request) => {
      request.signal.addEventListener('abort', () => gone.resolve());
      accepted.resolve();
      return new Promise<Response>(() => {});
    });
    const controller = new AbortController();
    const asked = fetch(server.url, { signal: controller.signal });
    await accepted.promise;
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await gone.promise;
    await server.close();
  });

  it('answers HTTP/1.0 without a host, as the health checks of load balancers ask', async () => {
    const server = await listen(() => new Response('fine'));
    onTestFinished(() => server.close());
    const socket = connect(server.port, '127.0.0.1').end('GET /health HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n.*fine$/s);
  });

  it('takes a port in digits, as a variable of the environment has it', async () => {
    const first = await listen(() => new Response(), { port: '0' });
    onTestFinished(() => first.close());
    const port = String(first.port);
    // Only a server that asks for this very port finds it taken.
    await expect(listen(() => new Response(), { port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('rejects with Node’s own error when its port is taken', async () => {
    const first = await listen(() => new Response());
    await expect(listen(() => new Response(), { port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await first.close();
  });
});

describe('a page that points its own name to our address', () => {
  /** What a request is answered that calls the server by this name, as `fetch` never would. */
  async function asked(host: string, options: ListenOptions = {}): Promise<unknown> {
    const server = await listen(() => Response.json('answered'), options);
    onTestFinished(() => server.close());
    const sent = request({ host: '127.0.0.1', port: server.port, headers: { host } }).end();
    const [answer] = await once(sent, 'response');
    const body = await json(answer);
    return body === 'answered' ? body : [answer.statusCode, body];
  }

  const remedy = 'To let a name in, give it to `--allow-host`, or to `listen` in its option `hosts`.';

  it.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example', 'internal.example'])(
    'is refused as %s',
    async (host) => {
      const message = `The header \`host\` must name this server (localhost, addresses); got \`${host.split(':')[0]}\`. ${remedy}`;
      const error = { message, type: 'invalid_request_error', param: 'host', code: 'invalid_request' };
      expect(await asked(host)).toEqual([400, { error }]);
    },
  );

  it.each([
    'localhost',
    'LOCALHOST:1',
    'app.localhost',
    '127.0.0.1',
    '[::1]',
    '192.168.0.7:8080',
    'host.docker.internal',
  ])('gains nothing from names that are no site’s: %s', async (host) => {
    expect(await asked(host)).toBe('answered');
  });

  it.each(['a b', 'localhost/..', 'user@localhost', 'localhost:99999', 'localhost#.evil.example'])(
    'is told so when its name is none: %s',
    async (host) => {
      const error = { type: 'invalid_request_error', code: 'invalid_request' };
      expect(await asked(host)).toMatchObject([400, { error }]);
    },
  );

  it.each(['::1', '::ffff:127.0.0.1', '127.8.9.10', 'localhost'])(
    'is refused where the server listens on %s',
    (own) => {
      expect(isLoopback(own)).toBe(true);
    },
  );

  it.each(['0.0.0.0', '::', '::ffff:0.0.0.0', '192.168.0.7', '127.0.0.1.example', '128.0.0.1', ''])(
    'is up to who listens for a network: %s',
    (own) => {
      expect(isLoopback(own)).toBe(false);
    },
  );

  it('is let in by names that were allowed, and where the server is for a network', async () => {
    expect(await asked('Proxy.Example', { hosts: ['proxy.example'] })).toBe('answered');
    expect(await asked('proxy.example', { hosts: null })).toBe('answered');
    expect(await asked('proxy.example', { hostname: '0.0.0.0' })).toBe('answered');
    expect(await asked('proxy.example', { hostname: '0.0.0.0', hosts: [] })).toMatchObject([400, {}]);
  });
});
