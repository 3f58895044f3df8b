/** Bad requests and broken models: each has its own clear error, and the next request works. */
import { expect, type Page, test } from '@playwright/test';
import { openEngine } from './engine-page.js';

test.describe('a bad request', () => {
  const json = { 'content-type': 'application/json' };
  const bodies: [
    name: string,
    init: { body: string; headers?: Record<string, string> },
    status: number,
    code: string,
  ][] = [
    ['broken JSON', { body: '{"input": ' }, 400, 'invalid_json'],
    [
      'another content type',
      { body: 'input=a', headers: { 'content-type': 'text/plain' } },
      415,
      'unsupported_media_type',
    ],
    ['no input', { body: '{}' }, 400, 'invalid_request'],
    ['an empty list', { body: '{"input": []}' }, 400, 'invalid_request'],
    ['a number as input', { body: '{"input": 5}' }, 400, 'invalid_request'],
    ['a wrong encoding_format', { body: '{"input": "a", "encoding_format": "hex"}' }, 400, 'invalid_request'],
    ['dimensions out of range', { body: '{"input": "a", "dimensions": 100000}' }, 400, 'invalid_request'],
    [
      'a text that is too long',
      { body: JSON.stringify({ input: 'word '.repeat(5_000) }) },
      400,
      'context_length_exceeded',
    ],
    ['2,049 inputs', { body: JSON.stringify({ input: Array(2_049).fill('a') }) }, 400, 'invalid_request'],
    ['an unknown model', { body: '{"input": "a", "model": "no-such-model"}' }, 404, 'model_not_found'],
  ];

  test('gets its own error from fetch, and the next request works', async ({ page }) => {
    await openEngine(page, { modelPolicy: 'strict' });
    for (const [name, init, status, code] of bodies) {
      const answer = await post(page, { headers: json, ...init });
      expect([answer.status, answer.body.error?.code], name).toEqual([status, code]);
      expect(answer.body.error.message.length, name).toBeGreaterThan(10);
    }
    expect((await post(page, { headers: json, body: '{"input": "a"}' })).status).toBe(200);
  });

  test('gets the same code from the typed client', async ({ page }) => {
    await openEngine(page);
    const codes = await page.evaluate(async () => {
      const { vecinity } = window;
      const codeOf = (call: Promise<unknown>) =>
        call.then(
          () => 'resolved',
          (error) => `${error.name} ${error.code}`,
        );
      return [
        await codeOf(vecinity.embed([])),
        await codeOf(vecinity.embed('word '.repeat(5_000))),
        await codeOf(vecinity.embed('a', { dimensions: -1 })),
        await codeOf(vecinity.rerank('', ['a'])),
        await codeOf(vecinity.embed('a')),
      ];
    });
    expect(codes).toEqual([
      'VecinityError invalid_request',
      'VecinityError context_length_exceeded',
      'VecinityError invalid_request',
      'VecinityError invalid_request',
      'resolved',
    ]);
  });

  test('of plain JavaScript is refused by the name of what is wrong, with what came and what is allowed', async ({
    page,
  }) => {
    await openEngine(page);
    const told = await page.evaluate(async () => {
      const { vecinity } = window;
      // No type allows what is tried here.
      const create = window.subject.createVecinity as (options: unknown) => Promise<unknown>;
      const client = vecinity as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
      const tell = (call: Promise<unknown> | undefined) =>
        (call ?? Promise.resolve()).then(
          () => 'resolved',
          (error) => `${error.name} ${error.code} ${error.param}: ${error.message}`,
        );
      return {
        'create null': await tell(create(null)),
        'create 7': await tell(create(7)),
        'create model 7': await tell(create({ model: 7 })),
        'embed []': await tell(client.embed?.([])),
        'embed null': await tell(client.embed?.(null)),
        'embed 7': await tell(client.embed?.(7)),
        'embed [null]': await tell(client.embed?.([null])),
        'rerank []': await tell(client.rerank?.('q', [])),
        'rerank null': await tell(client.rerank?.('q', null)),
        'rerank without a query': await tell(client.rerank?.(null, ['a'])),
        'similarity null': await tell(client.similarity?.(null, 'a')),
        'similarity [null]': await tell(client.similarity?.('a', [null])),
        'load null': await tell(client.load?.(null)),
        'unload 7': await tell(client.unload?.(7)),
        'what is right': await tell(vecinity.embed('a')),
      };
    });
    const refusal = (param: string, came: string) =>
      expect.stringMatching(
        new RegExp(`^VecinityError invalid_request ${param}: \`${param}\` must be .*; got ${came}\\.$`),
      );
    expect(told).toEqual({
      'create null': refusal('options', 'null'),
      'create 7': refusal('options', '7'),
      'create model 7': refusal('model', '7'),
      'embed []': refusal('input', 'an empty array'),
      'embed null': refusal('input', 'null'),
      'embed 7': refusal('input', 'number 7'),
      'embed [null]': refusal('input\\[0\\]', 'null'),
      'rerank []': refusal('documents', 'an empty array'),
      'rerank null': refusal('documents', 'null'),
      'rerank without a query': refusal('query', 'null'),
      'similarity null': refusal('a', 'null'),
      'similarity [null]': refusal('b', 'a list'),
      'load null': refusal('model', 'null'),
      'unload 7': refusal('model', '7'),
      'what is right': 'resolved',
    });
  });

  test('of plain JavaScript has options that are none, and none of them does harm', async ({ page }) => {
    const thrown: string[] = [];
    page.on('pageerror', ({ message }) => thrown.push(message));
    await openEngine(page);
    const told = await page.evaluate(async () => {
      const { vecinity } = window;
      // No type allows what is tried here.
      const create = window.subject.createVecinity as (options: unknown) => Promise<unknown>;
      const client = vecinity as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
      const register = vecinity.serviceWorker.register as (options: unknown) => Promise<unknown>;
      const answers: string[] = [];
      const tell = async (call: Promise<unknown> | undefined) => {
        const { name, code, message } = await (call ?? Promise.resolve()).then(
          () => ({}),
          (error) => error,
        );
        answers.push(`${name} ${code}: ${message}`);
      };
      for (const options of [null, 7, 'x', ['a']]) {
        await tell(create(options));
        await tell(register(options));
        await tell(client.load?.('bert-cls', options));
        await tell(client.embed?.('a', options));
        await tell(client.rerank?.('q', ['a'], options));
        await tell(client.similarity?.('a', 'b', options));
        await tell(vecinity.embeddings.create({ input: 'a' }, options as never));
        await tell(vecinity.rerankings.create({ query: 'q', documents: ['a'] }, options as never));
      }
      for (const options of [{ signal: 7 }, { signal: {} }, { onProgress: 'x' }, { onProgress: 7n }]) {
        await tell(create({ model: null, ...options }));
        await tell(client.load?.('bert-cls', options));
        await tell(client.embed?.('a', options));
        await tell(client.embed?.(['a', 'b'], options));
        await tell(client.rerank?.('q', ['a'], options));
        await tell(client.similarity?.([1], [1], options));
        await tell(vecinity.embeddings.create({ input: 'a' }, options as never));
      }
      for (const value of ['http://[', Symbol('s')]) {
        await tell(register({ url: value }));
        await tell(register({ scope: value }));
        for (const name of ['workerUrl', 'hubUrl', 'modelsUrl', 'assetsUrl']) await tell(create({ [name]: value }));
      }
      for (const name of ['device', 'hubToken', 'aliases', 'maxQueue']) await tell(create({ [name]: () => {} }));
      for (const wrong of [{ createWorker: 7 }, { createWorker: () => {} }, { routePrefix: null }, { aliases: 7 }])
        await tell(create(wrong));
      await tell(vecinity.storage.delete(null as never));
      return { answers, width: (await vecinity.embed('a', { signal: null, onProgress: null } as never)).length };
    });
    expect(told.answers.length).toBeGreaterThan(60);
    for (const answer of told.answers) {
      expect(answer).toMatch(/^VecinityError invalid_request: `\w+` must be .*; got .*\.$/s);
    }
    expect(told.width).toBeGreaterThan(0);
    expect(thrown).toEqual([]);
  });

  test('without the key is 401, with it 200', async ({ page }) => {
    await openEngine(page, { apiKey: 'secret' });
    const body = '{"input": "a"}';
    expect((await post(page, { headers: json, body })).body.error.code).toBe('invalid_api_key');
    expect((await post(page, { headers: { ...json, authorization: 'Bearer wrong' }, body })).status).toBe(401);
    expect((await post(page, { headers: { ...json, authorization: 'Bearer secret' }, body })).status).toBe(200);
  });
});

