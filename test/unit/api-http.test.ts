import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { dialects } from '../../src/api/dialects/all.js';
import { createHandler } from '../../src/api/handler.js';
import { isApiPath, withoutPrefix } from '../../src/api/paths.js';
import { VecinityError } from '../../src/errors.js';
import { createApi, errorOf, origin } from './api-client.js';
import { FakeEngine } from './api-engine.js';

const path = '/v1/embeddings';
const body = { input: 'a' };

/** A body that says so much and then nothing more until `end` is called. */
function slowBody(sizeBytes: number) {
  let end = () => {};
  const upload = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new Uint8Array(sizeBytes).fill(32));
      end = () => {
        controller.enqueue(new TextEncoder().encode('{"input":"a"}'));
        controller.close();
      };
    },
  });
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: upload, duplex: 'half' };
  const request = new Request(origin + path, { ...init, headers: { 'content-type': 'application/json' } });
  return { request, end: () => end() };
}

describe('large bodies at a time', () => {
  const mebibyte = 1024 * 1024;

  it('are let in up to 256 MiB; small ones always, and more when there is room again', async () => {
    const { handler, post } = createApi();
    const slow = Array.from({ length: 8 }, () => slowBody(31.9 * mebibyte));
    const answers = slow.map(({ request }) => handler(request));
    const refused = await handler(slowBody(2 * mebibyte).request);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: 'overloaded' });
    expect((await post(path, body)).status).toBe(200);
    for (const { end } of slow) end();
    for (const answer of answers) expect((await answer).status).toBe(200);
    const next = slowBody(2 * mebibyte);
    next.end();
    expect((await handler(next.request)).status).toBe(200);
  }, 60_000);

  it('count until their request is answered, also when that fails', async () => {
    const engine = new FakeEngine();
    const { handler } = createApi({}, engine);
    const large = () => {
      const { request, end } = slowBody(31 * mebibyte);
      end();
      return handler(request);
    };
    let refuse: (error: Error) => void = () => {};
    const refusal = new Promise<void>((_, reject) => {
      refuse = reject;
    });
    let waiting = 0;
    engine.before = () => {
      waiting += 1;
      return refusal;
    };
    const answers = Array.from({ length: 8 }, large);
    await expect.poll(() => waiting).toBe(8);
    expect((await large()).status).toBe(429);
    refuse(new VecinityError('backend_failed', 'It failed.'));
    for (const answer of answers) expect((await answer).status).toBe(500);
    engine.before = () => {};
    expect((await large()).status).toBe(200);
  }, 60_000);
});

