/** Jina's and vLLM's additions to `/v1/embeddings`. */
import { describe, expect, it } from 'vitest';
import { createEmbeddings } from '../../src/api/embeddings.js';
import { defaultApiConfig } from '../../src/config.js';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeEmbedding } from './api-engine.js';

const path = '/v1/embeddings';
const base64 = (text: string) => Buffer.from(fakeEmbedding(text, 16).buffer).toString('base64');

describe('Jina’s embeddings', () => {
  it('take texts as objects, one or many', async () => {
    const { post, engine } = createApi();
    await post(path, { input: [{ text: 'a' }, 'b', { text: '' }] });
    await post(path, { input: { text: 'c' } });
    expect(engine.embedRequests.map(({ inputs }) => inputs)).toEqual([['a', 'b', ''], ['c']]);
  });

  it('take the task for a prompt, and `normalized`', async () => {
    const { post, engine } = createApi();
    await post(path, { input: 'a', task: 'retrieval.query', normalized: false });
    expect(engine.embedRequests[0]).toMatchObject({ promptName: 'query', normalize: false });
  });

  it.each(['embedding_type', 'embedding_types'])('come in the type that `%s` names', async (field) => {
    const { post } = createApi();
    const typed = async (type: unknown) =>
      (await (await post(path, { input: 'one', dimensions: 16, [field]: type })).json()).data[0].embedding;
    const bits = await typed('ubinary');
    expect(bits).toHaveLength(2);
    expect(await typed('binary')).toEqual(bits.map((byte: number) => byte - 128));
    expect(await typed(['base64'])).toBe(base64('one'));
    expect(await typed('float')).toEqual([...fakeEmbedding('one', 16)]);
  });

  it('are chunked late when that is asked for', async () => {
    const { post, engine } = createApi();
    await post(path, { input: ['a', 'b'], late_chunking: true });
    await post(path, { input: ['a', 'b'], late_chunking: false });
    expect(engine.embedRequests.map(({ lateChunking }) => lateChunking)).toEqual([true, undefined]);
  });

  it('come in several types at once, by name', async () => {
    const body = { input: ['one', 'three'], dimensions: 16, embedding_type: ['float', 'base64', 'float'] };
    const { data } = await (await createApi().post(path, body)).json();
    expect(data[1].embedding).toEqual({ float: [...fakeEmbedding('three', 16)], base64: base64('three') });
  });

  it('reach the page’s typed call in the same types', async () => {
    const context = { engine: new FakeEngine(), api: defaultApiConfig };
    const typed = await createEmbeddings({ input: 'one', dimensions: 16, embedding_type: 'int8' }, context);
    expect(typed.data[0]?.embedding).toHaveLength(16);
    expect(Math.max(...[...(typed.data[0]?.embedding ?? [])].map((code) => Math.abs(Number(code))))).toBe(127);
  });

  it.each([
    [{ input: [{ image: 'x' }] }, 'input[0]'],
    [{ input: [{ text: 5 }] }, 'input[0].text'],
    [{ input: 'a', embedding_type: 'int4' }, 'embedding_type[0]'],
    [{ input: 'a', embedding_type: [] }, 'embedding_type'],
    [{ input: 'a', embedding_type: 5 }, 'embedding_type'],
    [{ input: 'a', late_chunking: 'yes' }, 'late_chunking'],
    [{ input: 'a', return_multivector: true, embedding_type: 'int8' }, 'embedding_type'],
    [{ input: 'a', return_multivector: true, encoding_format: 'base64' }, 'encoding_format'],
    [{ input: 'a', embd_normalize: -2 }, 'embd_normalize'],
    [{ input: 'a', truncate_prompt_tokens: -2 }, 'truncate_prompt_tokens'],
  ])('refuse %j by naming %s', async (body, param) => {
    expect(await errorOf(await createApi().post(path, body))).toMatchObject({ status: 400, param });
  });
});

describe.each(['/v1/classify', '/classify'])('POST %s with labels', (route) => {
  it('chooses the label whose embedding is nearest', async () => {
    const { post, engine } = createApi();
    const body = { input: [{ text: 'abc' }, 'abcdef'], labels: ['xyz', 'uvwxyz'], model: 'm' };
    const answer = await (await post(route, body)).json();
    expect(engine.embedRequests[0]?.inputs).toEqual(['abc', 'abcdef', 'xyz', 'uvwxyz']);
    expect(answer.data.map(({ prediction }: { prediction: string }) => prediction)).toEqual(['xyz', 'uvwxyz']);
    const [{ object, index, score, predictions }] = answer.data;
    expect({ object, index }).toEqual({ object: 'classification', index: 0 });
    expect(score).toBe(predictions[0].score);
    expect(predictions[0].score + predictions[1].score).toBeCloseTo(1);
    expect(answer.usage.prompt_tokens).toBe(26);
  });

  it.each([
    [{ input: ['a'], labels: ['one'] }, 'labels'],
    [{ input: ['a'], labels: [1, 2] }, 'labels[0]'],
    [{ input: [], labels: ['a', 'b'] }, 'input'],
    [{ input: [{ image: 'x' }], labels: ['a', 'b'] }, 'input[0]'],
  ])('refuses %j by naming %s', async (body, param) => {
    expect(await errorOf(await createApi().post(route, body))).toMatchObject({ status: 400, param });
  });
});

describe('vectors of tokens', () => {
  it('come for `return_multivector`, a row a token', async () => {
    const { post, engine } = createApi();
    const body = { input: ['ab', 'c'], return_multivector: true, task: 'retrieval.query' };
    const answer = await (await post('/v1/embeddings', body)).json();
    expect(
      answer.data.map(({ index, embedding }: { index: number; embedding: number[][] }) => [index, embedding]),
    ).toEqual([
      [0, [[...fakeEmbedding('a', 4)], [...fakeEmbedding('b', 4)]]],
      [1, [[...fakeEmbedding('c', 4)]]],
    ]);
    expect(answer.usage.prompt_tokens).toBe(3);
    expect(engine.tokensRequests[0]?.promptName).toBe('query');
  });

  it('come from /v1/multi-vector under its own names', async () => {
    const { post, engine } = createApi();
    const answer = await (await post('/v1/multi-vector', { input: ['ab'], input_type: 'document' })).json();
    expect(answer.data).toEqual([
      { object: 'embeddings', index: 0, embeddings: [[...fakeEmbedding('a', 4)], [...fakeEmbedding('b', 4)]] },
    ]);
    expect(engine.tokensRequests[0]).toMatchObject({ promptName: 'passage', truncate: false });
  });
});

it.each([
  [{ embd_normalize: -1 }, false],
  [{ embd_normalize: 2 }, true],
  [{ use_activation: false }, false],
  [{ normalized: true, use_activation: false }, true],
  [{}, null],
])('%j asks for the length 1: %s', async (words, normalize) => {
  const { post, engine } = createApi();
  await post('/v1/embeddings', { input: 'a', ...words });
  expect(engine.embedRequests[0]?.normalize).toBe(normalize);
});
