/** Models of another server: what is passed on, what comes back, and that every failure and every wait ends. */
import OpenAI from 'openai';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ApiConfig } from '../../src/config.js';
import { createHandler } from '../../src/edge/handler.js';
import { listen } from '../../src/edge/server.js';
import type { Upstream } from '../../src/edge/upstream.js';
import { UpstreamWait } from '../../src/edge/upstream-wait.js';
import { errorOf, origin } from './api-client.js';
import { FakeEngine } from './api-engine.js';
import { deferred } from './deferred.js';

const answer = {
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding: [1, 2] }],
  model: 'big',
  usage: { prompt_tokens: 1, total_tokens: 1 },
};

interface Asked {
  path: string;
  headers: Headers;
  body: { model?: string; [field: string]: unknown };
}

type Answer = (asked: Asked, request: Request) => Response | Promise<Response>;

/** Another server, and a handler that passes `big` on to it. */
async function setUp(answers: readonly Answer[], options: Partial<Upstream> = {}, api: Partial<ApiConfig> = {}) {
  const asked: Asked[] = [];
  const server = await listen(async (request) => {
    const call = { path: new URL(request.url).pathname, headers: request.headers, body: await request.json() };
    asked.push(call);
    const next = answers[Math.min(asked.length, answers.length) - 1];
    return next ? next(call, request) : Response.json(answer);
  });
  onTestFinished(() => server.close());
  const engine = new FakeEngine();
  const upstream: Upstream = { baseUrl: `${server.url}/v1/`, models: ['big'], retryDelayMs: 1, ...options };
  const handler = createHandler({ engine, api, upstream });
  const post = (path: string, body: object, signal?: AbortSignal) =>
    handler(
      new Request(`${origin}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer client' },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      }),
    );
  return { asked, engine, handler, post, url: server.url };
}

const failing =
  (status: number, headers: Record<string, string> = {}): Answer =>
  () =>
    Response.json({ error: { message: `no ${status}`, param: 'input' } }, { status, headers });

/** A body that says when its reader has left, and never ends by itself. */
function endless(onCancel: () => void): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"object":"list"')),
    cancel: onCancel,
  });
}

describe('a model of another server', () => {
  it.each([
    ['/v1/embeddings', { input: 'a' }, '/v1/embeddings'],
    ['/embeddings', { input: 'a' }, '/v1/embeddings'],
    ['/v1/rerank', { query: 'a', documents: ['b'] }, '/v1/rerank'],
    ['/rerank', { query: 'a', documents: ['b'] }, '/v1/rerank'],
    ['/score', { text_1: 'a', text_2: 'b' }, '/v1/score'],
  ])('is asked for on %s with the body as it came', async (path, body, asks) => {
    const { asked, engine, post } = await setUp([]);
    const response = await post(path, { ...body, model: 'big', extra: [1] });
    expect([response.status, await response.json()]).toEqual([200, answer]);
    expect(response.headers.get('x-request-id')).toMatch(/^req-/);
    expect(asked).toMatchObject([{ path: asks, body: { ...body, model: 'big', extra: [1] } }]);
    expect([...engine.embedRequests, ...engine.rerankRequests]).toEqual([]);
  });

  it('has its own key and headers there; the key of a client stays here', async () => {
    const { asked, post } = await setUp([], { apiKey: 'theirs', headers: { 'x-team': 'search' } });
    await post('/v1/embeddings', { model: 'big', input: 'a' });
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer theirs');
    expect(asked[0]?.headers.get('x-team')).toBe('search');
    const open = await setUp([]);
    await open.post('/v1/embeddings', { model: 'big', input: 'a' });
    expect(open.asked[0]?.headers.get('authorization')).toBeNull();
  });

  it('learns of the trace that a request is a part of', async () => {
    const { asked, handler } = await setUp([]);
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const headers = { 'content-type': 'application/json', traceparent, tracestate: 'a=1' };
    const body = JSON.stringify({ input: 'a', model: 'big' });
    await handler(new Request('http://site.example/v1/embeddings', { method: 'POST', headers, body }));
    expect(asked[0]?.headers.get('traceparent')).toBe(traceparent);
    expect(asked[0]?.headers.get('tracestate')).toBe('a=1');
  });

  it('can have another name there, and an alias here', async () => {
    const { asked, post } = await setUp([], { models: { big: 'org/big-v2' } }, { aliases: { ada: 'big' } });
    await post('/v1/embeddings', { model: 'ada', input: 'a' });
    expect(asked[0]?.body.model).toBe('org/big-v2');
  });

  it('is not asked with a body that JSON can hold but not be written as', async () => {
    const { asked, handler } = await setUp([]);
    const body = `{"model":"big","input":"a","more":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    const headers = { 'content-type': 'application/json' };
    const error = await errorOf(
      await handler(new Request(`${origin}/v1/embeddings`, { method: 'POST', headers, body })),
    );
    expect(error).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(error.message).toBe('The request body is nested too deeply to be passed on to another server.');
    expect(asked).toEqual([]);
  });

  it('is not asked with a list, also where it answers every name', async () => {
    const { asked, url } = await setUp([]);
    const upstream = { baseUrl: `${url}/v1`, models: ['big'] };
    const handler = createHandler({ engine: new FakeEngine([]), upstream });
    const headers = { 'content-type': 'application/json' };
    const error = await errorOf(
      await handler(new Request(`${origin}/v1/embeddings`, { method: 'POST', headers, body: '[1]' })),
    );
    expect(error).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(error.message).toBe('The request body must be a JSON object; got an array of 1 items.');
    expect(asked).toEqual([]);
  });

  it('leaves every other model to the engine', async () => {
    const { asked, engine, post } = await setUp([]);
    expect((await post('/v1/embeddings', { model: 'all-MiniLM-L6-v2', input: 'a' })).status).toBe(200);
    expect((await post('/v1/embeddings', { input: 'a' })).status).toBe(200);
    expect([asked.length, engine.embedRequests.length]).toEqual([0, 2]);
  });

  it('is listed', async () => {
    const { handler } = await setUp([]);
    const { data } = await (await handler(new Request('http://site.example/v1/models'))).json();
    expect(data.map(({ id }: { id: string }) => id)).toEqual(['all-MiniLM-L6-v2', 'big']);
    expect((await handler(new Request('http://site.example/v1/models/big'))).status).toBe(200);
  });

  it('asks for our own key first', async () => {
    const { asked, post } = await setUp([], {}, { apiKey: 'ours' });
    expect((await post('/v1/embeddings', { model: 'big', input: 'a' })).status).toBe(401);
    expect(asked).toEqual([]);
  });

  it('answers the openai package', async () => {
    const { handler } = await setUp([]);
    const server = await listen(handler);
    onTestFinished(() => server.close());
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
    const { data } = await client.embeddings.create({ model: 'big', input: 'a', encoding_format: 'float' });
    expect(data[0]?.embedding).toEqual([1, 2]);
  });
});