describe('request bodies', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON', 'application/vnd.api+json'])(
    'are read as %s',
    async (type) => {
      expect((await createApi().post(path, body, { headers: { 'content-type': type } })).status).toBe(200);
    },
  );

  it.each(['text/plain;charset=UTF-8', 'multipart/form-data', 'application/jsonp', 'text/application/json'])(
    'are refused as %s',
    async (type) => {
      const error = await errorOf(await createApi().post(path, body, { headers: { 'content-type': type } }));
      expect(error).toMatchObject({ status: 415, code: 'unsupported_media_type', param: 'content-type' });
      expect(error.message).toContain('must be `application/json`; got `');
    },
  );

  it('are refused without a content type', async () => {
    const request = new Request(origin + path, { method: 'POST', body: new TextEncoder().encode('{"input":"a"}') });
    expect(await errorOf(await createApi().handler(request))).toMatchObject({ status: 415 });
  });

  it('that are packed are refused by the name of the header, which alone says nothing', async () => {
    const packed = new Uint8Array(gzipSync(JSON.stringify(body)));
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    const error = await errorOf(
      await createApi().handler(new Request(origin + path, { method: 'POST', headers, body: packed })),
    );
    expect(error).toMatchObject({ status: 415, code: 'unsupported_media_type', param: 'content-encoding' });
    expect(error.message).toBe('The header `content-encoding` must be `identity` or left out; got `gzip`.');
    expect((await createApi().post(path, body, { headers })).status).toBe(200);
  });

  it('that are broken JSON say where', async () => {
    const error = await errorOf(await createApi().post(path, '{"input": "a",}'));
    expect(error).toMatchObject({ status: 400, code: 'invalid_json', type: 'invalid_request_error', param: null });
    expect(error.message).toMatch(/position 14/);
  });

  it.each([
    ['empty', ''],
    ['half', '{"input":'],
    ['HTML', '<!doctype html>'],
  ])('that are %s are a 400', async (_, text) => {
    expect(await errorOf(await createApi().post(path, text))).toMatchObject({ status: 400, code: 'invalid_json' });
  });

  it('that are not UTF-8 are a 400', async () => {
    const bytes = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const request = new Request(origin + path, {
      method: 'POST',
      body: bytes,
      headers: { 'content-type': 'application/json' },
    });
    expect(await errorOf(await createApi().handler(request))).toMatchObject({ status: 400, code: 'invalid_json' });
  });

  it('with a byte order mark are read', async () => {
    expect((await createApi().post(path, '\uFEFF{"input":"a"}')).status).toBe(200);
  });

  it.each([
    ['lists', '[[],]', '[],'],
    ['objects', '[{},]', '{},'],
    ['members', '{"":0,}', '"":0,'],
    ['lists after a text that ends in a backslash', '["\\\\",[],]', '[],'],
  ])('of more than a million %s are a 413 before they are parsed', async (_, whole, part) => {
    const some = (count: number) =>
      `{"input":"a","x":${whole.replace(part, part.repeat(count)).replace(/,(.)$/, '$1')}}`;
    const error = await errorOf(await createApi().post(path, some(1_000_000)));
    expect(error).toMatchObject({ status: 413, code: 'payload_too_large' });
    expect(error.message).toContain('more than 1000000 lists, objects and members');
    expect((await createApi().post(path, some(300_000))).status).toBe(200);
  });

  it('may have as many brackets and colons in their texts as they like', async () => {
    const { engine, post } = createApi();
    const input = '[{":\\"'.repeat(500_000);
    expect((await post(path, { input })).status).toBe(200);
    expect(engine.embedRequests[0]?.inputs).toEqual([input]);
  });

  it('that end before their end are a 499, not a failure of ours', async () => {
    const upload = new ReadableStream({ start: (controller) => controller.error(new TypeError('terminated')) });
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body: upload, duplex: 'half' };
    const request = new Request(origin + path, { ...init, headers: { 'content-type': 'application/json' } });
    expect(await errorOf(await createApi().handler(request))).toMatchObject({ status: 499, code: 'aborted' });
  });

  it('over 32 MiB are a 413 by their declared length, before they are read', async () => {
    const response = await createApi().post(path, body, { headers: { 'content-length': '33554433' } });
    expect(await errorOf(response)).toMatchObject({ status: 413, code: 'payload_too_large' });
  });

  it('over 32 MiB are a 413 without a declared length, and the rest is not taken', async () => {
    let sentMiB = 0;
    let cancelled = false;
    const upload = new ReadableStream({
      pull: (controller) => {
        controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
        sentMiB += 1;
        if (sentMiB === 64) controller.close();
      },
      cancel: () => {
        cancelled = true;
      },
    });
    const init: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      body: upload,
      headers: { 'content-type': 'application/json' },
      duplex: 'half',
    };
    const response = await createApi().handler(new Request(origin + path, init));
    expect(await errorOf(response)).toMatchObject({ status: 413 });
    expect(cancelled).toBe(true);
  });
});

describe('routes', () => {
  it('that are unknown are a 404 that lists the known ones', async () => {
    const error = await errorOf(await createApi().post('/v1/chat/completions', body));
    expect(error).toMatchObject({ status: 404, code: 'not_found', type: 'not_found_error', param: null });
    expect(error.message).toContain('There is no route POST /v1/chat/completions; routes: POST /v1/embeddings,');
    expect(error.message).toContain('GET /v1/models/{id}');
  });

  it.each([
    ['GET', '/v1/embeddings', 'OPTIONS, POST'],
    ['PUT', '/rerank', 'OPTIONS, POST'],
    ['POST', '/v1/models', 'OPTIONS, GET, HEAD'],
    ['DELETE', '/v1/models/a/b', 'OPTIONS, GET, HEAD'],
    ['POST', '/health', 'OPTIONS, GET, HEAD'],
  ])('%s %s is a 405 that says what is allowed', async (method, route, allow) => {
    const response = await createApi().get(route, { method });
    expect(response.headers.get('allow')).toBe(allow);
    expect(await errorOf(response)).toMatchObject({ status: 405, code: 'method_not_allowed' });
  });

  it('answer HEAD without a body and OPTIONS with the methods', async () => {
    const head = await createApi().get('/health', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const options = await createApi().get(path, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'OPTIONS, POST']);
  });

  it('lie below the prefix only, when there is one', async () => {
    const { post } = createApi({ routePrefix: '/ai' });
    expect((await post('/ai/v1/embeddings', body)).status).toBe(200);
    expect((await post('/v1/embeddings', body)).status).toBe(404);
    expect((await post('/aiv1/embeddings', body)).status).toBe(404);
  });

  const mounted = dialects
    .flat()
    .flatMap((route) => route.paths.map((pattern) => pattern.replace(':id{.+}', 'org/name')));

  it('are all taken by a page below a prefix, but for the pages of a server', () => {
    const left = mounted.filter((path) => !isApiPath(`/ai${path}`, '/ai'));
    expect(left.filter((path) => path !== '/')).toEqual([]);
    expect(mounted.length).toBeGreaterThan(8);
  });

  it('that a site may have itself are left to it when there is no prefix', () => {
    const taken = mounted.filter((path) => isApiPath(path, '') && !/^\/v\d/.test(path));
    expect(new Set(taken)).toEqual(new Set(['/rerank', '/health', '/info']));
  });

  it.each(['/', '/index.html', '/v1', '/v1/', '/v1/models/', '/v1/chat/completions', '/xv1/embeddings', '/health/x'])(
    'do not claim %s',
    (other) => {
      expect(isApiPath(other, '')).toBe(false);
    },
  );

  it('are found below a prefix', () => {
    expect(withoutPrefix('/ai/v1/models/a/b', '/ai')).toBe('/v1/models/a/b');
    expect(withoutPrefix('/ai', '/ai')).toBe('/');
    expect(withoutPrefix('/v1/models/a/b', '/ai')).toBeNull();
    expect(withoutPrefix('/aim/v1/models', '/ai')).toBeNull();
  });

  it.each(['ai', '/ai/', '//', '/'])('cannot be put below the prefix %s', (routePrefix) => {
    expect(() => createHandler({ engine: new FakeEngine(), api: { routePrefix } })).toThrow(/`routePrefix` must be/);
  });
});

