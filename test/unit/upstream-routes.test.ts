/** Every dialect in front of models of other servers: what is asked there, what comes back, and what cannot be asked. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { encodeFloats } from '../../src/core/encoding.js';
import { createHandler } from '../../src/edge/handler.js';
import { listen } from '../../src/edge/server.js';
import { FakeEngine } from './api-engine.js';
import { readAnswer, routeOf } from './route-answers.js';

type Body = Record<string, unknown>;
type Routes = Record<string, (body: Body) => object>;

const usage = { prompt_tokens: 9, total_tokens: 9 };
const vectors = [
  [3, 4],
  [4, 3],
  [0, 2],
];

/** OpenAI's own route: as base64, out of order, which the index tells. */
const openai: Routes = {
  '/v1/embeddings': ({ input, dimensions = 2 }) => {
    const rows = [input].flat().map((_, index) => (vectors[index] ?? [1, 1]).slice(0, Number(dimensions)));
    const data = rows.map((row, index) => ({
      object: 'embedding',
      index,
      embedding: encodeFloats(Float32Array.from(row)),
    }));
    return { object: 'list', data: data.reverse(), model: 'theirs', usage };
  },
};
const vllm: Routes = {
  ...openai,
  '/v1/rerank': ({ documents }) => ({
    results: (documents as string[]).map((text, index) => ({ index, relevance_score: text.length / 8 })),
    usage,
  }),
  '/tokenize': () => ({ count: 1, max_model_len: 8, tokens: [7], token_strs: null }),
  '/pooling': () => ({ data: [{ index: 0, object: 'pooling', data: [[1, 2]] }] }),
};
const tei: Routes = {
  ...openai,
  '/rerank': ({ texts }) => (texts as string[]).map((text, index) => ({ index, score: text.length / 8 })),
  '/embed_all': () => [[[1, 2]]],
  '/predict': () => [{ score: 1, label: 'a' }],
  '/embed_sparse': () => [[{ index: 3, value: 0.5 }]],
};

/** A server with these routes, and a handler whose model `big` is there. */
async function setUp(routes: Routes, models = new FakeEngine()) {
  const asked: [path: string, body: Body][] = [];
  const server = await listen(async (request) => {
    const { pathname } = new URL(request.url);
    const body = (await request.json()) as Body;
    asked.push([pathname, body]);
    const answer = routes[pathname]?.(body);
    return answer ? Response.json(answer) : Response.json({ detail: 'Not Found' }, { status: 404 });
  });
  onTestFinished(() => server.close());
  const upstream = { baseUrl: `${server.url}/v1`, models: { big: 'theirs' }, retryDelayMs: 1 };
  const handler = createHandler({ engine: models, upstream });
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify({ model: 'big', ...body }) };
    return await handler(new Request(`http://site.example${path}`, init));
  };
  const get = async (path: string) => await (await handler(new Request(`http://site.example${path}`))).json();
  return { asked, engine: models, get, post };
}

/** The answer, after its route's schema was held against it. */
async function read(path: string, response: Response) {
  expect(response.status, await response.clone().text()).toBe(200);
  await readAnswer(routeOf('POST', path), response.clone());
  return await response.json();
}

const unit = vectors.map(([x = 0, y = 0]) => [x / Math.hypot(x, y), y / Math.hypot(x, y)].map(Math.fround));

