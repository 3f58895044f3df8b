import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EmbedRequest, Engine, LoadOptions, ModelStatus } from '../../src/core/engine.js';
import { withMemoryBudget } from '../../src/edge/memory-budget.js';
import { VecinityError } from '../../src/errors.js';
import { type Deferred, deferred } from './deferred.js';

/** An engine whose models have the size that their name ends with, and which notes what it is told. */
class SizedEngine {
  readonly notes: string[] = [];
  readonly loaded = new Map<string, ModelStatus>();
  readonly gates = new Map<string, Promise<void>>();

  readonly choices: LoadOptions[] = [];

  async load(id: string, options: LoadOptions = {}): Promise<ModelStatus> {
    this.notes.push(`load ${id}`);
    this.choices.push(options);
    const backend = { backend: 'wasm', device: 'wasm', dtype: 'f32', threads: 1, details: {} } as const;
    const memoryBytes = Number(id.split('-')[1]);
    const status = { id, state: 'ready', spec: null, backend: { ...backend, memoryBytes } } as const;
    this.loaded.set(id, { ...status, tried: [], recoveries: 0, progress: null, error: null });
    return this.loaded.get(id) as ModelStatus;
  }

  async unload(id: string): Promise<void> {
    this.notes.push(`unload ${id}`);
    this.loaded.delete(id);
  }

  async embed({ model }: { model: string | null }): Promise<string> {
    await this.gates.get(model ?? '');
    if (model === null || !this.loaded.has(model)) throw new VecinityError('model_not_found', `${model} is not loaded`);
    return model;
  }

  status() {
    return { models: [...this.loaded.values()], defaultModel: [...this.loaded.keys()][0] ?? null, queue: {} };
  }

  async dispose(): Promise<void> {}
}

function start(budgetBytes: number) {
  const inner = new SizedEngine();
  // The wrapper passes requests on as they are; the fake reads their model only.
  const engine = withMemoryBudget(inner as unknown as Engine, budgetBytes);
  const embed = (model: string | null) => engine.embed({ model } as EmbedRequest) as unknown as Promise<string>;
  return { inner, engine, embed };
}

const loadedIds = ({ loaded }: SizedEngine) => [...loaded.keys()];