describe('the API key', () => {
  const api = { apiKey: 'sk-right' };
  const guarded = [
    ['POST', '/v1/embeddings'],
    ['POST', '/v1-openai/embeddings'],
    ['POST', '/v1/rerank'],
    ['POST', '/rerank'],
    ['GET', '/v1/models'],
    ['GET', '/v1/models/all-MiniLM-L6-v2'],
    ['GET', '/info'],
  ] as const;

  it.each(guarded)('guards %s %s', async (method, route) => {
    const response = await createApi(api).get(route, { method });
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await errorOf(response)).toMatchObject({
      status: 401,
      type: 'authentication_error',
      code: 'invalid_api_key',
      param: null,
    });
  });

  it.each(['Bearer sk-wrong', 'Bearer sk-righ', 'Bearer sk-rightsk-right', 'Bearer', 'Basic sk-right', 'sk-right'])(
    'is not %s',
    async (authorization) => {
      expect((await createApi(api).post(path, body, { headers: { authorization } })).status).toBe(401);
    },
  );

  it.each(['Bearer sk-right', 'bearer sk-right'])('is %s', async (authorization) => {
    expect((await createApi(api).post(path, body, { headers: { authorization } })).status).toBe(200);
  });

  it('can come as llama.cpp’s clients send it', async () => {
    const statusFor = async (key: string) =>
      (await createApi(api).post(path, body, { headers: { 'x-api-key': key } })).status;
    expect([await statusFor('sk-right'), await statusFor('sk-wrong')]).toEqual([200, 401]);
  });

  it('leaves /health open', async () => {
    expect((await createApi(api).get('/health')).status).toBe(200);
  });

  it.each(['', undefined])('cannot be %o', (apiKey) => {
    // The cast is the point: a variable of the environment that is not set is `undefined`.
    const api = { apiKey } as { apiKey: string };
    expect(() => createHandler({ engine: new FakeEngine(), api })).toThrow(/`apiKey` must be/);
  });
});

