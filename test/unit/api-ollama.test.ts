/** Ollama's routes, with the official `ollama` package and raw. */
import { Ollama } from 'ollama';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseDuration } from '../../src/api/dialects/ollama.js';
import { createEmbeddings } from '../../src/api/embeddings.js';
import { defaultApiConfig } from '../../src/config.js';
import type { LoadOptions, LoadProgress } from '../../src/core/engine.js';
import { VecinityError } from '../../src/errors.js';
import { createApi } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';
import { serveApi } from './api-server.js';
import { deferred } from './deferred.js';

const model = 'all-minilm:latest';

describe('the ollama package', () => {
  it('embeds texts, the old way too', async () => {
    const { url, engine } = await serveApi();
    const client = new Ollama({ host: url });
    const answer = await client.embed({ model, input: ['one', 'three'], options: { num_ctx: 128 } });
    expect(answer).toEqual({
      model,
      embeddings: [[...fakeEmbedding('one', 4)], [...fakeEmbedding('three', 4)]],
      total_duration: 33_756_000,
      load_duration: 0,
      prompt_eval_count: 12,
    });
    expect(engine.embedRequests[0]).toMatchObject({ truncate: true, normalize: true, maxTokens: 128 });
    expect(await client.embeddings({ model, prompt: 'one' })).toEqual({ embedding: [...fakeEmbedding('one', 4)] });
    expect(engine.embedRequests[1]).toMatchObject({ normalize: false });
  });

  it('lists, shows and versions', async () => {
    const { url } = await serveApi();
    const client = new Ollama({ host: url });
    expect((await client.list()).models[0]).toMatchObject({ name: 'all-MiniLM-L6-v2', details: { family: 'bert' } });
    expect((await client.ps()).models[0]).toMatchObject({ expires_at: '9999-12-31T23:59:59Z', context_length: 256 });
    expect(await client.show({ model: 'all-MiniLM-L6-v2:latest' })).toMatchObject({
      capabilities: ['embedding'],
      model_info: { 'general.architecture': 'bert', 'bert.context_length': 256, 'bert.embedding_length': 4 },
    });
    expect(await client.version()).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
    await expect(client.show({ model: 'none' })).rejects.toMatchObject({ status_code: 404 });
  });
});

describe('POST /api/embed', () => {
  it('reads JSON under any content type, as `curl -d` sends it', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await createApi().post('/api/embed', { input: 'a' }, { headers })).status).toBe(200);
  });

  it.each([undefined, null, '', []])('with the input %j only makes sure that the model is there', async (input) => {
    const { post, engine } = createApi();
    expect((await (await post('/api/embed', { model, input })).json()).embeddings).toEqual([]);
    expect([engine.embedRequests.length, engine.loads]).toEqual([0, ['all-MiniLM-L6-v2']]);
  });

  it.each([
    [2, 2],
    [4, null],
    [4096, null],
  ])('cuts to %i dimensions as the engine’s %s: above its own width a model keeps it', async (dimensions, wanted) => {
    const { post, engine } = createApi();
    await post('/api/embed', { input: 'a', dimensions, truncate: false });
    expect(engine.embedRequests[0]).toMatchObject({ dimensions: wanted, truncate: false });
  });

  it.each([
    [{ input: 5 }, 400, '`input` must be a string or an array'],
    [{ input: 'a', keep_alive: 'soon' }, 400, '`keep_alive` must be a duration'],
    [{ input: 'a', keep_alive: true }, 400, '`keep_alive` must be a duration'],
    [{ input: 'a', keep_alive: '  ' }, 400, '`keep_alive` must be a duration'],
    [{ input: 'a', keep_alive: '0x0' }, 400, '`keep_alive` must be a duration'],
  ])('refuses %j before anything is computed', async (body, status, message) => {
    const { post, engine } = createApi();
    const response = await post('/api/embed', body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.stringContaining(message) });
    expect(engine.embedRequests).toEqual([]);
  });

  it('is a 503 when the queue is full, and a 404 for a model that is not there', async () => {
    const { post, engine } = createApi({ modelPolicy: 'strict' });
    engine.before = () => {
      throw new VecinityError('overloaded', 'full');
    };
    expect((await post('/api/embed', { input: 'a' })).status).toBe(503);
    expect((await post('/api/embed', { model: 'other', input: 'a' })).status).toBe(404);
  });
});

