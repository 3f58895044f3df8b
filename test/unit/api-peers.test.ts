/** Fields and routes that one peer alone has: vLLM's, llama.cpp's and SageMaker's. */
import { describe, expect, it } from 'vitest';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';
import { deferred } from './deferred.js';

const rankerApi = () => createApi({}, new FakeEngine([fakeModel('ranker', 'rerank')]));
const vectorOf = async (response: Response) => (await response.json()).data[0].embedding;

describe('add_special_tokens', () => {
  it.each(['/v1/embeddings', '/pooling'])('leaves them away on %s when it is false', async (path) => {
    const { post, engine } = createApi();
    await post(path, { input: 'a', add_special_tokens: false });
    await post(path, { input: 'a', add_special_tokens: true });
    await post(path, { input: 'a' });
    expect(engine.embedRequests.map(({ addSpecialTokens }) => addSpecialTokens)).toEqual([false, undefined, undefined]);
  });

  it('leaves them away where every token has a vector', async () => {
    const { post, engine } = createApi();
    await post('/pooling', { input: 'a', task: 'token_embed', add_special_tokens: false });
    expect(engine.tokensRequests[0]?.addSpecialTokens).toBe(false);
  });

  it('cannot be false for pairs', async () => {
    const pair = { text_1: 'q', text_2: 'a' };
    expect((await rankerApi().post('/score', { ...pair, add_special_tokens: true })).status).toBe(200);
    const response = await rankerApi().post('/score', { ...pair, add_special_tokens: false });
    expect([response.status, (await response.json()).error.param]).toEqual([400, 'add_special_tokens']);
  });
});

it('messages are refused with what to send instead', async () => {
  const response = await createApi().post('/v1/embeddings', { messages: [{ role: 'user', content: 'a' }] });
  const error = await errorOf(response);
  expect(error).toMatchObject({ status: 400, param: 'messages', message: expect.stringContaining('`input`') });
});

describe('a text in an object', () => {
  const parts = {
    content: [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ],
  };

  it.each([
    [{ text_1: parts, text_2: [parts, 'c'] }],
    [{ queries: [parts], documents: [{ text: 'a\nb' }, { prompt_string: 'c' }] }],
  ])('is scored: %j', async (body) => {
    const { post, engine } = rankerApi();
    expect((await post('/score', body)).status).toBe(200);
    expect(engine.rerankRequests[0]).toMatchObject({ query: 'a\nb', documents: ['a\nb', 'c'] });
  });

  it.each([
    ['/v1/embeddings', { input: { prompt_string: 'a' } }, ['a']],
    ['/v1/embeddings', { input: [parts, { text: 'c' }, 'd'] }, ['a\nb', 'c', 'd']],
    ['/embedding', { content: { prompt_string: 'a' } }, ['a']],
    ['/embedding', { content: [parts] }, ['a\nb']],
  ])('is embedded on %s: %j', async (path, body, inputs) => {
    const { post, engine } = createApi();
    expect((await post(path, body)).status).toBe(200);
    expect(engine.embedRequests[0]?.inputs).toEqual(inputs);
  });

  const image = {
    content: [
      { type: 'text', text: 'a' },
      { type: 'image_url', image_url: { url: 'x' } },
    ],
  };

  it.each([
    ['/v1/embeddings', { input: image }, 'input.content[1]'],
    ['/v1/embeddings', { input: ['a', image] }, 'input[1].content[1]'],
    ['/v1/embeddings', { input: { content: [] } }, 'input.content'],
    ['/v1/embeddings', { input: [{ prompt_string: 5 }] }, 'input[0].prompt_string'],
    ['/score', { text_1: 'q', text_2: [image] }, 'text_2[0].content[1]'],
    ['/score', { text_1: 'q', text_2: [{ url: 'x' }] }, 'text_2[0]'],
    ['/score', { text_1: 'q', text_2: { content: [{ type: 'text', text: null }] } }, 'text_2.content[0].text'],
  ])('that is none is refused on %s: %j', async (path, body, param) => {
    const response = await createApi().post(path, body);
    expect([response.status, (await response.json()).error.param]).toEqual([400, param]);
  });
});

