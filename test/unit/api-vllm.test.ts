/** The routes of vLLM, llama.cpp and Infinity. */
import { describe, expect, it } from 'vitest';
import { toVectorBytes } from '../../src/api/vectors/vector-bytes.js';
import { fromBfloat16, fromFloat16 } from '../../src/models/float16.js';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';

const rankerApi = () => createApi({}, new FakeEngine([fakeModel('ranker', 'rerank')]));

describe('POST /score', () => {
  it.each([
    ['/score', { text_1: 'q', text_2: ['a', 'longest one'] }],
    ['/v1/score', { queries: 'q', documents: ['a', 'longest one'] }],
    ['/score', { queries: ['q'], items: ['a', 'longest one'] }],
    ['/score', { data_1: 'q', data_2: ['a', 'longest one'] }],
  ])('on %s scores one with many, in their order: %j', async (path, body) => {
    const answer = await (await rankerApi().post(path, { ...body, use_activation: false })).json();
    expect(answer).toMatchObject({
      object: 'list',
      model: 'ranker',
      data: [
        { index: 0, object: 'score', score: -2 },
        { index: 1, object: 'score', score: 8 },
      ],
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    expect(answer.id).toMatch(/^score-/);
  });

  it('scores pairs, each by itself', async () => {
    const { post, engine } = rankerApi();
    const answer = await (await post('/score', { text_1: ['p', 'q'], text_2: ['a', 'bb'] })).json();
    expect(engine.rerankRequests.map(({ query, documents }) => [query, documents])).toEqual([
      ['p', ['a']],
      ['q', ['bb']],
    ]);
    expect(answer.data.map(({ score }: { score: number }) => score)).toEqual([
      expect.closeTo(1 / (1 + Math.exp(2))),
      expect.closeTo(1 / (1 + Math.exp(1))),
    ]);
    expect(answer.usage.prompt_tokens).toBe(14);
  });

  it.each([
    [{ text_1: ['a', 'b'], text_2: ['c', 'd', 'e'] }, 'text_1'],
    [{ text_1: 'a' }, 'queries'],
    [{ text_1: 5, text_2: 'a' }, 'text_1'],
  ])('refuses %j with the status in the body', async (body, param) => {
    const response = await rankerApi().post('/score', body);
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ type: 'BadRequestError', param, code: 400 });
  });
});

it('POST /pooling calls the vectors data', async () => {
  const answer = await (await createApi().post('/pooling', { input: ['one', 'three'], model: 'm' })).json();
  expect(answer).toMatchObject({ object: 'list', model: 'all-MiniLM-L6-v2', usage: { prompt_tokens: 12 } });
  expect(answer.data).toEqual([
    { index: 0, object: 'pooling', data: [...fakeEmbedding('one', 4)] },
    { index: 1, object: 'pooling', data: [...fakeEmbedding('three', 4)] },
  ]);
});

describe('the task of /pooling', () => {
  it('classify gives the probabilities of the labels', async () => {
    const answer = await (await createApi().post('/pooling', { input: ['a', 'b'], task: 'classify' })).json();
    expect(answer.data).toEqual([
      { index: 0, object: 'pooling', data: [0.75, 0.25] },
      { index: 1, object: 'pooling', data: [0.125, 0.875] },
    ]);
  });

  it.each(['token_classify', 'plugin'])('%s is refused with the tasks that there are', async (task) => {
    const response = await createApi().post('/pooling', { input: 'a', task });
    const { error } = await response.json();
    expect([response.status, error.message]).toEqual([
      400,
      expect.stringMatching(/^Unsupported task: .* embed, classify/),
    ]);
  });

  it('token_embed gives a vector a token', async () => {
    const answer = await (await createApi().post('/pooling', { input: ['ab', 'c'], task: 'token_embed' })).json();
    const tokens = (text: string) => [...text].map((letter) => [...fakeEmbedding([letter], 4)]);
    expect(answer.data).toEqual([
      { index: 0, object: 'pooling', data: tokens('ab') },
      { index: 1, object: 'pooling', data: tokens('c') },
    ]);
    expect(answer.usage.prompt_tokens).toBe(3);
  });

  it('embed is what it does anyway, and a role is a prompt', async () => {
    const { post, engine } = createApi();
    await post('/pooling', { input: 'a', task: 'embed' });
    await post('/pooling', { input: 'a', task: 'query' });
    expect(engine.embedRequests.map(({ promptName }) => promptName)).toEqual([null, 'query']);
  });

  it.each([
    [{ task: 'plugin' }, 'task'],
    [{ task: 7 }, 'task'],
    [{ task: 'token_embed', dimensions: 2 }, 'dimensions'],
  ])('refuses %j', async (wish, param) => {
    const response = await createApi().post('/pooling', { input: 'a', ...wish });
    expect([response.status, (await response.json()).error.param]).toEqual([400, param]);
  });
});