describe('a failure of another server', () => {
  it.each([408, 429, 500, 502, 503, 504])('with status %i is tried again', async (status) => {
    const { asked, post } = await setUp([failing(status), failing(status), () => Response.json(answer)]);
    expect((await post('/v1/embeddings', { model: 'big', input: 'a' })).status).toBe(200);
    expect(asked).toHaveLength(3);
  });

  it.each([
    [400, 400, 'invalid_request', 'input'],
    [422, 400, 'invalid_request', 'input'],
    [404, 404, 'model_not_found', 'input'],
    [413, 413, 'payload_too_large', 'input'],
    [401, 502, 'upstream_failed', 'input'],
    [302, 502, 'upstream_failed', 'input'],
  ])('with status %i is a %i at once', async (theirs, status, code, param) => {
    const { asked, post } = await setUp([failing(theirs, { location: '/v1/elsewhere' })]);
    const error = await errorOf(await post('/v1/embeddings', { model: 'big', input: 'a' }));
    expect(error).toMatchObject({ status, code, param });
    expect(error.message).toBe(`The server of \`big\` answered: status ${theirs}, no ${theirs}`);
    expect(asked).toHaveLength(1);
  });

  it.each([
    [{ error: 'too long', error_type: 'Validation' }, 'too long'],
    [{ message: 'too long' }, 'too long'],
    [{ detail: 'too long' }, 'too long'],
    [{ error: { message: 'too long', code: 400 } }, 'too long'],
    [[1], '[1]'],
  ])('is read from %j', async (body, message) => {
    const { post } = await setUp([() => Response.json(body, { status: 422 })]);
    const error = await errorOf(await post('/v1/embeddings', { model: 'big', input: 'a' }));
    expect(error.message).toBe(`The server of \`big\` answered: status 422, ${message}`);
  });

  it('keeps what SDKs look for when an input is too long', async () => {
    const error = { message: 'maximum context length', code: 'context_length_exceeded', param: null };
    const { post } = await setUp([() => Response.json({ error }, { status: 400 })]);
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    expect(await errorOf(response)).toMatchObject({ status: 400, code: 'context_length_exceeded' });
  });

  it('that lasts is told after the last attempt, with the wait that the server asks for', async () => {
    const { asked, post } = await setUp([failing(429, { 'retry-after-ms': '2' })], { maxRetries: 1 });
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    expect(response.headers.get('retry-after-ms')).toBe('2');
    expect(await errorOf(response)).toMatchObject({ status: 429, code: 'overloaded' });
    expect(asked).toHaveLength(2);
  });

  it('that asks for a wait which is over is tried again at once', async () => {
    const { asked, post } = await setUp([failing(429, { 'retry-after-ms': '-5' })], { maxRetries: 1 });
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    expect([response.status, response.headers.get('retry-after-ms')]).toEqual([429, '1']);
    expect(asked).toHaveLength(2);
  });

  it('that asks for a long wait is told at once', async () => {
    const { asked, post } = await setUp([failing(429, { 'retry-after': '30' })]);
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '30']);
    expect(asked).toHaveLength(1);
  });

  it('speaks the words of the route that was asked', async () => {
    const { post } = await setUp([failing(401)]);
    const body = await (await post('/score', { model: 'big', text_1: 'a', text_2: 'b' })).json();
    expect(body.error).toMatchObject({ code: 502, type: 'InternalServerError' });
  });

  it('to be a fetch is a 502 that says so, and is not tried again', async () => {
    const nonsense = vi.fn(async () => undefined);
    // The cast is the point: plain JavaScript gives anything.
    const { post } = await setUp([], { fetch: nonsense as unknown as typeof fetch });
    const error = await errorOf(await post('/v1/embeddings', { model: 'big', input: 'a' }));
    expect(error).toMatchObject({ status: 502, code: 'upstream_failed' });
    expect(error.message).toBe('`fetch` must be a function that resolves to a Response; got undefined.');
    expect(nonsense).toHaveBeenCalledTimes(1);
  });

  it('to be there is a 502 that names it', async () => {
    const { post } = await setUp([], { baseUrl: 'http://127.0.0.1:1/v1' });
    const error = await errorOf(await post('/v1/embeddings', { model: 'big', input: 'a' }));
    expect(error).toMatchObject({ status: 502, code: 'upstream_failed' });
    expect(error.message).toMatch(/^The server at http:\/\/127\.0\.0\.1:1\/v1 could not be reached: ./);
  });

  it('to answer in time is a 504', async () => {
    const { asked, post } = await setUp([() => new Promise<Response>(() => {})], { timeoutMs: 20, maxRetries: 1 });
    const error = await errorOf(await post('/v1/embeddings', { model: 'big', input: 'a' }));
    expect(error).toMatchObject({ status: 504, code: 'timeout' });
    expect(error.message).toContain('silent for 20 ms');
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('to answer in time is none where there is all the time', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const wait = new UpstreamWait(Number.POSITIVE_INFINITY, undefined);
    void wait.during(new Promise(() => {}));
    vi.advanceTimersByTime(60_000);
    expect(wait.signal.aborted).toBe(false);
  });
});

