/** Node's HTTP server around a handler: its life, without an engine. */
import { describe, expect, it } from 'vitest';
import { listen } from '../../src/edge/server.js';
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

  it('rejects with Node’s own error when its port is taken', async () => {
    const first = await listen(() => new Response());
    await expect(listen(() => new Response(), { port: first.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await first.close();
  });
});
