import { describe, expect, it } from 'vitest';
import { createHandler } from '../../src/api/handler.js';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeModel } from './api-engine.js';

const embedder = fakeModel('all-MiniLM-L6-v2', 'embedding');
const reranker = fakeModel('bge-reranker-base', 'rerank', { spec: { dimensions: 1 } });
const classifier = fakeModel('emotions', 'rerank', { spec: { dimensions: 28 } });
const both = () => new FakeEngine([embedder, reranker]);
const aliases = { 'text-embedding-3-small': 'all-MiniLM-L6-v2', gone: 'not-loaded' };

describe('which model answers', () => {
  it.each([
    ['no name', undefined, 'all-MiniLM-L6-v2'],
    ['its own id', 'all-MiniLM-L6-v2', 'all-MiniLM-L6-v2'],
    ['its repository', 'sentence-transformers/all-MiniLM-L6-v2', 'all-MiniLM-L6-v2'],
    ['an alias', 'text-embedding-3-small', 'all-MiniLM-L6-v2'],
    ['any name', 'text-embedding-ada-002', 'all-MiniLM-L6-v2'],
    ['an alias of a model that is not loaded', 'gone', 'all-MiniLM-L6-v2'],
    ['the name of a model for something else', 'bge-reranker-base', 'bge-reranker-base'],
  ])('%s', async (_, model, expected) => {
    const { post, engine } = createApi({ aliases }, both());
    const body = await (await post('/v1/embeddings', { input: 'a', model })).json();
    expect(engine.embedRequests[0]?.model).toBe(expected);
    expect(body.model).toBe(expected);
  });

  it('a rerank request of any name goes to the reranker, although the default model could do it', async () => {
    const { post, engine } = createApi({}, both());
    await post('/v1/rerank', { query: 'q', documents: ['a'], model: 'rerank-english-v3.0' });
    expect(engine.rerankRequests[0]?.model).toBe('bge-reranker-base');
  });

  it('an embedding model reranks when there is no reranker', async () => {
    const { post, engine } = createApi();
    await post('/v1/rerank', { query: 'q', documents: ['a'] });
    expect(engine.rerankRequests[0]?.model).toBe('all-MiniLM-L6-v2');
  });

  it('an embedding request never goes to a reranker when a model for it is loaded too', async () => {
    const { post, engine } = createApi({}, new FakeEngine([reranker, embedder]));
    await post('/v1/embeddings', { input: 'a', model: 'any' });
    expect(engine.embedRequests[0]?.model).toBe('all-MiniLM-L6-v2');
  });

  it('of two models that fit, the default one answers', async () => {
    const engine = new FakeEngine([embedder, fakeModel('bge-small-en-v1.5', 'embedding')]);
    engine.defaultModel = 'bge-small-en-v1.5';
    await createApi({}, engine).post('/v1/embeddings', { input: 'a' });
    expect(engine.embedRequests[0]?.model).toBe('bge-small-en-v1.5');
  });

  it('a model that could not be loaded is passed over for one that works', async () => {
    const engine = new FakeEngine([fakeModel('broken', 'embedding', { state: 'failed' }), embedder]);
    await createApi({}, engine).post('/v1/embeddings', { input: 'a' });
    expect(engine.embedRequests[0]?.model).toBe('all-MiniLM-L6-v2');
  });

  it('a name of its own wins over an alias', async () => {
    const { post, engine } = createApi({ aliases: { 'bge-reranker-base': 'all-MiniLM-L6-v2' } }, both());
    await post('/v1/rerank', { query: 'q', documents: ['a'], model: 'bge-reranker-base' });
    expect(engine.rerankRequests[0]?.model).toBe('bge-reranker-base');
  });

  it('is a 404 for an unknown name under the strict policy, which lists the names', async () => {
    const { post } = createApi({ aliases, modelPolicy: 'strict' }, both());
    expect(await errorOf(await post('/v1/embeddings', { input: 'a', model: 'gpt-4' }))).toEqual({
      status: 404,
      type: 'not_found_error',
      code: 'model_not_found',
      param: 'model',
      message:
        'The model `gpt-4` is not loaded; available: all-MiniLM-L6-v2, bge-reranker-base, text-embedding-3-small.',
    });
    expect((await post('/v1/embeddings', { input: 'a', model: 'constructor' })).status).toBe(404);
    expect((await post('/v1/embeddings', { input: 'a', model: 'text-embedding-3-small' })).status).toBe(200);
    expect((await post('/v1/embeddings', { input: 'a' })).status).toBe(200);
  });

  it('is a 503 when no model is loaded', async () => {
    const { post } = createApi({}, new FakeEngine([]));
    const error = await errorOf(await post('/v1/embeddings', { input: 'a' }));
    expect(error).toMatchObject({ status: 503, code: 'model_not_loaded', type: 'unavailable_error' });
  });
});