describe('embeddings of another server', () => {
  it.each<[string, object, (answer: never) => unknown, unknown]>([
    ['/embed', { inputs: ['a', 'b'] }, (answer) => answer, unit.slice(0, 2)],
    ['/embed', { inputs: ['a', 'b'], normalize: false }, (answer) => answer, vectors.slice(0, 2)],
    ['/', { inputs: 'a' }, (answer) => answer, unit.slice(0, 1)],
    ['/vertex', { instances: [{ model: 'big', inputs: 'a' }] }, ({ predictions }) => predictions, [unit.slice(0, 1)]],
    ['/api/embed', { input: ['a', 'b'] }, ({ embeddings }) => embeddings, unit.slice(0, 2)],
    ['/api/embeddings', { prompt: 'a' }, ({ embedding }) => embedding, vectors[0]],
    [
      '/v2/embed',
      { texts: ['a'], embedding_types: ['float'] },
      ({ embeddings }) => embeddings,
      { float: [vectors[0]] },
    ],
    ['/embedding', { content: 'a' }, (answer: { embedding: unknown }[]) => answer[0]?.embedding, unit.slice(0, 1)],
    ['/pooling', { input: 'a' }, ({ data }) => data, [{ index: 0, object: 'pooling', data: vectors[0] }]],
  ])('answer %s to %j', async (path, body, take, wanted) => {
    const { asked, engine, post } = await setUp(openai);
    const answer = await read(path, await post(path, body));
    expect(take(answer as never)).toEqual(wanted);
    expect(asked.at(-1)).toMatchObject(['/v1/embeddings', { model: 'theirs', encoding_format: 'base64' }]);
    expect(engine.embedRequests).toEqual([]);
  });

  it('are compared for /similarity and for labels of one’s own', async () => {
    const { post } = await setUp(openai);
    const inputs = { source_sentence: 'a', sentences: ['b', 'c'] };
    expect(await read('/similarity', await post('/similarity', { inputs }))).toEqual([
      expect.closeTo(0.96, 6),
      expect.closeTo(0.8, 6),
    ]);
    const { data } = await read('/classify', await post('/classify', { input: ['a'], labels: ['b', 'c'] }));
    expect(data[0].prediction).toBe('b');
  });

  it('are asked for with what the dialect says of prompts and widths', async () => {
    const { asked, post } = await setUp(openai);
    await post('/v2/embed', { texts: ['a'], input_type: 'search_query', output_dimension: 1 });
    await post('/embed', { inputs: 'a', prompt_name: 'query', truncation_direction: 'left' });
    expect(asked.map(([, body]) => body)).toEqual([
      { model: 'theirs', input: ['a'], encoding_format: 'base64', input_type: 'search_query', dimensions: 1 },
      { model: 'theirs', input: ['a'], encoding_format: 'base64', prompt_name: 'query', truncation_side: 'left' },
    ]);
  });

  it('of a server that knows no widths are cut here, and have length 1 again', async () => {
    const wide: Routes = { '/v1/embeddings': () => ({ data: [{ index: 0, embedding: [3, 4, 12] }] }) };
    const { post } = await setUp(wide);
    expect(await read('/embed', await post('/embed', { inputs: 'a', dimensions: 2 }))).toEqual(unit.slice(0, 1));
  });

  it('count the tokens that the server counted', async () => {
    const { post } = await setUp(openai);
    const response = await post('/embed', { inputs: 'a' });
    expect(response.headers.get('x-compute-tokens')).toBe('9');
  });

  it.each<[string, object]>([
    ['no JSON of the form that /embeddings has', { data: 1 }],
    ['2 results where 1 were asked for', { data: [0, 1].map((index) => ({ index, embedding: [1] })) }],
    ['results of other places than it was asked for', { data: [{ index: 1, embedding: [1] }] }],
    ['a vector with values that are no numbers', { data: [{ index: 0, embedding: [1, null] }] }],
    ['a vector with values that are no numbers', { data: [{ index: 0, embedding: ['7'] }] }],
    ['a vector with values that are no numbers', { data: [{ index: 0, embedding: [true] }] }],
    ['a vector that is not base64', { data: [{ index: 0, embedding: '§' }] }],
    ['vectors of another width than 8', { data: [{ index: 0, embedding: [1] }] }],
  ])('that are %s are a 502', async (message, reply) => {
    const { post } = await setUp({ '/v1/embeddings': () => reply });
    const response = await post('/v2/embed', { texts: ['a'], output_dimension: 8 });
    expect([response.status, (await response.json()).message]).toEqual([502, expect.stringContaining(message)]);
  });
});

describe('scores of another server', () => {
  const body = { query: 'q', documents: ['ab', 'abcd'] };
  const scores = [0.25, 0.5];

  it.each<[string, Routes]>([
    ['OpenAI-compatible rerank', vllm],
    ['TEI', tei],
  ])('with the routes of %s answer every dialect', async (_, routes) => {
    const { engine, post } = await setUp(routes);
    const cohere = await read('/v2/rerank', await post('/v2/rerank', body));
    expect(cohere.results).toEqual([1, 0].map((index) => ({ index, relevance_score: scores[index] })));
    const texts = { query: 'q', texts: body.documents };
    expect(await read('/rerank', await post('/rerank', texts))).toEqual(
      [1, 0].map((index) => ({ index, score: scores[index] })),
    );
    const llama = await read('/reranking', await post('/reranking', body));
    expect(llama.results).toHaveLength(2);
    const pairs = await read('/score', await post('/score', { text_1: ['a', 'b'], text_2: ['ab', 'abcd'] }));
    expect(pairs.data.map(({ score }: { score: number }) => score)).toEqual(scores);
    expect(engine.rerankRequests).toEqual([]);
  });

  it('come from TEI for clients of the routes that it lacks, in the words of the route', async () => {
    const { asked, post } = await setUp(tei);
    const { results, model } = await read('/v1/rerank', await post('/v1/rerank', { ...body, top_n: 1 }));
    expect([results, model]).toEqual([[{ index: 1, relevance_score: 0.5, document: { text: 'abcd' } }], 'big']);
    expect(asked.at(-1)).toEqual([
      '/rerank',
      { model: 'theirs', query: 'q', texts: body.documents, raw_scores: false, truncate: true },
    ]);
  });

  it('are cosines where the server only embeds', async () => {
    const { post } = await setUp(openai);
    const { results } = await read('/v1/rerank', await post('/v1/rerank', body));
    expect(results.map(({ relevance_score }: { relevance_score: number }) => relevance_score)).toEqual([
      expect.closeTo(0.96, 6),
      expect.closeTo(0.8, 6),
    ]);
  });
});

