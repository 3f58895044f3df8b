/** What plain JavaScript may give instead of options and requests: each is refused in our words, by its name. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/core/engine.js';
import { createNodeEngine } from '../../src/edge/engine.js';
import { createHandler } from '../../src/edge/handler.js';
import { listen, toListener } from '../../src/edge/server.js';
import { createEdgeEngine } from '../../src/edge/worker.js';
import { loaded } from './letter-engine.js';

const kernels = { relaxed: {}, simd: {} };
const modelsUrl = 'https://cdn.example/models/';

// No type allows what is tried here.
const node = createNodeEngine as (options: unknown) => Promise<Engine>;
const edge = createEdgeEngine as (options: unknown) => Engine;
const handler = createHandler as (options: unknown) => unknown;
const serve = listen as (handler: unknown, options?: unknown) => Promise<unknown>;
const toNode = toListener as (handler: unknown) => unknown;

describe.each<[name: string, call: () => unknown, param: string, came: string]>([
  ['createNodeEngine(null)', () => node(null), 'options', 'null'],
  ['createNodeEngine(7)', () => node(7), 'options', '7'],
  ['createNodeEngine({ modelsDir: 7 })', () => node({ modelsDir: 7 }), 'modelsDir', '7'],
  ['createNodeEngine({ pulledDir: [] })', () => node({ pulledDir: [] }), 'pulledDir', 'an empty list'],
  ['createNodeEngine({ threads: "2" })', () => node({ threads: '2' }), 'threads', '"2"'],
  ['createEdgeEngine(null)', () => edge(null), 'options', 'null'],
  ['createEdgeEngine(7)', () => edge(7), 'options', '7'],
  ['createEdgeEngine without kernels', () => edge({ modelsUrl }), 'kernels', 'undefined'],
  [
    'createEdgeEngine without a kernel',
    () => edge({ kernels: { simd: {} }, modelsUrl }),
    'kernels.relaxed',
    'undefined',
  ],
  ['createEdgeEngine without modelsUrl', () => edge({ kernels }), 'modelsUrl', 'undefined'],
  ['createHandler(null)', () => handler(null), 'options', 'null'],
  ['createHandler({})', () => handler({}), 'engine', 'undefined'],
  ['createHandler({ engine: 7 })', () => handler({ engine: 7 }), 'engine', '7'],
  ['listen(null)', () => serve(null), 'handler', 'null'],
  ['listen(handler, null)', () => serve(() => new Response(), null), 'options', 'null'],
  ['toListener({})', () => toNode({}), 'handler', 'an object'],
])('%s', (_, call, param, came) => {
  it('is refused by the name of what is wrong, with what came', async () => {
    await expect((async () => call())()).rejects.toMatchObject(refusal(param, came));
  });
});

/** Fields that make a request whole, whichever call it is for. */
const whole = { model: null, query: 'q', inputs: ['a'], documents: ['a'], texts: ['a'], ids: [[1]] };

type Request = Record<string, unknown>;
type Calls = Record<string, (request: unknown) => Promise<unknown>>;

describe.each<[name: string, fields: readonly (readonly [Request, param: string, came: string])[]]>([
  ['embed', inputCases({ inputs: [7] }, '7')],
  ['embedTokens', inputCases({ inputs: [null] }, 'null')],
  ['classify', inputCases({ inputs: [['one']] }, 'a list')],
  [
    'rerank',
    [
      [{ documents: null }, 'documents', 'null'],
      [{ documents: [] }, 'documents', 'an empty list'],
      [{ documents: 'abc' }, 'documents', '"abc"'],
      [{ documents: [7] }, 'documents[0]', '7'],
      [{ query: null }, 'query', 'null'],
    ],
  ],
  [
    'tokenize',
    [
      [{ texts: 'abc' }, 'texts', '"abc"'],
      [{ texts: ['a', {}] }, 'texts[1]', 'an object'],
    ],
  ],
  [
    'decode',
    [
      [{ ids: undefined }, 'ids', 'undefined'],
      [{ ids: [1] }, 'ids[0]', '1'],
    ],
  ],
])('engine.%s', (name, cases) => {
  it('refuses what is no request, and answers the next one', async () => {
    const { engine } = await loaded();
    // The casts are the point: no type allows what is tried here.
    const call = (engine as unknown as Calls)[name]?.bind(engine);
    for (const value of [null, 7, undefined])
      await expect(call?.(value)).rejects.toMatchObject(refusal('request', String(value)));
    await expect(call?.({ ...whole, model: 7 })).rejects.toMatchObject(refusal('model', '7'));
    for (const [fields, param, came] of cases)
      await expect(call?.({ ...whole, ...fields })).rejects.toMatchObject(refusal(param, came));
    expect(await engine.tokenize({ ...whole, addSpecialTokens: true, promptName: null })).toBeDefined();
  });
});

it.each([null, 7, undefined])('an engine has no model %s to unload', async (name) => {
  const { engine } = await loaded();
  await expect((engine.unload as (model: unknown) => Promise<void>).call(engine, name)).rejects.toMatchObject(
    refusal('model', String(name)),
  );
});

it('an engine loads with options or without, not with null', async () => {
  const { engine } = await loaded();
  const load = engine.load.bind(engine) as (model: string, options: unknown) => Promise<unknown>;
  await expect(load('fake', null)).rejects.toMatchObject(refusal('options', 'null'));
  await expect(load('fake', undefined)).resolves.toMatchObject({ state: 'ready' });
});

function inputCases(item: Request, came: string) {
  return [
    [{ inputs: null }, 'inputs', 'null'],
    [{ inputs: [] }, 'inputs', 'an empty list'],
    [{ inputs: 'abc' }, 'inputs', '"abc"'],
    [item, 'inputs[0]', came],
  ] as const;
}

function refusal(param: string, came: string) {
  const message = expect.stringMatching(
    new RegExp(`^\`${param.replace(/[[\].]/g, '\\$&')}\` must be .*; got ${came}\\.$`),
  );
  return { name: 'VecinityError', code: 'invalid_request', param, message };
}
