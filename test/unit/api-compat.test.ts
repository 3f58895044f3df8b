/** The option `compat`: what is left when neither the route nor the body says whose rules hold. */
import { describe, expect, it } from 'vitest';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeModel } from './api-engine.js';

const ranker = () => new FakeEngine([fakeModel('ranker', 'rerank')]);
const rerank = { query: 'q', documents: ['a', 'longest one'], top_n: 1 };

it('without one our own rules hold', async () => {
  const { post, get } = createApi({}, ranker());
  expect(await (await get('/')).text()).toBe('Vecinity is running.');
  expect((await createApi().post('/v1/embeddings', { input: '', dimensions: 2 })).status).toBe(200);
  const { results } = await (await post('/rerank', rerank)).json();
  expect(results[0].document).toEqual({ text: 'longest one' });
  expect((await post('/rerank', { query: 'q', documents: [] })).status).toBe(400);
  const { data } = await (await post('/classify', { input: 'a' })).json();
  expect(data[0].label).toBe('negative');
});

it('openai refuses empty texts', async () => {
  const { post } = createApi({ compat: 'openai' });
  const error = await errorOf(await post('/v1/embeddings', { input: ['a', ''] }));
  expect(error).toMatchObject({ status: 400, param: 'input[1]' });
  expect((await post('/v1/embeddings', { input: 'a' })).status).toBe(200);
});

describe('vllm', () => {
  const matryoshka = new FakeEngine([fakeModel('m', 'embedding', { spec: { matryoshkaDimensions: [2, 4] } })]);

  it.each(['/v1/embeddings', '/pooling'])('refuses to cut a model that declares no widths on %s', async (path) => {
    const { post } = createApi({ compat: 'vllm' });
    const response = await post(path, { input: 'a', dimensions: 2 });
    expect(response.status).toBe(400);
    const { error } = await response.json();
    expect(error).toMatchObject({ param: 'dimensions', message: expect.stringContaining('matryoshka') });
    expect((await post(path, { input: 'a' })).status).toBe(200);
    expect((await createApi({ compat: 'vllm' }, matryoshka).post(path, { input: 'a', dimensions: 2 })).status).toBe(
      200,
    );
  });
});

it('vllm has ids, times and generated tokens in embeddings, which nobody else has', async () => {
  const body = { input: 'one' };
  const answer = await (await createApi({ compat: 'vllm' }).post('/v1/embeddings', body)).json();
  expect(answer).toMatchObject({ id: expect.stringMatching(/^embd-/), created: expect.any(Number) });
  expect(answer.usage).toEqual({ prompt_tokens: 5, total_tokens: 5, completion_tokens: 0 });
  const plain = await (await createApi().post('/v1/embeddings', body)).json();
  expect(Object.keys(plain).sort()).toEqual(['data', 'model', 'object', 'usage']);
});

it.each([
  [{ compat: 'openai' } as const, 300_000],
  [{ compat: 'openai', maxRequestTokens: 7 } as const, 7],
  [{ maxRequestTokens: 9 }, 9],
  [{}, undefined],
])('%j lets an embedding request have %s tokens', async (api, maxTotalTokens) => {
  const { post, engine } = createApi(api);
  await post('/v1/embeddings', { input: 'a' });
  expect(engine.embedRequests[0]?.maxTotalTokens).toBe(maxTotalTokens);
});

describe('infinity', () => {
  const api = { compat: 'infinity' } as const;

  it('cuts texts unless it is told not to', async () => {
    const { post, engine } = createApi(api);
    await post('/embeddings', { input: 'a' });
    await post('/embeddings', { input: 'a', truncate: false });
    expect(engine.embedRequests.map(({ truncate }) => truncate)).toEqual([true, false]);
  });

  it('answers wrong fields with 422, unless the route has words of its own', async () => {
    const { post } = createApi(api);
    expect(await errorOf(await post('/embeddings', { input: [] }))).toMatchObject({ status: 422, param: 'input' });
    expect(await errorOf(await post('/rerank', { ...rerank, top_n: 0 }))).toMatchObject({ status: 422 });
    expect((await post('/embed', { inputs: [] })).status).toBe(400);
    expect((await post('/score', {})).status).toBe(400);
  });

  it.each([
    [{ return_documents: true }, 'longest one'],
    [{ return_documents: false }, undefined],
    [{}, undefined],
  ])('with %j gives the document as %j', async (wish, document) => {
    const answer = await (await createApi(api, ranker()).post('/rerank', { ...rerank, ...wish })).json();
    expect(answer.object).toBe('rerank');
    expect(answer.results[0].document).toBe(document);
  });

  it.each(['/embeddings', '/v1/embeddings'])('has ids, times and characters as usage on %s', async (path) => {
    const answer = await (await createApi(api).post(path, { input: ['one', 'three'] })).json();
    expect(answer).toMatchObject({ id: expect.stringMatching(/^infinity-/), created: expect.any(Number) });
    expect(answer.usage).toEqual({ prompt_tokens: 8, total_tokens: 8 });
    const ranked = await (await createApi(api, ranker()).post('/rerank', rerank)).json();
    expect(ranked).toMatchObject({ created: expect.any(Number), usage: { prompt_tokens: 13, total_tokens: 13 } });
  });

  it('classifies with all labels of each text', async () => {
    const answer = await (await createApi(api, ranker()).post('/classify', { input: ['a', 'b'] })).json();
    expect(answer).toMatchObject({ object: 'classify', usage: { prompt_tokens: 2, total_tokens: 2 } });
    expect(answer.data[1]).toEqual([
      { label: 'negative', score: 0.125 },
      { label: 'positive', score: 0.875 },
    ]);
  });
});

it('ollama says that it is running', async () => {
  const { get } = createApi({ compat: 'ollama' });
  expect(await (await get('/')).text()).toBe('Ollama is running');
  expect((await get('/', { method: 'HEAD' })).status).toBe(200);
});
