/** The official `openai` package, unchanged, against the handler. */
import OpenAI, {
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  RateLimitError,
} from 'openai';
import { describe, expect, it } from 'vitest';
import { VecinityError } from '../../src/errors.js';
import { type Api, createApi, origin } from './api-client.js';
import { fakeEmbedding } from './api-engine.js';

function sdk({ handler }: Api, options: { apiKey?: string; maxRetries?: number } = {}) {
  const bodies: string[] = [];
  const client = new OpenAI({
    apiKey: 'sk-none',
    baseURL: `${origin}/v1`,
    maxRetries: 0,
    ...options,
    fetch: async (url, init) => {
      bodies.push(String(init?.body));
      return handler(new Request(url, init));
    },
  });
  return { client, bodies };
}

const model = 'text-embedding-3-small';

describe('the openai package', () => {
  it('gets exact vectors by its own default, base64', async () => {
    const { client, bodies } = sdk(createApi());
    const answer = await client.embeddings.create({ model, input: ['one', 'three'], dimensions: 384 });
    expect(bodies[0]).toContain('"encoding_format":"base64"');
    expect(answer.data.map(({ embedding }) => embedding)).toEqual([
      [...fakeEmbedding('one', 384)],
      [...fakeEmbedding('three', 384)],
    ]);
    expect(answer.usage).toEqual({ prompt_tokens: 12, total_tokens: 12 });
  });

  it('gets the same numbers as floats', async () => {
    const { client } = sdk(createApi());
    const floats = await client.embeddings.create({ model, input: 'one', encoding_format: 'float' });
    const base64 = await client.embeddings.create({ model, input: 'one' });
    expect(floats.data[0]?.embedding).toEqual(base64.data[0]?.embedding);
  });

  it('sends token ids', async () => {
    const api = createApi();
    await sdk(api).client.embeddings.create({ model, input: [[101, 102], [103]] });
    expect(api.engine.embedRequests[0]?.inputs).toEqual([[101, 102], [103]]);
  });

  it('lists and retrieves models, also those with a slash in the name', async () => {
    const { client } = sdk(createApi());
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['all-MiniLM-L6-v2']);
    const id = 'sentence-transformers/all-MiniLM-L6-v2';
    expect(await client.models.retrieve(id)).toMatchObject({ id, object: 'model' });
  });

  it('raises its own error classes with all their fields', async () => {
    const bad = sdk(createApi()).client.embeddings.create({ model, input: 'a', dimensions: 0 });
    await expect(bad).rejects.toBeInstanceOf(BadRequestError);
    await expect(bad).rejects.toMatchObject({
      code: 'invalid_request',
      param: 'dimensions',
      type: 'invalid_request_error',
      requestID: expect.stringMatching(/^req-/),
    });
    const strict = sdk(createApi({ modelPolicy: 'strict' })).client.embeddings.create({ model, input: 'a' });
    await expect(strict).rejects.toBeInstanceOf(NotFoundError);
    const locked = sdk(createApi({ apiKey: 'sk-other' })).client.models.list();
    await expect(locked).rejects.toBeInstanceOf(AuthenticationError);
  });

  it('passes with its key', async () => {
    const { client } = sdk(createApi({ apiKey: 'sk-right' }), { apiKey: 'sk-right' });
    expect((await client.embeddings.create({ model, input: 'a' })).data).toHaveLength(1);
  });

  it('comes back after a 429 when it was told to', async () => {
    const api = createApi();
    api.engine.before = () => {
      if (api.engine.embedRequests.length === 1) throw new VecinityError('overloaded', 'full', { retryAfterMs: 1 });
    };
    const { client, bodies } = sdk(api, { maxRetries: 2 });
    expect((await client.embeddings.create({ model, input: 'a' })).data).toHaveLength(1);
    expect(bodies).toHaveLength(2);
  });

  it('raises RateLimitError when the queue stays full', async () => {
    const api = createApi();
    api.engine.before = () => {
      throw new VecinityError('overloaded', 'full', { retryAfterMs: 1 });
    };
    const { client, bodies } = sdk(api, { maxRetries: 1 });
    await expect(client.embeddings.create({ model, input: 'a' })).rejects.toBeInstanceOf(RateLimitError);
    expect(bodies).toHaveLength(2);
  });

  it('does not repeat what has crashed the engine', async () => {
    const api = createApi();
    api.engine.before = () => {
      throw new VecinityError('engine_crashed', 'gone');
    };
    const { client, bodies } = sdk(api, { maxRetries: 2 });
    await expect(client.embeddings.create({ model, input: 'a' })).rejects.toBeInstanceOf(InternalServerError);
    expect(bodies).toHaveLength(1);
  });
});