it('POST /classify names the likeliest label and all probabilities', async () => {
  const answer = await (await rankerApi().post('/classify', { input: ['a', 'b'] })).json();
  expect(answer.data).toEqual([
    { index: 0, label: 'negative', probs: [0.75, 0.25], num_classes: 2 },
    { index: 1, label: 'positive', probs: [0.125, 0.875], num_classes: 2 },
  ]);
});

describe('encoding_format', () => {
  const body = { input: ['one', 'three'], model: 'm', encoding_format: 'bytes' };

  it.each(['/v1/embeddings', '/pooling'])(
    'bytes sends float32 and says in a header where each lies, on %s',
    async (path) => {
      const response = await createApi().post(path, body);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
      const buffer = await response.arrayBuffer();
      const metadata = JSON.parse(response.headers.get('metadata') ?? '');
      expect(metadata).toMatchObject({ model: 'all-MiniLM-L6-v2', usage: { prompt_tokens: 12, total_tokens: 12 } });
      const common = { embed_dtype: 'float32', endianness: 'little', shape: [4] };
      expect(metadata.data).toEqual([
        { index: 0, start: 0, end: 16, ...common },
        { index: 1, start: 16, end: 32, ...common },
      ]);
      expect(new Float32Array(buffer, 16)).toEqual(fakeEmbedding('three', 4));
      expect(response.headers.get('x-inference-time')).toBe('30.5');
    },
  );

  it('bytes_only sends the vectors alone', async () => {
    const response = await createApi().post('/v1/embeddings', { ...body, encoding_format: 'bytes_only' });
    expect(response.headers.get('metadata')).toBeNull();
    expect(new Float32Array(await response.arrayBuffer(), 0, 4)).toEqual(fakeEmbedding('one', 4));
  });

  it('bytes is refused when the header would be too long for clients', async () => {
    const response = await createApi().post('/v1/embeddings', { ...body, input: Array(400).fill('a') });
    expect(await errorOf(response)).toMatchObject({
      status: 400,
      param: 'encoding_format',
      message: expect.stringContaining('bytes_only'),
    });
  });

  it.each([{ embed_dtype: 'float64' }, { endianness: 'middle' }])(
    'refuses %j, which it would not send',
    async (wish) => {
      const [param] = Object.keys(wish);
      expect(await errorOf(await createApi().post('/v1/embeddings', { ...body, ...wish }))).toMatchObject({ param });
    },
  );
});

describe('truncate_prompt_tokens', () => {
  it.each([
    [5, { truncate: true, maxTokens: 5 }],
    [0, { truncate: true, maxTokens: null }],
    [-1, { truncate: true, maxTokens: null }],
    [null, { truncate: false, maxTokens: null }],
  ])('of %s embeds with %j', async (tokens, wanted) => {
    const { post, engine } = createApi();
    await post('/v1/embeddings', { input: 'a', truncate_prompt_tokens: tokens, truncation_side: 'left' });
    expect(engine.embedRequests[0]).toMatchObject({ ...wanted, truncateSide: 'left' });
  });

  const pair = { text_1: 'q', text_2: 'a', query: 'q', documents: ['a'], input: 'a', truncate_prompt_tokens: 9 };

  it.each(['/score', '/v1/score', '/rerank', '/v1/rerank', '/v2/rerank'])('cuts pairs on %s', async (path) => {
    const { post, engine } = rankerApi();
    expect((await post(path, pair)).status).toBe(200);
    expect(engine.rerankRequests[0]).toMatchObject({ maxTokens: 9, truncate: true });
  });

  it('cuts what is classified', async () => {
    const { post, engine } = rankerApi();
    await post('/classify', pair);
    expect(engine.classifyRequests[0]).toMatchObject({ maxTokens: 9 });
  });

  it.each(['/v1/embeddings', '/pooling', '/score', '/rerank', '/classify'])(
    'above what the model takes is a 400 on %s',
    async (path) => {
      const { post } = path.endsWith('s') || path === '/pooling' ? createApi() : rankerApi();
      const response = await post(path, { ...pair, truncate_prompt_tokens: 257 });
      expect(response.status).toBe(400);
      const { error } = await response.json();
      expect(error.param).toBe('truncate_prompt_tokens');
      expect(error.message).toMatch(/257.*256.*Please, select a smaller truncation size/);
    },
  );
});

