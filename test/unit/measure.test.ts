/** By which measure a client compares vectors, whether their model is in memory or not. */
import { expect, test } from 'vitest';
import { keepAlive } from '../../src/api/keep-alive.js';
import { measureOf } from '../../src/api/measure.js';
import { defaultApiConfig } from '../../src/config.js';
import type { Engine } from '../../src/core/engine.js';
import type { Similarity } from '../../src/models/spec.js';
import { FakeEngine, fakeModel } from './api-engine.js';

class DotEngine extends FakeEngine {
  override async load(model: string): ReturnType<Engine['load']> {
    await super.load(model);
    return this.declare(model, 'dot');
  }

  /** Lets a model say how its vectors are compared. */
  declare(model: string, similarity: Similarity) {
    const status = fakeModel(model, 'embedding');
    const declared = { ...status, spec: status.spec && { ...status.spec, similarity } };
    this.models = [...this.models.filter(({ id }) => id !== model), declared];
    return declared;
  }
}

function setUp() {
  const engine = new DotEngine([fakeModel('first', 'embedding')]);
  engine.declare('first', 'dot');
  engine.declare('second', 'euclidean');
  return { engine, context: { engine, api: { ...defaultApiConfig, aliases: { short: 'second' } } } };
}

test('is that of the model which would answer: by default, by name, by alias and by any other name', async () => {
  const { context } = setUp();
  const names = [null, 'second', 'short', 'unknown'];
  expect(await Promise.all(names.map((name) => measureOf(name, context)))).toEqual([
    'dot',
    'euclidean',
    'euclidean',
    'dot',
  ]);
});

test('is the same after the model has left the memory: it comes back to say so', async () => {
  const engine = new DotEngine([]);
  engine.declare('first', 'dot');
  const context = { engine, api: defaultApiConfig };
  await keepAlive('first', 0, context);
  expect(engine.models).toEqual([]);
  expect(await measureOf(null, context)).toBe('dot');
  await keepAlive('first', 0, context);
  expect(await measureOf('first', context)).toBe('dot');
  expect(engine.loads).toEqual(['first', 'first']);
});

test('is cosine without any model; a name that nothing answers is refused', async () => {
  const context = { engine: new FakeEngine([]), api: defaultApiConfig };
  expect(await measureOf(null, context)).toBe('cosine');
  await expect(measureOf('absent', context)).rejects.toMatchObject({ code: 'model_not_loaded' });
});