describe('GET /v1/models', () => {
  it.each(['/v1/models', '/v1-openai/models'])('%s lists models and aliases that lead to one', async (path) => {
    const body = await (await createApi({ aliases }, both()).get(path)).json();
    expect(body.object).toBe('list');
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([
      'all-MiniLM-L6-v2',
      'bge-reranker-base',
      'text-embedding-3-small',
    ]);
    expect(body.data[0]).toEqual({
      id: 'all-MiniLM-L6-v2',
      object: 'model',
      created: expect.any(Number),
      owned_by: 'sentence-transformers',
      root: 'sentence-transformers/all-MiniLM-L6-v2',
      parent: null,
      state: 'ready',
      task: 'embedding',
      revision: 'main',
      dimensions: 4,
      matryoshka_dimensions: [],
      max_model_len: 256,
      pooling: 'mean',
      normalize: true,
      prompts: ['query', 'passage'],
      license: 'apache-2.0',
      backend: 'onnx',
      capabilities: ['embed', 'rerank'],
      stats: { queue_fraction: 3 / 8192, queue_absolute: 3, results_pending: 3, batch_size: 2048 },
    });
    expect(body.data[1].capabilities).toEqual(['rerank']);
    const { data } = await (await createApi({}, new FakeEngine([classifier])).get('/models')).json();
    expect(data[0].capabilities).toEqual(['classify']);
    expect(body.data[2]).toMatchObject({ parent: 'all-MiniLM-L6-v2', dimensions: 4 });
  });

  it.each([
    'all-MiniLM-L6-v2',
    'sentence-transformers/all-MiniLM-L6-v2',
    'sentence-transformers%2Fall-MiniLM-L6-v2',
    'text-embedding-3-small',
  ])('/v1/models/%s describes one', async (id) => {
    const response = await createApi({ aliases }).get(`/v1/models/${id}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ id: decodeURIComponent(id), dimensions: 4 });
  });

  it('a model that is not there is a 404', async () => {
    expect(await errorOf(await createApi().get('/v1/models/gpt-4'))).toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
    });
  });
});

describe('GET /health', () => {
  const loading = {
    ...fakeModel('bge-m3', 'embedding', { state: 'loading' }),
    progress: {
      type: 'load' as const,
      model: 'bge-m3',
      phase: 'download' as const,
      loadedBytes: 10,
      totalBytes: 90,
      resumedBytes: 5,
      bytesPerSecond: 40,
      remainingMs: 2_000,
      files: { 'model.onnx': { loadedBytes: 10, totalBytes: 90, resumedBytes: 5 } },
    },
  };

  it.each(['/v1/health', '/ping'])('is told on %s too', async (path) => {
    expect((await createApi({ apiKey: 'k' }).get(path)).status).toBe(200);
  });

  it('is 200 when a model is ready, even while another loads', async () => {
    const response = await createApi({}, new FakeEngine([loading, embedder])).get('/health');
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: 'ok', unix: expect.any(Number), model: 'all-MiniLM-L6-v2' });
  });

  it('is 503 with the progress while a model loads', async () => {
    const response = await createApi({}, new FakeEngine([loading])).get('/health');
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toEqual({
      error: {
        message: 'Loading model bge-m3: download.',
        type: 'unavailable_error',
        param: null,
        code: 'model_loading',
      },
      status: 'loading',
      progress: {
        model: 'bge-m3',
        phase: 'download',
        loaded_bytes: 10,
        total_bytes: 90,
        resumed_bytes: 5,
        bytes_per_second: 40,
        remaining_ms: 2_000,
        files: [{ file: 'model.onnx', loaded_bytes: 10, total_bytes: 90 }],
      },
    });
  });

  it('waits for every model that was asked for at the start, once', async () => {
    const engine = new FakeEngine([embedder, loading]);
    const handler = createHandler({ engine, awaited: ['all-MiniLM-L6-v2', 'bge-m3'] });
    const health = async () => (await handler(new Request('http://site.example/health'))).status;
    expect(await health()).toBe(503);
    engine.models = [
      fakeModel('all-MiniLM-L6-v2', 'embedding', { state: 'unloaded' }),
      fakeModel('bge-m3', 'embedding'),
    ];
    expect(await health()).toBe(200);
    engine.models = [loading, embedder];
    expect(await health()).toBe(200);
  });

  it('is 200 for models that went and come back when they are asked for', async () => {
    const engine = new FakeEngine([fakeModel('bge-m3', 'embedding', { state: 'unloaded' })]);
    expect((await createApi({}, engine).get('/health')).status).toBe(200);
    expect((await (await createApi({}, engine).get('/v1/models')).json()).data[0].state).toBe('unloaded');
    expect((await (await createApi({}, engine).get('/api/ps')).json()).models).toEqual([]);
    expect((await (await createApi({}, engine).get('/api/tags')).json()).models).toHaveLength(1);
  });

  it('is 503 with the reason when the model could not be loaded', async () => {
    const response = await createApi({}, new FakeEngine([fakeModel('m', 'embedding', { state: 'failed' })])).get(
      '/health',
    );
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      error: { code: 'model_not_loaded', message: 'The model m could not be loaded: model.onnx is not there.' },
      status: 'failed',
    });
  });

  it('is 503 when there is no model', async () => {
    expect((await createApi({}, new FakeEngine([])).get('/health')).status).toBe(503);
  });
});

describe('GET /info', () => {
  it('describes the default model, its device, what was tried, and the queue', async () => {
    const engine = both();
    engine.defaultModel = 'bge-reranker-base';
    const body = await (await createApi({}, engine).get('/info')).json();
    expect(body).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      model: 'bge-reranker-base',
      state: 'ready',
      task: 'rerank',
      device: 'wasm',
      dtype: 'f32',
      backend: 'onnx',
      tried: [{ at: '2026-01-02T03:04:05.000Z', backend: 'onnx', device: 'webgpu', ok: false, reason: 'no adapter' }],
      max_tokens: 256,
      dimensions: 1,
      pooling: 'mean',
      normalize: true,
      queue: { inputs: 3, tokens: 40, max_inputs: 8192 },
      former_engines: [],
    });
    expect(body.models.map(({ model }: { model: string }) => model)).toEqual(['all-MiniLM-L6-v2', 'bge-reranker-base']);
  });

  it('answers without a model too', async () => {
    expect(await (await createApi({}, new FakeEngine([])).get('/info')).json()).toMatchObject({
      model: null,
      models: [],
    });
  });
});