describe('tokens', () => {
  it.each([
    [{ prompt: 'hi' }, { count: 4, max_model_len: 256, tokens: [1, 104, 105, 1], token_strs: null }],
    [
      { prompt: 'h', add_special_tokens: false, return_token_strs: true },
      { count: 1, token_strs: ['h'] },
    ],
    [{ content: 'hi' }, { tokens: [104, 105] }],
    [{ content: 'h', add_special: true }, { tokens: [1, 104, 1] }],
    [{ content: 'h', with_pieces: true }, { tokens: [{ id: 104, piece: 'h' }] }],
  ])('of %j are told in the words of its API', async (body, answer) => {
    expect(await (await createApi().post('/tokenize', body)).json()).toMatchObject(answer);
  });

  it('become text under both names', async () => {
    const answer = await (await createApi().post('/detokenize', { tokens: [104, 105] })).json();
    expect(answer).toEqual({ prompt: 'hi', content: 'hi' });
  });
});

describe('llama.cpp', () => {
  const native = [{ index: 0, embedding: [[...fakeEmbedding('one', 4)]] }];

  it.each([
    ['/embedding', { content: 'one' }],
    ['/embedding', { input: ['one'] }],
    ['/embeddings', { content: 'one' }],
  ])('answers natively on %s to %j', async (path, body) => {
    expect(await (await createApi().post(path, body)).json()).toEqual(native);
  });

  it.each(['/reranking', '/v1/reranking'])('sorts by logits on %s', async (path) => {
    const body = { query: 'q', documents: ['a', 'longest one'], top_n: 1 };
    const answer = await (await rankerApi().post(path, body)).json();
    expect(answer).toEqual({
      model: 'ranker',
      object: 'list',
      usage: { prompt_tokens: 7, total_tokens: 7 },
      results: [{ index: 1, relevance_score: 8 }],
    });
  });

  it('has the status in its errors', async () => {
    const { error } = await (await createApi().post('/embedding', { content: [] })).json();
    expect(error).toEqual({ code: 400, message: expect.any(String), type: 'invalid_request_error' });
  });
});

it('Infinity’s routes without a version are OpenAI’s', async () => {
  const { post, get } = createApi();
  expect((await (await post('/embeddings', { input: 'one' })).json()).data[0].object).toBe('embedding');
  expect((await (await get('/models')).json()).data[0]).toMatchObject({ capabilities: ['embed', 'rerank'] });
});

describe('vectors in other number formats', () => {
  it.each([
    ['float32', 'big', '3f800000 bf000000 3dcccccd 00000000'],
    ['float16', 'little', '003c 00b8 662e 0000'],
    ['float16', 'big', '3c00 b800 2e66 0000'],
    ['bfloat16', 'big', '3f80 bf00 3dcd 0000'],
    ['fp8_e4m3', 'native', '38 b0 1d 00'],
    ['fp8_e5m2', 'native', '3c b8 2e 00'],
  ])('%s, %s endian, are the bytes that other implementations give', async (embed_dtype, endianness, bytes) => {
    const engine = new FakeEngine();
    const embed = engine.embed.bind(engine);
    const embeddings = Float32Array.of(1, -0.5, 0.1, 0);
    engine.embed = async (request) => ({ ...(await embed(request)), embeddings });
    const { post } = createApi({}, engine);
    const body = { input: 'a', embed_dtype, endianness };
    const wanted = bytes.replaceAll(' ', '');
    const { data } = await (await post('/v1/embeddings', { ...body, encoding_format: 'base64' })).json();
    expect(Buffer.from(data[0].embedding, 'base64').toString('hex')).toBe(wanted);
    const response = await post('/v1/embeddings', { ...body, encoding_format: 'bytes' });
    expect(Buffer.from(await response.clone().arrayBuffer()).toString('hex')).toBe(wanted);
    const described = JSON.parse(response.headers.get('metadata') ?? '').data[0];
    const order = endianness === 'big' ? 'big' : 'little';
    expect(described).toMatchObject({ embed_dtype, endianness: order, start: 0, end: wanted.length / 2 });
  });

  it('of 16 bits read back as the numbers they were made of, the smallest ones included', () => {
    const halves = Uint16Array.from({ length: 0x7c00 }, (_, code) => code);
    const form = { dtype: 'float16', bigEndian: false } as const;
    expect(new Uint16Array(toVectorBytes(fromFloat16(halves), form).buffer)).toEqual(halves);
    const wide = new Uint16Array(toVectorBytes(fromBfloat16(halves), { ...form, dtype: 'bfloat16' }).buffer);
    expect(wide).toEqual(halves);
  });

  it('round to the nearest number, ties to even, and stop at the largest', () => {
    const codes = (values: number[]) => [
      ...toVectorBytes(Float32Array.from(values), { dtype: 'fp8_e4m3', bigEndian: false }),
    ];
    expect(codes([1.0625, 1.1875, 1.125, 0.001953125, 0.0009765625, 448, 1e9])).toEqual([56, 58, 57, 1, 0, 126, 126]);
  });
});