describe('a memory budget', () => {
  it('lets the model go that was not used for longest, and brings it back', async () => {
    const { inner, engine, embed } = start(10);
    for (const id of ['a-4', 'b-4']) await engine.load(id);
    await embed('a-4');
    await engine.load('c-4');
    expect(loadedIds(inner)).toEqual(['a-4', 'c-4']);
    expect(await embed('b-4')).toBe('b-4');
    expect(loadedIds(inner)).toEqual(['c-4', 'b-4']);
  });

  it('brings a model back as it was after somebody asked for it under a dtype that there is not', async () => {
    const { inner, engine, embed } = start(5);
    await engine.load('a-4', { dtype: 'q8' });
    // The cast is the point: plain JavaScript gives anything.
    const wrong = { dtype: 'int8' } as unknown as LoadOptions;
    await expect(engine.load('a-4', wrong)).rejects.toMatchObject({ code: 'invalid_request', param: 'dtype' });
    await engine.load('b-4');
    expect(await embed('a-4')).toBe('a-4');
    expect(inner.choices.at(-1)).toMatchObject({ dtype: 'q8' });
  });

  it('makes room before a model comes back', async () => {
    const { inner, engine, embed } = start(5);
    for (const id of ['a-4', 'b-4']) await engine.load(id);
    await embed('a-4');
    expect(inner.notes).toEqual(['load a-4', 'load b-4', 'unload a-4', 'unload b-4', 'load a-4']);
  });

  it('keeps a model with requests under way, and lets it go after them', async () => {
    const { inner, engine, embed } = start(5);
    await engine.load('a-4');
    let open = () => {};
    inner.gates.set(
      'a-4',
      new Promise((resolve) => {
        open = resolve;
      }),
    );
    const running = embed('a-4');
    await engine.load('b-4');
    expect(loadedIds(inner)).toEqual(['a-4', 'b-4']);
    open();
    expect(await running).toBe('a-4');
    expect(loadedIds(inner)).toHaveLength(1);
  });

  it('keeps a model that alone is too large', async () => {
    const { inner, engine, embed } = start(3);
    await engine.load('a-4');
    await embed('a-4');
    await embed('a-4');
    expect(inner.notes).toEqual(['load a-4']);
  });

  it('still names a model that has gone, and keeps the default', async () => {
    const { engine, embed } = start(5);
    for (const id of ['a-4', 'b-4']) await engine.load(id);
    const { models, defaultModel } = engine.status();
    expect(defaultModel).toBe('a-4');
    expect(models.map(({ id, state, backend }) => [id, state, backend === null])).toEqual([
      ['a-4', 'unloaded', true],
      ['b-4', 'ready', false],
    ]);
    expect(await embed(null)).toBe('a-4');
  });

  it('forgets a model that is unloaded, awake or not', async () => {
    const { engine, embed } = start(5);
    for (const id of ['a-4', 'b-4']) await engine.load(id);
    await engine.unload('a-4');
    await engine.unload('b-4');
    expect(engine.status().models).toEqual([]);
    await expect(embed('a-4')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('wakes a model once for requests that come together', async () => {
    const { inner, engine, embed } = start(5);
    for (const id of ['a-4', 'b-4']) await engine.load(id);
    expect(await Promise.all([embed('a-4'), embed('a-4')])).toEqual(['a-4', 'a-4']);
    expect(loadedIds(inner)).toEqual(['a-4']);
  });
});

describe('loads within a memory budget', () => {
  /** An engine whose loads end when they are told to; callers for the same model share one, as in ours. */
  class SlowEngine extends SizedEngine {
    readonly loading = new Map<string, Deferred<void>>();
    readonly failing = new Set<string>();
    /** The most bytes that were loaded or loading while two loads or more were under way. */
    peakOfTwo = 0;

    override async load(id: string, { signal }: LoadOptions = {}): Promise<ModelStatus> {
      if (this.failing.has(id)) throw new VecinityError('model_file_missing', 'gone');
      const known = this.loaded.get(id);
      if (known) return known;
      const shared = this.loading.get(id) ?? deferred();
      this.loading.set(id, shared);
      if (this.loading.size > 1) this.peakOfTwo = Math.max(this.peakOfTwo, this.bytes);
      const left = deferred<'left'>();
      signal?.addEventListener('abort', () => left.resolve('left'));
      const ended = await Promise.race([shared.promise, left.promise]);
      if (ended === 'left') throw new VecinityError('aborted', 'left');
      this.loading.delete(id);
      return this.loaded.get(id) ?? (await super.load(id));
    }

    get bytes(): number {
      return [...this.loaded.keys(), ...this.loading.keys()].reduce((sum, id) => sum + Number(id.split('-')[1]), 0);
    }
  }

  const idle = () => new Promise<void>((resolve) => setImmediate(resolve));

  function startSlow(budgetBytes: number) {
    const inner = new SlowEngine();
    const engine = withMemoryBudget(inner as unknown as Engine, budgetBytes);
    const embed = (model: string, signal?: AbortSignal) =>
      engine.embed({ model, signal } as EmbedRequest) as unknown as Promise<string>;
    /** Lets every load end that is under way. */
    const finish = async () => {
      for (const load of inner.loading.values()) load.resolve();
      await idle();
    };
    /** Loads them one after the other, so that their sizes are known. */
    const loadAll = async (...ids: string[]) => {
      for (const id of ids) {
        const loaded = engine.load(id);
        await idle();
        await finish();
        await loaded;
      }
    };
    const states = () => Object.fromEntries(engine.status().models.map(({ id, state }) => [id, state]));
    return { inner, engine, embed, finish, loadAll, states };
  }

  it('know every model from the start: one that waits is loading, and its requests wait for it', async () => {
    const { inner, engine, embed, finish, states } = startSlow(5);
    const loads = Promise.all(['a-4', 'b-4'].map((id) => engine.load(id)));
    expect(states()).toEqual({ 'a-4': 'loading', 'b-4': 'loading' });
    const answer = embed('b-4');
    await idle();
    expect([...inner.loading.keys()]).toEqual(['a-4']);
    await finish();
    await finish();
    await loads;
    expect(await answer).toBe('b-4');
    expect(states()).toEqual({ 'a-4': 'unloaded', 'b-4': 'ready' });
  });

  it('leave a name that nobody asked for unknown', async () => {
    const { loadAll, embed } = startSlow(5);
    await loadAll('a-4');
    await expect(embed('c-4')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('run side by side where their sizes are known and fit', async () => {
    const { inner, embed, finish, loadAll, states } = startSlow(9);
    await loadAll('a-4', 'b-4', 'c-8');
    expect(states()).toEqual({ 'a-4': 'unloaded', 'b-4': 'unloaded', 'c-8': 'ready' });
    const answers = ['a-4', 'b-4'].map((id) => embed(id));
    await idle();
    expect([[...inner.loading.keys()], inner.bytes]).toEqual([['a-4', 'b-4'], 8]);
    await finish();
    expect(await Promise.all(answers)).toEqual(['a-4', 'b-4']);
  });

  it('wait for each other where they do not fit together', async () => {
    const { inner, embed, finish, loadAll } = startSlow(9);
    await loadAll('a-5', 'b-5', 'c-8');
    const answers = ['a-5', 'b-5'].map((id) => embed(id));
    await idle();
    expect([...inner.loading.keys()]).toEqual(['a-5']);
    await finish();
    expect([...inner.loading.keys()]).toEqual(['b-5']);
    await finish();
    expect(await Promise.all(answers)).toEqual(['a-5', 'b-5']);
  });

  it('whose caller leaves while it waits are not begun, and hold nobody up', async () => {
    const { inner, embed, engine, finish, states } = startSlow(9);
    const first = engine.load('a-4');
    const controller = new AbortController();
    const gone = engine.load('b-4', { signal: controller.signal });
    const third = engine.load('c-4');
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    expect(states()).toEqual({ 'a-4': 'loading', 'c-4': 'loading' });
    await finish();
    await finish();
    await Promise.all([first, third]);
    expect(inner.notes).toEqual(['load a-4', 'load c-4']);
    await expect(embed('b-4')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('go on for the callers that stay when one of them leaves', async () => {
    const { embed, finish, loadAll } = startSlow(5);
    await loadAll('a-4', 'b-4');
    const controller = new AbortController();
    const gone = embed('a-4', controller.signal);
    const left = expect(gone).rejects.toMatchObject({ code: 'aborted' });
    const stays = embed('a-4');
    await idle();
    controller.abort();
    await idle();
    await finish();
    expect(await stays).toBe('a-4');
    await left;
  });

  it('that fail leave the turn to the next one, and are tried again for a model that was there before', async () => {
    const { inner, engine, embed, finish, loadAll } = startSlow(5);
    await loadAll('a-4', 'b-4');
    inner.failing.add('a-4');
    await expect(embed('a-4')).rejects.toMatchObject({ code: 'model_file_missing' });
    inner.failing.clear();
    const again = embed('a-4');
    await idle();
    await finish();
    expect(await again).toBe('a-4');
    await engine.dispose();
  });

  it('are not overtaken by one that would fit, unless who waits before it leaves', async () => {
    const { inner, embed, finish, loadAll } = startSlow(9);
    await loadAll('a-5', 'b-5', 'c-4', 'd-8');
    const controller = new AbortController();
    const first = embed('a-5');
    const second = embed('b-5', controller.signal);
    const third = embed('c-4');
    await idle();
    expect([...inner.loading.keys()]).toEqual(['a-5']);
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: 'aborted' });
    expect([...inner.loading.keys()]).toEqual(['a-5', 'c-4']);
    await finish();
    expect(await Promise.all([first, third])).toEqual(['a-5', 'c-4']);
  });

  it('are not waited for by a caller that has left before it came', async () => {
    const { engine, embed } = startSlow(5);
    engine.load('a-4').catch(() => {});
    await expect(engine.load('b-4', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    await expect(embed('b-4')).rejects.toMatchObject({ code: 'model_not_found' });
  });

  it('stay known while one of those who wait for them is left', async () => {
    const { engine, finish, states } = startSlow(5);
    const first = engine.load('a-4');
    const controller = new AbortController();
    const gone = engine.load('b-4', { signal: controller.signal });
    const stays = engine.load('b-4');
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    expect(states()).toEqual({ 'a-4': 'loading', 'b-4': 'loading' });
    await finish();
    await finish();
    expect((await Promise.all([first, stays])).map(({ id }) => id)).toEqual(['a-4', 'b-4']);
  });

  it('with another dtype may need another room, so they run alone', async () => {
    const { inner, engine, embed, finish, loadAll } = startSlow(9);
    await loadAll('a-4', 'b-4', 'c-8');
    const loads = [engine.load('a-4', { dtype: 'q8' }), embed('b-4')];
    await idle();
    expect([...inner.loading.keys()]).toEqual(['a-4']);
    await finish();
    await finish();
    await Promise.all(loads);
  });

  it('that fail at first are answered by the engine, which knows why; those that were called off are begun anew', async () => {
    const { inner, engine, embed, finish } = startSlow(5);
    inner.failing.add('a-4');
    await expect(engine.load('a-4')).rejects.toMatchObject({ code: 'model_file_missing' });
    await expect(embed('a-4')).rejects.toMatchObject({ code: 'model_not_found' });
    const controller = new AbortController();
    const gone = engine.load('b-4', { signal: controller.signal });
    await idle();
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'aborted' });
    const answer = embed('b-4');
    await idle();
    await finish();
    expect(await answer).toBe('b-4');
  });

  it('that wait are told when their model or the engine goes', async () => {
    const { engine } = startSlow(5);
    engine.load('a-4').catch(() => {});
    const [unloaded, disposed] = [engine.load('b-4'), engine.load('c-4')];
    await engine.unload('b-4');
    await expect(unloaded).rejects.toMatchObject({ code: 'disposed' });
    const refused = expect(disposed).rejects.toMatchObject({ code: 'disposed' });
    await engine.dispose();
    await refused;
  });

  it('never go beyond the budget together, whatever is asked in whichever order', async () => {
    const ids = ['a-2', 'b-3', 'c-4', 'd-5', 'e-6'];
    const step = fc.oneof(fc.record({ ask: fc.constantFrom(...ids) }), fc.record({ end: fc.nat(5) }));
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const { inner, embed, finish, loadAll } = startSlow(9);
      await loadAll(...ids);
      const answers: Promise<string>[] = [];
      for (const { ask, end } of steps as { ask?: string; end?: number }[]) {
        if (ask !== undefined) answers.push(embed(ask));
        else [...inner.loading.values()][(end ?? 0) % Math.max(1, inner.loading.size)]?.resolve();
        await idle();
      }
      while (inner.loading.size > 0) await finish();
      await Promise.all(answers);
      expect(inner.peakOfTwo).toBeLessThanOrEqual(9);
    });
    await fc.assert(property, { seed: 20_260_101, numRuns: 60 });
  });
});
