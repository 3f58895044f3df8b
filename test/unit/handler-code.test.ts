/** When an engine worker gets the code of the HTTP API: after a model is there, in a moment in which nobody asks. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHandler } from '../../src/api/handler.js';
import { defaultApiConfig, defaultEngineConfig } from '../../src/config.js';
import { createEngineApi } from '../../src/engine-api.js';
import { hubModel, modelHub, openHubBackend } from './model-hub.js';
import { macrotask } from './virtual-runner.js';

vi.mock('../../src/api/handler.js', () => ({ createHandler: vi.fn(() => async () => new Response()) }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  vi.stubGlobal('fetch', modelHub('distilbert-mean').fetch);
});

afterEach(() => {
  vi.mocked(createHandler).mockClear();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** An engine that has just loaded its model, and how often it has made a handler `ms` later. */
async function openEngine() {
  const engine = createEngineApi((_, request, options) => openHubBackend(request, options));
  const config = { ...defaultEngineConfig, hubUrl: 'https://hub.example', modelsUrl: null, threads: 1 };
  await engine.configure(config, defaultApiConfig);
  await engine.load(hubModel, { dtype: 'f32' });
  const handlersAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    await vi.dynamicImportSettled();
    await macrotask();
    return vi.mocked(createHandler).mock.calls.length;
  };
  return { engine, handlersAfter };
}

test('it comes when nothing was asked for a moment', async () => {
  const { engine, handlersAfter } = await openEngine();
  expect(await handlersAfter(99)).toBe(0);
  expect(await handlersAfter(1)).toBe(1);
  await engine.dispose();
});

test.each([
  ['embeds', (engine: ReturnType<typeof createEngineApi>) => engine.embeddings({ input: 'Lima' })],
  ['ranks', (engine: ReturnType<typeof createEngineApi>) => engine.rerank({ query: 'Lima', documents: ['Quito'] })],
])('whoever %s puts it off', async (_, ask) => {
  const { engine, handlersAfter } = await openEngine();
  expect(await handlersAfter(60)).toBe(0);
  await ask(engine);
  expect(await handlersAfter(99)).toBe(0);
  expect(await handlersAfter(1)).toBe(1);
  await engine.dispose();
});