describe('keep_alive', () => {
  it.each([undefined, 2, 9])(
    'of 0 lets the model go until the next request, also one for %j dimensions',
    async (dimensions) => {
      const { post, engine } = createApi();
      await post('/api/embed', { input: 'a', keep_alive: 0 });
      expect((await post('/api/embed', { input: 'a', dimensions })).status).toBe(200);
      expect(engine.loads).toEqual(['all-MiniLM-L6-v2']);
      expect(engine.embedRequests[1]).toMatchObject({ dimensions: dimensions === 2 ? 2 : null });
    },
  );

  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const id = 'all-MiniLM-L6-v2';

  it('of 0 unloads after the answer, and the next request of any dialect loads again', async () => {
    const { post, engine } = createApi();
    await post('/api/embed', { input: 'a', keep_alive: 0 });
    expect(engine.unloads).toEqual([id]);
    expect((await post('/v1/embeddings', { input: 'a' })).status).toBe(200);
    expect(engine.loads).toEqual([id]);
  });

  it('takes the model out of the memory, and neither from the lists nor from what is healthy', async () => {
    const { post, get } = createApi({ aliases: { short: id } });
    await post('/api/embed', { input: 'a', keep_alive: 0 });
    expect(await (await get('/health')).json()).toMatchObject({ status: 'ok', model: id });
    const { data } = await (await get('/v1/models')).json();
    expect(data).toMatchObject([
      { id, state: 'unloaded', backend: null, dimensions: 4 },
      { id: 'short', parent: id },
    ]);
    expect((await get(`/v1/models/${id}`)).status).toBe(200);
    expect((await (await get('/api/tags')).json()).models).toHaveLength(1);
    expect((await (await get('/api/ps')).json()).models).toEqual([]);
    await post('/v1/embeddings', { input: 'a' });
    expect((await (await get('/v1/models')).json()).data).toMatchObject([{ id, state: 'ready' }, { id: 'short' }]);
  });

  it('unloads when its time is over, which every request begins anew', async () => {
    const { post, get, engine } = createApi();
    await post('/api/embed', { input: 'a', keep_alive: '5m' });
    const [{ expires_at }] = (await (await get('/api/ps')).json()).models;
    expect(new Date(expires_at).getTime() - Date.now()).toBe(300_000);
    await vi.advanceTimersByTimeAsync(200_000);
    await post('/api/embed', { input: 'a', keep_alive: 300 });
    await vi.advanceTimersByTimeAsync(299_000);
    expect(engine.unloads).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(engine.unloads).toEqual([id]);
  });

  it('of a negative time keeps the model', async () => {
    const { post, engine } = createApi();
    await post('/api/embed', { input: 'a', keep_alive: '5m' });
    await post('/api/embed', { input: 'a', keep_alive: -1 });
    await vi.advanceTimersByTimeAsync(400_000);
    expect(engine.unloads).toEqual([]);
  });

  it('is what the option says for requests that say nothing, typed calls too, and comes back with either', async () => {
    const engine = new FakeEngine();
    const { post } = createApi({ keepAliveMs: 60_000 }, engine);
    const context = { engine, api: { ...defaultApiConfig, keepAliveMs: 60_000 } };
    await post('/v1/embeddings', { input: 'a' });
    await vi.advanceTimersByTimeAsync(50_000);
    await createEmbeddings({ input: 'a' }, context);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(engine.unloads).toEqual([]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(engine.unloads).toEqual([id]);
    await createEmbeddings({ input: 'a' }, context);
    await post('/v1/embeddings', { input: 'a' });
    expect(engine.loads).toEqual([id]);
    await post('/api/embed', { input: 'a', keep_alive: -1 });
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(engine.unloads).toEqual([id]);
  });

  it('never takes a model from a request that is under way', async () => {
    const { post, engine } = createApi();
    const [started, finish] = [deferred(), deferred()];
    engine.before = () => {
      started.resolve();
      return finish.promise;
    };
    const slow = post('/v1/embeddings', { input: 'slow' });
    await started.promise;
    await post('/api/embed', { input: '', keep_alive: 0 });
    expect(engine.unloads).toEqual([]);
    finish.resolve();
    expect((await slow).status).toBe(200);
    expect(engine.unloads).toEqual([id]);
  });

  it('wakes the model that was asked for by name', async () => {
    const engine = new FakeEngine([fakeModel('a', 'embedding'), fakeModel('b', 'embedding')]);
    const { post } = createApi({}, engine);
    await post('/api/embed', { model: 'b', input: 'x', keep_alive: 0 });
    await post('/api/embed', { model: 'b:latest', input: 'x' });
    expect([engine.unloads, engine.loads]).toEqual([['b'], ['b']]);
  });

  it.each([
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['250ms', 250],
    ['-1', -1_000],
    ['-1m', -60_000],
    [10, 10_000],
    [0, 0],
    ['0', 0],
    [null, null],
    ['', null],
  ])('%j is %s ms', (value, milliseconds) => {
    expect(parseDuration(value)).toBe(milliseconds);
  });
});

describe('POST /api/pull', () => {
  const files = (loadedBytes: number) => ({ 'model.safetensors': { loadedBytes, totalBytes: 90, resumedBytes: 0 } });
  const step = (phase: LoadProgress['phase'], loadedBytes: number): LoadProgress => ({
    ...{ type: 'load', model: 'm', phase, loadedBytes, totalBytes: 90, files: files(loadedBytes) },
    ...{ resumedBytes: 0, bytesPerSecond: null, remainingMs: null },
  });
  /** An engine whose loads report these steps, then end or wait for the abort. */
  const loading = (steps: LoadProgress[], end: (options: LoadOptions) => Promise<void> = async () => {}) => {
    const engine = new FakeEngine();
    const load = engine.load.bind(engine);
    engine.load = async (model: string, options: LoadOptions = {}) => {
      for (const progress of steps) options.onProgress?.(progress);
      await end(options);
      return await load(model);
    };
    return engine;
  };

  it('streams its steps to the ollama package', async () => {
    const steps = [
      step('download', 10),
      step('download', 10),
      step('download', 90),
      step('compile', 90),
      step('check', 90),
    ];
    const { url, engine } = await serveApi({}, loading([...steps, step('ready', 90)]));
    const lines = [];
    for await (const line of await new Ollama({ host: url }).pull({ model: 'bge:latest', stream: true }))
      lines.push(line);
    const file = { status: 'pulling model.safetensors', digest: 'model.safetensors', total: 90 };
    expect(lines).toEqual([
      { status: 'pulling manifest' },
      { ...file, completed: 10 },
      { ...file, completed: 90 },
      { status: 'loading model' },
      { status: 'verifying model' },
      { status: 'success' },
    ]);
    expect(engine.loads).toEqual(['bge']);
  });

  it('sends the first steps before the load is through', async () => {
    const through = deferred<void>();
    const response = await createApi(
      {},
      loading([], () => through.promise),
    ).post('/api/pull', { name: 'bge' });
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('{"status":"pulling manifest"}\n');
    through.resolve();
    expect((await reader?.read())?.value).toBe('{"status":"success"}\n');
    expect((await reader?.read())?.done).toBe(true);
  });

  it('ends the load when its reader goes away', async () => {
    const aborted = deferred<void>();
    const untilAbort = ({ signal }: LoadOptions) =>
      new Promise<void>((_, reject) => {
        signal?.addEventListener('abort', () => {
          aborted.resolve();
          reject(signal.reason);
        });
      });
    const response = await createApi({}, loading([], untilAbort)).post('/api/pull', { model: 'bge' });
    await response.body?.cancel();
    await expect(aborted.promise).resolves.toBeUndefined();
  });

  it('says in one answer that it is done, or why not, when no stream is asked for', async () => {
    const { url, engine } = await serveApi({ aliases: { bge: 'BAAI/bge-small-en-v1.5' } });
    const client = new Ollama({ host: url });
    expect(await client.pull({ model: 'bge' })).toEqual({ status: 'success' });
    expect(engine.loads).toEqual(['BAAI/bge-small-en-v1.5']);
    engine.load = async () => {
      throw new VecinityError('model_file_missing', 'There is no such model.');
    };
    await expect(client.pull({ model: 'none' })).rejects.toMatchObject({ status_code: 502 });
    const stream = await client.pull({ model: 'none', stream: true });
    const readAll = async () => {
      for await (const _ of stream);
    };
    await expect(readAll()).rejects.toThrow('There is no such model.');
  });

  it.each(['/etc', './models/m', '../m', 'file:///etc', 'http://169.254.169.254/latest', 'https://hub.example/m'])(
    'is for names: a client may not choose the folder or address %s',
    async (model) => {
      const { post, engine } = createApi();
      const response = await post('/api/pull', { model, stream: false });
      const error = `\`model\` must be the name of a model, not a folder or an address; got string ${JSON.stringify(model)}.`;
      expect([response.status, await response.json()]).toEqual([400, { error }]);
      expect(engine.loads).toEqual([]);
    },
  );

  it('takes the folder of a model that is there or stands behind an alias', async () => {
    const engine = new FakeEngine([fakeModel('/srv/m', 'embedding')]);
    const { post } = createApi({ aliases: { m: '/srv/other' } }, engine);
    expect((await post('/api/pull', { model: '/srv/m', stream: false })).status).toBe(200);
    expect((await post('/api/pull', { model: 'm', stream: false })).status).toBe(200);
    expect(engine.loads).toEqual(['/srv/m', '/srv/other']);
  });

  it('leaves nothing behind of names that lead to no model', async () => {
    const engine = new FakeEngine();
    engine.load = async (model) => {
      engine.models = [...engine.models, { ...fakeModel(model, 'embedding'), state: 'failed' }];
      throw new VecinityError('model_not_found', 'There is no such model.');
    };
    const { post } = createApi({}, engine);
    for (const stream of [false, true]) await (await post('/api/pull', { model: 'owner/none', stream })).text();
    expect(engine.models.map(({ id }) => id)).toEqual(['all-MiniLM-L6-v2']);
    // One that was there before stays: what failed is what everyone who asks for it is told.
    await (await post('/api/pull', { model: 'all-MiniLM-L6-v2', stream: false })).text();
    expect(engine.unloads).toEqual(['owner/none', 'owner/none']);
  });

  it('needs a name', async () => {
    const response = await createApi().post('/api/pull', { stream: false });
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: '`model` is required: the name of a model.' },
    ]);
  });
});
