/** Ports of an engine worker, without a worker and without a model. */
import { describe, expect, it } from 'vitest';
import { type ApiConfig, defaultApiConfig, defaultEngineConfig, type EngineConfig } from '../../src/config.js';
import type { LoadOptions } from '../../src/core/engine.js';
import { createEngineApi } from '../../src/engine-api.js';
import { EnginePort } from '../../src/wire/engine-port.js';
import { fromWireResponse, toWireRequest } from '../../src/wire/http.js';

async function openEngine(api: Partial<ApiConfig> = {}): Promise<ReturnType<typeof createEngineApi>> {
  const engine = createEngineApi(() => Promise.reject(new Error('no model is loaded in these tests')));
  await engine.configure(defaultEngineConfig, { ...defaultApiConfig, ...api });
  return engine;
}

describe('an engine', () => {
  it.each([
    [{ device: 'gpu' }, '`device` must be one of auto, webgpu, wasm; got "gpu".'],
    [{ dtype: 'int8' }, '`dtype` must be one of auto, f32, f16, q8; got "int8".'],
    [{ threads: 1.5 }, '`threads` must be an integer of at least 0; got 1.5.'],
    [{ storageFull: true }, '`storageFull` must be one of error, evict, memory; got true.'],
    [{ hubUrl: null }, '`hubUrl` must be an address; got null.'],
    [{ modelsUrl: ['/models/'] }, '`modelsUrl` must be an address or null; got a list.'],
    [{ maxQueue: 0 }, '`maxQueue` must be a number of at least 1; got 0.'],
  ])('refuses options that cannot work: %o', async (wrong, message) => {
    const engine = createEngineApi(() => Promise.reject(new Error('nothing is loaded')));
    // The cast is the point: plain JavaScript gives anything.
    const config = { ...defaultEngineConfig, ...wrong } as EngineConfig;
    const refusal = { code: 'invalid_request', message, param: Object.keys(wrong)[0] };
    await expect(engine.configure(config, defaultApiConfig)).rejects.toMatchObject(refusal);
  });

  it.each([
    [{ device: 'gpu' }, '`device` must be one of auto, webgpu, wasm; got "gpu".'],
    [{ dtype: null }, '`dtype` must be one of auto, f32, f16, q8; got null.'],
  ])('refuses to load a model under %o', async (wrong, message) => {
    const engine = await openEngine();
    // The cast is the point: plain JavaScript gives anything.
    const loading = engine.load('all-MiniLM-L6-v2', wrong as LoadOptions);
    await expect(loading).rejects.toMatchObject({ code: 'invalid_request', message, param: Object.keys(wrong)[0] });
    expect((await engine.status()).models).toEqual([]);
  });

  it('refuses a model that is no name', async () => {
    const engine = await openEngine();
    // The cast is the point: plain JavaScript gives anything.
    const loading = engine.load(7 as unknown as string);
    const message = "`model` must be a model's name, hub id or address; got 7.";
    await expect(loading).rejects.toMatchObject({ code: 'invalid_request', message });
    const unloading = engine.unload(7 as unknown as string);
    await expect(unloading).rejects.toMatchObject({ code: 'invalid_request', message });
  });
});

describe('an engine that takes the place of others', () => {
  const ended = [{ at: '2026-01-01T00:00:00.000Z', reason: 'The engine worker died: boom.' }];
  const error = { code: 'storage_full', message: 'The file needs 9 MB.', param: null, retryAfterMs: null } as const;

  async function openHeir(): Promise<ReturnType<typeof createEngineApi>> {
    const engine = createEngineApi(() => Promise.reject(new Error('nothing is loaded')));
    const past = { ended, failed: [{ model: 'owner/model', error }] };
    await engine.configure({ ...defaultEngineConfig, modelsUrl: null, hubUrl: 'bad:' }, defaultApiConfig, past);
    return engine;
  }

  it('says in its status how they ended', async () => {
    expect((await (await openHeir()).status()).formerEngines).toEqual(ended);
    expect((await (await openEngine()).status()).formerEngines).toEqual([]);
  });

  it('tells who asks for a model that they could not load why, and not that there is none', async () => {
    const engine = await openHeir();
    const refusal = { code: 'storage_full', message: error.message };
    await expect(engine.embeddings({ input: 'text' })).rejects.toMatchObject(refusal);
    const named = { input: 'text', model: 'owner/model' };
    await expect(engine.embeddings(named)).rejects.toMatchObject(refusal);
    expect((await engine.status()).models).toMatchObject([{ id: 'owner/model', state: 'failed', error: refusal }]);
  });

  it('loads such a model anew when it is asked to', async () => {
    const engine = await openHeir();
    await expect(engine.load('owner/model')).rejects.not.toMatchObject({ code: 'storage_full' });
    await engine.unload('owner/model');
    expect((await engine.status()).models).toEqual([]);
  });
});

describe('a port of an engine', () => {
  it('is greeted and answered before any model was loaded', async () => {
    const { port1, port2 } = new MessageChannel();
    const port = new EnginePort(port1);
    const engine = await openEngine();
    await engine.connect(port2);
    await port.hello;
    const request = await toWireRequest(new Request('http://localhost/v1/models'));
    const response = fromWireResponse(await port.send(request, new AbortController().signal));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ object: 'list', data: [] });
    port.close();
  });
});

describe('the API of an engine', () => {
  it.each([
    [{ routePrefix: 'ai' }, 'empty or a path such as `/ai`; got "ai".'],
    [{ routePrefix: null }, 'empty or a path such as `/ai`; got null.'],
    [{ apiKey: '' }, 'a string that is not empty or null; got "".'],
    [{ aliases: 7 }, 'an object with a model for each name; got 7.'],
    [{ aliases: { a: 7 } }, 'an object with a model for each name; got an object.'],
    [{ modelPolicy: 'all' }, 'one of any, strict; got "all".'],
    [{ compat: 'tei' }, 'one of none, openai, vllm, infinity, ollama; got "tei".'],
    [{ scoreActivation: true }, 'one of sigmoid, none; got true.'],
    [{ maxRequestTokens: 0.5 }, 'an integer of at least 1, or Infinity or null; got 0.5.'],
    [{ keepAliveMs: Number.NaN }, 'a number of at least 0 or null; got NaN.'],
    [{ corsOrigin: 10n }, 'an origin or null; got 10.'],
  ])('refuses options that cannot work: %o', async (wrong, told) => {
    // The cast is the point: plain JavaScript gives anything.
    const opening = openEngine(wrong as Partial<ApiConfig>);
    const [param] = Object.keys(wrong);
    await expect(opening).rejects.toMatchObject({
      code: 'invalid_request',
      param,
      message: `\`${param}\` must be ${told}`,
    });
  });

  it.each([null, 7, '', {}])('has no stored model %o to delete', async (model) => {
    const engine = await openEngine();
    // The cast is the point: plain JavaScript gives anything.
    const deletion = engine.deleteStored({ model: model as string, revision: undefined });
    await expect(deletion).rejects.toMatchObject({ code: 'invalid_request', param: 'model' });
  });
});
