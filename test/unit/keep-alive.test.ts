/** When an idle model leaves the memory, and what brings it back. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEmbeddings } from '../../src/api/embeddings.js';
import { expiryOf, keepAlive, loadModel, unloadModel } from '../../src/api/keep-alive.js';
import { presentModels } from '../../src/api/names.js';
import { defaultApiConfig } from '../../src/config.js';
import type { LoadOptions } from '../../src/core/engine.js';
import { FakeEngine, fakeModel } from './api-engine.js';
import { deferred } from './deferred.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const keepAliveMs = 60_000;

function setUp(ids: string[] = ['model'], aliases: Record<string, string> = {}) {
  const engine = new FakeEngine(ids.map((id) => fakeModel(id, 'embedding')));
  const context = { engine, api: { ...defaultApiConfig, keepAliveMs, aliases } };
  const embed = (model?: string) => createEmbeddings({ input: 'a', ...(model ? { model } : {}) }, context);
  /** A request that is under way until `finish`; so much time of it has passed. */
  const begin = async ({ model, passedMs = 0 }: { model?: string; passedMs?: number } = {}) => {
    const { promise, resolve: finish } = deferred();
    engine.before = () => promise;
    const long = embed(model);
    await vi.advanceTimersByTimeAsync(passedMs);
    return { long, finish };
  };
  return { engine, context, embed, begin };
}

test('a model that was loaded again by hand and then unloaded by hand stays away', async () => {
  const { context, embed } = setUp();
  await keepAlive('model', 0, context);
  await loadModel('model', {}, context);
  await unloadModel('model', context);
  await expect(embed()).rejects.toMatchObject({ code: 'model_not_loaded' });
});

test('a model that went and was unloaded by hand then is not listed any more', async () => {
  const { context } = setUp();
  await keepAlive('model', 0, context);
  expect(presentModels(context)).toMatchObject([{ id: 'model', state: 'unloaded' }]);
  await unloadModel('model', context);
  expect(presentModels(context)).toEqual([]);
});

test('what a request chose holds for the requests after it that say nothing', async () => {
  const { engine, context, embed } = setUp();
  await keepAlive('model', -1, context);
  await embed();
  await vi.advanceTimersByTimeAsync(10 * keepAliveMs);
  expect(engine.unloads).toEqual([]);
  expect(expiryOf('model', context)).toBeNull();
});

test('a time beyond what a clock holds is for ever, not for a moment', async () => {
  const { engine, context } = setUp();
  await keepAlive('model', 2 ** 31, context);
  await vi.advanceTimersByTimeAsync(keepAliveMs);
  expect(engine.unloads).toEqual([]);
});

test('a long request is no idle time, although the model is asked for by hand in between', async () => {
  const { engine, context, begin } = setUp();
  const { long, finish } = await begin();
  await loadModel('model', {}, context);
  await vi.advanceTimersByTimeAsync(2 * keepAliveMs);
  finish();
  await long;
  expect(engine.unloads).toEqual([]);
  await vi.advanceTimersByTimeAsync(keepAliveMs - 1);
  expect(engine.unloads).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(engine.unloads).toEqual(['model']);
});

test('a clock that runs out during a request lets it end first, and counts once', async () => {
  const { engine, context, embed, begin } = setUp();
  await keepAlive('model', 1_000, context);
  const { long, finish } = await begin({ passedMs: 2_000 });
  expect(engine.unloads).toEqual([]);
  finish();
  await long;
  expect(engine.unloads).toEqual(['model']);
  await embed();
  expect(engine.unloads).toEqual(['model']);
});

test('a model that shall go stays until the last of its requests has ended', async () => {
  const { engine, context, embed } = setUp();
  const ends = [deferred(), deferred()];
  const waiting = [...ends];
  engine.before = () => waiting.shift()?.promise ?? Promise.resolve();
  const requests = [embed(), embed()];
  await vi.advanceTimersByTimeAsync(0);
  await keepAlive('model', 0, context);
  ends[0]?.resolve();
  await requests[0];
  expect(engine.unloads).toEqual([]);
  ends[1]?.resolve();
  await requests[1];
  expect(engine.unloads).toEqual(['model']);
});

test('a later choice replaces an earlier one', async () => {
  const { engine, context } = setUp();
  await keepAlive('model', 1_000, context);
  await keepAlive('model', 5_000, context);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(engine.unloads).toEqual([]);
});