describe('an answer of another server', () => {
  it('comes piece by piece, before its end is there', async () => {
    const { post } = await setUp([() => new Response(endless(() => {}))]);
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('{"object":"list"');
    await reader?.cancel();
  });

  it('that a client stops reading is not sent any further', async () => {
    const left = new Promise<void>((resolve) => {
      void setUp([() => new Response(endless(resolve))]).then(async ({ post }) => {
        const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
        await response.body?.cancel();
      });
    });
    await expect(left).resolves.toBeUndefined();
  });

  it('that falls silent ends with an error', async () => {
    const { post } = await setUp([() => new Response(endless(() => {}))], { timeoutMs: 20 });
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' });
    await expect(response.text()).rejects.toThrow();
  });
});

describe('a client that leaves', () => {
  it('ends the request to the other server', async () => {
    const controller = new AbortController();
    const gone = deferred();
    const { post } = await setUp([
      (_, request) => {
        request.signal.addEventListener('abort', () => gone.resolve());
        controller.abort();
        return new Promise<Response>(() => {});
      },
    ]);
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' }, controller.signal);
    expect(response.status).toBe(499);
    await gone.promise;
  });

  it('ends the wait before the next attempt', async () => {
    const controller = new AbortController();
    let asked = 0;
    const refuse = async () => {
      asked += 1;
      setImmediate(() => controller.abort());
      return Response.json({}, { status: 503 });
    };
    const { post } = await setUp([], { retryDelayMs: 8_000, fetch: refuse });
    const response = await post('/v1/embeddings', { model: 'big', input: 'a' }, controller.signal);
    expect([response.status, asked]).toEqual([499, 1]);
  });
});

describe('the option `upstream`', () => {
  it.each(['', 'tei:8080/v1', 'ftp://x'])('refuses the address %j', (baseUrl) => {
    const upstream = { baseUrl, models: ['big'] };
    expect(() => createHandler({ engine: new FakeEngine(), upstream })).toThrow(/`upstream.baseUrl` must be/);
  });
});