describe('embd_normalize', () => {
  const row = [...fakeEmbedding('one', 4)];
  const norm = (power: number) => row.reduce((sum, value) => sum + Math.abs(value) ** power, 0) ** (1 / power);
  const largest = Math.max(...row.map(Math.abs));

  it.each([
    [-1, 1],
    [0, 32_760 / largest],
    [1, 1 / norm(1)],
    [3, 1 / norm(3)],
    [7, 1 / norm(7)],
    [2 ** 40, 1 / largest],
  ])('%i scales vectors by the norm', async (embd_normalize, scale) => {
    const { post, engine } = createApi();
    const close = row.map((value) => expect.closeTo(value * scale, scale > 100 ? 0 : 4));
    expect(await vectorOf(await post('/v1/embeddings', { input: 'one', embd_normalize }))).toEqual(close);
    const native = await (await post('/embedding', { content: 'one', embd_normalize })).json();
    expect(native[0].embedding[0]).toEqual(close);
    expect(engine.embedRequests.map(({ normalize }) => normalize)).toEqual([false, false]);
  });

  it('leaves a vector of zeros as it is', async () => {
    const engine = new FakeEngine();
    const embed = engine.embed.bind(engine);
    engine.embed = async (request) => ({ ...(await embed(request)), embeddings: new Float32Array(4) });
    for (const embd_normalize of [0, 1, 5]) {
      const answer = await createApi({}, engine).post('/v1/embeddings', { input: 'a', embd_normalize });
      expect(await vectorOf(answer)).toEqual([0, 0, 0, 0]);
    }
  });
});

it('an item says that it is base64', async () => {
  const { post } = createApi();
  const item = async (body: object) => (await (await post('/v1/embeddings', { input: 'a', ...body })).json()).data[0];
  expect(await item({ encoding_format: 'base64' })).toMatchObject({ encoding_format: 'base64' });
  expect(await item({ encoding_format: 'float' })).not.toHaveProperty('encoding_format');
  expect(await item({ embedding_type: ['float', 'base64'] })).not.toHaveProperty('encoding_format');
});

describe('what is computed now', () => {
  it('is told by /load and /slots while it lasts', async () => {
    const engine = new FakeEngine([fakeModel('m', 'embedding'), fakeModel('ranker', 'rerank')]);
    const { get, post } = createApi({}, engine);
    const started = deferred<void>();
    const end = deferred<void>();
    engine.before = () => {
      started.resolve();
      return end.promise;
    };
    const running = post('/v1/embeddings', { input: 'a' });
    await started.promise;
    expect(await (await get('/load')).json()).toEqual({ server_load: 1 });
    const slots = await (await get('/slots?fail_on_no_slot=1')).json();
    expect(slots).toMatchObject([
      { id: 0, model: 'm', n_ctx: 256, is_processing: true },
      { id: 1, model: 'ranker', is_processing: false },
    ]);
    engine.models = engine.models.slice(0, 1);
    expect((await get('/slots')).status).toBe(200);
    const full = await get('/slots?fail_on_no_slot=1');
    expect([full.status, (await full.json()).error.code]).toEqual([503, 503]);
    end.resolve();
    await running;
    expect(await (await get('/load')).json()).toEqual({ server_load: 0 });
  });
});

it('/props names the model and its limit', async () => {
  expect(await (await createApi().get('/props')).json()).toMatchObject({
    default_generation_settings: { n_ctx: 256 },
    total_slots: 1,
    model_alias: 'all-MiniLM-L6-v2',
    model_path: 'sentence-transformers/all-MiniLM-L6-v2',
  });
  expect(await (await createApi({}, new FakeEngine([])).get('/props')).json()).toMatchObject({ total_slots: 0 });
});

describe('POST /invocations does what', () => {
  const two = () => createApi({}, new FakeEngine([fakeModel('m', 'embedding'), fakeModel('ranker', 'rerank')]));
  const read = async (body: object) => await (await two().post('/invocations', body)).json();

  it('vLLM embeds, scores and reranks', async () => {
    expect(await read({ input: 'a' })).toMatchObject({ object: 'list', data: [{ object: 'embedding' }] });
    for (const [first, second] of [
      ['text_1', 'text_2'],
      ['data_1', 'data_2'],
      ['queries', 'documents'],
    ] as const) {
      expect(await read({ [first]: 'q', [second]: ['a'] })).toMatchObject({ data: [{ object: 'score' }] });
    }
    expect(await read({ query: 'q', documents: ['a'] })).toMatchObject({ results: [{ index: 0 }] });
    expect(await read({ input: ['a'], model: 'ranker' })).toMatchObject({ data: [{ num_classes: 2 }] });
  });

  it('TEI does for its own model', async () => {
    expect(await read({ inputs: 'one' })).toEqual([[...fakeEmbedding('one', 4)]]);
    expect(await (await two().post('/invocations', {})).json()).toMatchObject({ error_type: 'Validation' });
  });
});