describe('what only some servers have', () => {
  it.each<[string, object, Routes, unknown]>([
    ['/embed_all', { inputs: 'a' }, tei, [[[1, 2]]]],
    ['/predict', { inputs: 'a' }, tei, [{ score: 1, label: 'a' }]],
    ['/embed_sparse', { inputs: 'a' }, tei, [[{ index: 3, value: 0.5 }]]],
    ['/tokenize', { prompt: 'a' }, vllm, { count: 1, max_model_len: 8, tokens: [7], token_strs: null }],
    [
      '/pooling',
      { input: 'a', task: 'token_embed' },
      vllm,
      { data: [{ index: 0, object: 'pooling', data: [[1, 2]] }] },
    ],
  ])('is passed on from %s as it came', async (path, body, routes, wanted) => {
    const { asked, post } = await setUp(routes);
    const response = await post(path, body);
    expect([response.status, await response.json()]).toEqual([200, wanted]);
    expect(asked).toEqual([[path, { ...body, model: 'theirs' }]]);
  });

  it.each([
    ['/embed_all', { inputs: 'a' }],
    ['/predict', { inputs: 'a' }],
    ['/embed_sparse', { inputs: 'a' }],
    ['/decode', { ids: [1] }],
    ['/tokenize', { inputs: 'a' }],
    ['/tokenize', { prompt: 'a' }],
    ['/tokenize', { content: 'a' }],
    ['/detokenize', { tokens: [1] }],
    ['/classify', { input: 'a' }],
  ])('is refused on %s elsewhere, with the names of the model and the route', async (path, body) => {
    const { post } = await setUp(openai);
    const response = await post(path, body);
    const { error } = await response.json();
    expect([400, 424]).toContain(response.status);
    expect(typeof error === 'string' ? error : error.message).toBe(
      `The server of \`big\` has no route ${path}, so it cannot be asked for this: status 404, Not Found`,
    );
  });

  it('is refused for vectors of tokens that its server has no route for', async () => {
    const { post } = await setUp(openai);
    const response = await post('/pooling', { input: 'a', task: 'token_embed' });
    expect([response.status, (await response.json()).error.message]).toEqual([400, expect.stringContaining('`big`')]);
  });
});

describe('a server of which only others have models', () => {
  it('answers for them by every name, is healthy and lists them', async () => {
    const { asked, get, post } = await setUp(openai, new FakeEngine([]));
    await read('/embed', await post('/embed', { model: 'any', inputs: 'a' }));
    await read('/v1/rerank', await post('/v1/rerank', { model: undefined, query: 'a', documents: ['b'] }));
    expect(asked[0]?.[1]).toMatchObject({ model: 'theirs' });
    expect(await get('/health')).toMatchObject({ status: 'ok', model: 'big' });
    expect((await get('/api/tags')).models).toMatchObject([{ name: 'big' }]);
    expect((await get('/api/ps')).models).toEqual([]);
  });

  it('shows and pulls them at once, and takes Ollama’s words for how long they stay', async () => {
    const { asked, engine, post } = await setUp(openai);
    expect(await read('/api/show', await post('/api/show', {}))).toMatchObject({ capabilities: ['embedding'] });
    expect(await read('/api/pull', await post('/api/pull', { stream: false }))).toEqual({ status: 'success' });
    expect(await read('/api/embed', await post('/api/embed', { input: '', keep_alive: 0 }))).toMatchObject({
      embeddings: [],
    });
    expect(asked).toEqual([]);
    await read('/api/embed', await post('/api/embed', { model: 'big:latest', input: 'a', keep_alive: 0 }));
    expect([engine.loads, engine.unloads]).toEqual([[], []]);
  });
});
