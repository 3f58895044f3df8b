/** The models of a tab, which each new leader is asked for. */
import { expect, it } from 'vitest';
import { KeptModels } from '../../src/sharing/kept-models.js';
import type { EngineCall } from '../../src/wire/engine-line.js';

it.each([
  ['model', []],
  ['owner/model', []],
  ['other', ['model']],
])('are no more once they were let go of by whichever of their names: after %s', async (name, left) => {
  const asked: unknown[] = [];
  const add = async ({ argument }: EngineCall) => asked.push((argument as { model: string }).model);
  const kept = new KeptModels({ around: { after: () => () => {} }, requests: { add }, giveUp: () => false });
  const loaded = Promise.resolve({ id: 'model', spec: { repository: 'owner/model' } });
  await kept.keep(loaded, { operation: 'load', argument: { model: 'model' } }, {});
  kept.forget(name);
  kept.askForAll();
  expect(asked).toEqual(left);
});
