import { describe, expect, it } from 'vitest';
import type { EmbedRequest, Engine, ModelStatus } from '../../src/core/engine.js';
import { withMemoryBudget } from '../../src/edge/memory-budget.js';
import { VecinityError } from '../../src/errors.js';

/** An engine whose models have the size that their name ends with, and which notes what it is told. */
class SizedEngine {
  readonly notes: string[] = [];
  readonly loaded = new Map<string, ModelStatus>();
  readonly gates = new Map<string, Promise<void>>();

  async load(id: string): Promise<ModelStatus> {
    this.notes.push(`load ${id}`);
    const backend = { backend: 'wasm', device: 'wasm', dtype: 'f32', threads: 1, details: {} } as const;
    const memoryBytes = Number(id.split('-')[1]);
    const status = { id, state: 'ready', spec: null, backend: { ...backend, memoryBytes } } as const;
    this.loaded.set(id, { ...status, tried: [], progress: null, error: null });
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
      ['b-4', 'ready', false],
      ['a-4', 'ready', true],
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
