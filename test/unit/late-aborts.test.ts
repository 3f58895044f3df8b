/** Loads that are called off while the worker's answer is on its way: the model that nobody else wants goes all the same. */
import { afterEach, expect, it, vi } from 'vitest';
import { defaultApiConfig, defaultEngineConfig } from '../../src/config.js';
import type { Engine, LoadOptions } from '../../src/core/engine.js';
import { createEngineApi } from '../../src/engine-api.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { EngineLink } from '../../src/page/engine-link.js';
import { engineApi, FakeWorker } from './fake-engine.js';
import { setUp } from './letter-engine.js';

const assembled = vi.hoisted(() => ({ engine: null as unknown }));

vi.mock('../../src/assemble-engine.js', () => ({ assembleEngine: () => assembled.engine }));

const model = 'all-MiniLM-L6-v2';
const links: EngineLink[] = [];

afterEach(() => {
  for (const link of links.splice(0)) link.dispose();
});

/** A page's line to a real API with an engine out of nothing; `afterLoad` runs in the worker before it answers. */
function openLink(afterLoad: () => void) {
  const { engine } = setUp({ specs: { [model]: {} }, parts: { modelIdOf } });
  const load = async (name: string, options?: LoadOptions) => {
    const status = await engine.load(name, options);
    afterLoad();
    return status;
  };
  assembled.engine = {
    ...{ load, unload: (name: string) => engine.unload(name), status: () => engine.status() },
    onRun: () => {},
  } satisfies Partial<Engine>;
  const api = createEngineApi(() => Promise.reject(new Error('the engine has its own')));
  const link = new EngineLink({
    startWorker: () => new FakeWorker(engineApi(api)),
    ...{ engine: defaultEngineConfig, api: defaultApiConfig, onEnd: () => {} },
  });
  links.push(link);
  return { link, models: async () => (await link.call((remote) => remote.status())).models.map(({ id }) => id) };
}

it('a load that is called off while its answer is on the way leaves no model behind', async () => {
  const controller = new AbortController();
  const { link, models } = openLink(() => controller.abort());
  await expect(link.load(model, { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
  await expect.poll(models).toEqual([]);
});

it('a model that somebody else has asked for stays, under whichever of its names', async () => {
  const controller = new AbortController();
  const { link, models } = openLink(() => controller.abort());
  const loads = [link.load(model, { signal: controller.signal }), link.load(`sentence-transformers/${model}`, {})];
  expect((await Promise.allSettled(loads)).map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  // Whatever the abort has set off is over by then: messages keep their order.
  expect([await models(), await models()]).toEqual([[model], [model]]);
});

it.each([
  ['let go of it', async (link: EngineLink) => link.load(model, {}).then(() => link.unload(model))],
  // The cast is the point: plain JavaScript gives anything.
  ['never got it', async (link: EngineLink) => link.load(model, { dtype: 'none' as 'f32' }).catch(() => {})],
])('nobody who %s keeps a model for one who calls it off', async (_, before) => {
  const controller = new AbortController();
  let isLast = false;
  const { link, models } = openLink(() => isLast && controller.abort());
  await before(link);
  isLast = true;
  await expect(link.load(model, { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
  await expect.poll(models).toEqual([]);
});

it('an abort after the answer changes nothing', async () => {
  const controller = new AbortController();
  const { link, models } = openLink(() => {});
  await link.load(model, { signal: controller.signal });
  controller.abort();
  expect([await models(), await models()]).toEqual([[model], [model]]);
});

it('a model that was let go of and is loaded again meanwhile stays', async () => {
  const controller = new AbortController();
  const { link, models } = openLink(() => {});
  const first = link.load(model, { signal: controller.signal });
  const calls = [first, link.unload(model), link.load(model, {})];
  controller.abort();
  await Promise.allSettled(calls);
  expect([await models(), await models()]).toEqual([[model], [model]]);
});