test('the model that comes back is the one that was meant, by its name or its alias', async () => {
  const { engine, context, embed } = setUp(['first', 'second'], { short: 'second' });
  for (const model of ['first', 'second']) await keepAlive(model, 0, context);
  await embed('short');
  expect(engine.loads).toEqual(['second']);
  await embed('second');
  await embed('anything');
  expect(engine.loads).toEqual(['second']);
  await embed('first');
  expect(engine.loads).toEqual(['second', 'first']);
});

test('a request that is called off calls the load off that it began', async () => {
  const { engine, context } = setUp();
  await keepAlive('model', 0, context);
  const { signal } = new AbortController();
  const given: LoadOptions[] = [];
  const load = engine.load.bind(engine);
  engine.load = (model, options = {}) => {
    given.push(options);
    return load(model);
  };
  await createEmbeddings({ input: 'a' }, { ...context, signal });
  expect(given).toEqual([{ signal }]);
});

test('a model that was woken and unloaded by hand stays away, even from requests beside the one that woke it', async () => {
  const { engine, context, embed, begin } = setUp();
  await keepAlive('model', 0, context);
  const { long, finish } = await begin({ model: 'model' });
  expect(engine.loads).toEqual(['model']);
  // Not by `unloadModel`: whoever holds the engine itself may do it too.
  await engine.unload('model');
  await expect(embed('model')).rejects.toMatchObject({ code: 'model_not_loaded' });
  finish();
  await long;
  expect(engine.loads).toEqual(['model']);
});

test('a clock that runs out after the model was unloaded by hand brings nothing back', async () => {
  const { engine, context, embed } = setUp();
  await loadModel('model', {}, context);
  await engine.unload('model');
  await vi.advanceTimersByTimeAsync(2 * keepAliveMs);
  await expect(embed()).rejects.toMatchObject({ code: 'model_not_loaded' });
});

test('a model that is unloaded by hand while it is away stays away', async () => {
  const { engine, context, embed } = setUp(['first', 'second'], { short: 'second' });
  for (const model of ['first', 'second']) await keepAlive(model, 0, context);
  await unloadModel('short', context);
  await expect(embed('first')).resolves.toBeDefined();
  expect((await embed('second')).model).toBe('first');
  expect(engine.loads).toEqual(['first']);
  await expect(unloadModel('third', context)).resolves.toBeUndefined();
  expect(engine.unloads).toEqual(['first', 'second', 'third']);
});

test('a request that is answered stays so when its model was unloaded by hand before its clock ran out', async () => {
  const { engine, context, begin } = setUp();
  await keepAlive('model', 1_000, context);
  const { long, finish } = await begin({ passedMs: 2_000 });
  engine.unload = () => Promise.reject(new Error('gone already'));
  finish();
  await expect(long).resolves.toBeDefined();
});

test('a model comes back as it was asked for', async () => {
  const { engine, context, embed } = setUp([]);
  const given: LoadOptions[] = [];
  const load = engine.load.bind(engine);
  engine.load = (model, options = {}) => {
    given.push(options);
    return load(model);
  };
  const chosen = { dtype: 'f32', revision: 'abc' } as const;
  await loadModel('model', chosen, context);
  await keepAlive('model', 0, context);
  await embed();
  expect(given).toEqual([chosen, chosen]);
});

test('a model that fails to come back is tried again by the next request', async () => {
  const { engine, context, embed } = setUp();
  await keepAlive('model', 0, context);
  const load = engine.load.bind(engine);
  engine.load = async (model) => {
    // As the real engine does: what failed stays in its list.
    engine.models = [fakeModel(model, 'embedding', { state: 'failed' })];
    throw new Error('no memory');
  };
  for (const name of [undefined, 'model', 'anything']) await expect(embed(name)).rejects.toThrow('no memory');
  engine.load = load;
  await expect(embed()).resolves.toMatchObject({ model: 'model' });
});

test('a model that is away is found by every spelling of its name, although another is here', async () => {
  const { engine, context, embed } = setUp(['other', 'all-MiniLM-L6-v2']);
  await keepAlive('all-MiniLM-L6-v2', 0, context);
  await embed('sentence-transformers/all-MiniLM-L6-v2');
  expect(engine.loads).toEqual(['all-MiniLM-L6-v2']);
});