describe('failures of the engine', () => {
  it.each([
    ['context_length_exceeded', 400, 'invalid_request_error'],
    ['unsupported_task', 400, 'invalid_request_error'],
    ['overloaded', 429, 'rate_limit_error'],
    ['aborted', 499, 'request_aborted_error'],
    ['backend_failed', 500, 'server_error'],
    ['download_failed', 502, 'server_error'],
    ['worker_died', 503, 'unavailable_error'],
    ['timeout', 504, 'timeout_error'],
  ] as const)('%s is a %i of type %s, and the next request works', async (code, status, type) => {
    const { post, engine } = createApi();
    engine.before = () => {
      throw new VecinityError(code, 'what happened', { param: 'input[2]' });
    };
    expect(await errorOf(await post(path, body))).toEqual({
      status,
      type,
      code,
      param: 'input[2]',
      message: 'what happened',
    });
    engine.before = () => {};
    expect((await post(path, body)).status).toBe(200);
  });

  it.each([
    [2500, '3', '2500'],
    [10, '1', '10'],
    [null, '1', '1000'],
  ])('overloaded for %s ms says when to come back', async (retryAfterMs, seconds, milliseconds) => {
    const { post, engine } = createApi();
    engine.before = () => {
      throw new VecinityError('overloaded', 'full', { retryAfterMs });
    };
    const { headers } = await post(path, body);
    expect([headers.get('retry-after'), headers.get('retry-after-ms')]).toEqual([seconds, milliseconds]);
  });

  it('that are permanent ask for no retry, others say nothing', async () => {
    const { post, engine } = createApi();
    const shouldRetry = async (code: 'engine_crashed' | 'worker_died') => {
      engine.before = () => {
        throw new VecinityError(code, 'x');
      };
      return (await post(path, body)).headers.get('x-should-retry');
    };
    expect([await shouldRetry('engine_crashed'), await shouldRetry('worker_died')]).toEqual(['false', null]);
  });

  it('of an unknown kind are a 500 in the same shape', async () => {
    const { post, engine } = createApi();
    engine.before = () => Promise.reject('a string');
    expect(await errorOf(await post(path, body))).toMatchObject({
      status: 500,
      code: 'internal_error',
      message: 'a string',
    });
  });

  it('an aborted request reaches the engine as its signal and ends with 499', async () => {
    const { engine, handler } = createApi();
    const controller = new AbortController();
    engine.before = ({ signal }) =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        controller.abort();
      });
    const request = new Request(origin + path, {
      method: 'POST',
      body: '{"input":"a"}',
      headers: { 'content-type': 'application/json' },
      signal: controller.signal,
    });
    expect(await errorOf(await handler(request))).toMatchObject({ status: 499, code: 'aborted' });
  });
});

describe('request ids', () => {
  it.each([
    ['GET', '/health'],
    ['GET', '/nowhere'],
    ['POST', '/v1/embeddings'],
  ])('are given to every answer of %s %s', async (method, route) => {
    const { headers } = await createApi().get(route, { method });
    expect(headers.get('x-request-id')).toMatch(/^req-[0-9a-f]{32}$/);
  });

  it('are the caller’s own when they are short and plain', async () => {
    const idFor = async (id: string) =>
      (await createApi().get('/health', { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idFor('trace-1.2:3_4')).toBe('trace-1.2:3_4');
    expect(await idFor('a b')).toMatch(/^req-/);
    expect(await idFor('x'.repeat(129))).toMatch(/^req-/);
  });

  it.each([
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', true],
    ['00-00000000000000000000000000000000-00f067aa0ba902b7-01', false],
    ['ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', false],
    ['hello', false],
  ])('carry the trace %s through: %s', async (traceparent, carried) => {
    const { headers } = await createApi().post(path, body, { headers: { traceparent } });
    expect(headers.get('traceparent')).toBe(carried ? traceparent : null);
  });
});

describe('CORS', () => {
  const corsOrigin = 'https://app.example';
  const headers = { origin: corsOrigin };

  const plain = (more: Record<string, string>) =>
    new Request(`${origin}/api/embed`, {
      method: 'POST',
      body: '{"model":"m","input":"a"}',
      headers: { 'content-type': 'text/plain', ...more },
    });

  it.each<Record<string, string>>([
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'https://other.site.example' },
    { origin: 'https://evil.example' },
    { origin: 'https://site.example:8443' },
    { origin: 'null' },
  ])('does not let a page send what no browser asks about: %j', async (more) => {
    const { handler, engine } = createApi();
    const response = await handler(plain(more));
    expect([response.status, (await response.json()).error]).toEqual([415, expect.stringContaining('`text/plain`')]);
    expect(engine.embedRequests).toEqual([]);
  });

  it.each<Record<string, string>>([
    {},
    { 'sec-fetch-site': 'same-origin', origin: 'https://behind.proxy' },
    { 'sec-fetch-site': 'none' },
    { origin },
  ])('does not concern programs and own pages: %j', async (more) => {
    expect((await createApi().handler(plain(more))).status).toBe(200);
  });

  it('is silent unless an origin is set', async () => {
    const response = await createApi().get('/health', { headers });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('lets the preflight of OpenAI’s SDK pass without a key', async () => {
    const response = await createApi({ corsOrigin, apiKey: 'k' }).get(path, {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(corsOrigin);
    const allowed = (response.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(',');
    expect(allowed).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'x-stainless-retry-count', 'x-stainless-os']),
    );
  });

  it.each([
    ['an answer', '/health', 200],
    ['an error', '/v1/models', 401],
    ['an unknown route', '/nowhere', 404],
  ])('covers %s, and lets scripts read the request id', async (_, route, status) => {
    const response = await createApi({ corsOrigin: '*', apiKey: 'k' }).get(route, { headers });
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-expose-headers')).toContain('x-request-id');
    expect(response.headers.get('x-request-id')).toMatch(/^req-/);
  });
});