test.describe('a broken model', () => {
  const models: [name: string, codes: string[]][] = [
    ['missing-weights', ['model_file_missing']],
    ['corrupt-weights', ['model_file_invalid']],
    ['html-weights', ['model_file_invalid']],
    ['html-everything', ['model_file_invalid', 'model_not_found']],
    ['broken-config', ['model_file_invalid']],
    ['no-such-model', ['model_not_found']],
  ];
  for (const [model, codes] of models) {
    test(`${model}: createVecinity rejects with ${codes.join(' or ')} and leaves no worker`, async ({ page }) => {
      await page.goto('/');
      await page.waitForFunction(() => window.subject !== undefined);
      const error = await page.evaluate(
        (name) =>
          window.subject
            .createVecinity({ model: name, device: 'wasm' })
            .catch(({ code, message }) => ({ code, message })),
        model,
      );
      expect(error).toMatchObject({ code: expect.stringMatching(new RegExp(`^(${codes.join('|')})$`)) });
      await expect.poll(() => page.workers().length).toBe(0);
    });
  }

  test('beside a good one does the good one no harm', async ({ page }) => {
    await openEngine(page);
    const [code, length] = await page.evaluate(async () => [
      await window.vecinity.load('corrupt-weights').catch((error) => error.code),
      (await window.vecinity.embed('still here')).length,
    ]);
    expect(code).toBe('model_file_invalid');
    expect(length).toBeGreaterThan(0);
  });
});

async function post(page: Page, init: { body: string; headers?: Record<string, string> }) {
  return await page.evaluate(async (given) => {
    const response = await window.vecinity.fetch('/v1/embeddings', { method: 'POST', ...given });
    return { status: response.status, body: await response.json() };
  }, init);
}
