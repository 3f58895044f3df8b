/** What plain JavaScript may give instead of options and requests: each is refused in our words, by its name. */
import { describe, expect, it } from 'vitest';
import { createVecinityProvider } from '../../src/adapters/ai-sdk.js';
import * as langchain from '../../src/adapters/langchain.js';
import * as llamaindex from '../../src/adapters/llamaindex.js';
import { type PipelineOptions, pipeline } from '../../src/adapters/pipeline.js';
import type { EmbedRequest, Engine, LoadOptions } from '../../src/core/engine.js';
import { createClientOf } from '../../src/edge/clients.js';
import { createNodeEngine } from '../../src/edge/engine.js';
import { createHandler } from '../../src/edge/handler.js';
import { listen, toListener } from '../../src/edge/server.js';
import type { Upstream } from '../../src/edge/upstream.js';
import { createEdgeEngine } from '../../src/edge/worker.js';
import { vecinity, withVecinity } from '../../src/vite/plugin.js';
import { FakeEngine } from './api-engine.js';
import { loaded } from './letter-engine.js';

const kernels = { relaxed: {}, simd: {} };
const modelsUrl = 'https://cdn.example/models/';

type Loose<Class> = Class extends new (
  options: never,
) => infer Instance
  ? new (
      options: unknown,
    ) => { [Name in keyof Instance]: (...values: unknown[]) => Promise<unknown> }
  : never;

const engine = new FakeEngine();

// No type allows what is tried here.
const node = createNodeEngine as (options: unknown) => Promise<Engine>;
const edge = createEdgeEngine as (options: unknown) => Engine;
const handler = createHandler as (options: unknown) => unknown;
const serve = listen as (handler: unknown, options?: unknown) => Promise<unknown>;
const toNode = toListener as (handler: unknown) => unknown;
const clientOf = createClientOf as (header: unknown) => unknown;
const provider = createVecinityProvider as (source: unknown) => unknown;
const extractor = (options: unknown) => pipeline('feature-extraction', 'm', options as PipelineOptions);
const plugin = vecinity as (options: unknown) => unknown;
const pwa = withVecinity as (options: unknown) => unknown;
const chain = langchain as unknown as {
  VecinityEmbeddings: Loose<typeof langchain.VecinityEmbeddings>;
  VecinityRerank: Loose<typeof langchain.VecinityRerank>;
};
const index = llamaindex as unknown as {
  VecinityEmbedding: Loose<typeof llamaindex.VecinityEmbedding>;
  VecinityRerank: Loose<typeof llamaindex.VecinityRerank>;
};
const embeddings = () => new chain.VecinityEmbeddings({ source: engine, maxRetries: 0 });
const compressor = () => new chain.VecinityRerank({ source: engine });
const postprocessor = () => new index.VecinityRerank({ source: engine });

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
  ['createNodeEngine([])', () => node([]), 'options', 'an empty list'],
  ['createNodeEngine({ maxQueue: 1n })', () => node({ maxQueue: 10n }), 'maxQueue', '10'],
  ['createNodeEngine({ hubUrl: Symbol() })', () => node({ hubUrl: Symbol('s') }), 'hubUrl', 'Symbol(s)'],
  ['createNodeEngine({ dtype: NaN })', () => node({ dtype: Number.NaN }), 'dtype', 'NaN'],
  ['createNodeEngine({ device: long })', () => node({ device: 'x'.repeat(101) }), 'device', 'a longer string'],
  [
    'createEdgeEngine({ modelsUrl: Symbol() })',
    () => edge({ kernels, modelsUrl: Symbol('s') }),
    'modelsUrl',
    'Symbol(s)',
  ],
  ['createEdgeEngine({ fetch: {} })', () => edge({ kernels, modelsUrl, fetch: {} }), 'fetch', 'an object'],
  ['createHandler({ api: null })', () => handler({ engine, api: null }), 'api', 'null'],
  ['createHandler({ api: { apiKey } })', () => handler({ engine, api: { apiKey: undefined } }), 'apiKey', 'undefined'],
  ['createHandler({ api: { corsOrigin } })', () => handler({ engine, api: { corsOrigin: 7 } }), 'corsOrigin', '7'],
  ['createHandler({ awaited: {} })', () => handler({ engine, awaited: {} }), 'awaited', 'an object'],
  ['createHandler({ clientOf: "x" })', () => handler({ engine, clientOf: 'x' }), 'clientOf', '"x"'],
  ['createHandler({ upstream: null })', () => handler({ engine, upstream: null }), 'upstream', 'null'],
  ...upstreamCases(),
  ['listen({ hostname: null })', () => serve(() => new Response(), { hostname: null }), 'hostname', 'null'],
  ['listen({ hostname: "" })', () => serve(() => new Response(), { hostname: '' }), 'hostname', '""'],
  ['listen({ port: "http" })', () => serve(() => new Response(), { port: 'http' }), 'port', '"http"'],
  ['listen({ port: "" })', () => serve(() => new Response(), { port: '' }), 'port', '""'],
  ['listen({ port: "65536" })', () => serve(() => new Response(), { port: '65536' }), 'port', '"65536"'],
  ['listen({ port: 65536 })', () => serve(() => new Response(), { port: 65_536 }), 'port', '65536'],
  ['listen({ hosts: "a" })', () => serve(() => new Response(), { hosts: 'a' }), 'hosts', '"a"'],
  ['listen({ hosts: [7] })', () => serve(() => new Response(), { hosts: [7] }), 'hosts', 'a list'],
  ['createClientOf("a b")', () => clientOf('a b'), 'header', '"a b"'],
  ['createVecinityProvider(null)', () => provider(null), 'source', 'null'],
  ['new VecinityEmbeddings(null)', () => new chain.VecinityEmbeddings(null), 'options', 'null'],
  ['new VecinityEmbeddings({})', () => new chain.VecinityEmbeddings({}), 'source', 'undefined'],
  ['new VecinityRerank(null) of LangChain', () => new chain.VecinityRerank(null), 'options', 'null'],
  ['new VecinityRerank({}) of LangChain', () => new chain.VecinityRerank({}), 'source', 'undefined'],
  ['compressDocuments(null)', () => compressor().compressDocuments(null, 'q'), 'documents', 'null'],
  ['compressDocuments([null])', () => compressor().compressDocuments([null], 'q'), 'documents[0]', 'null'],
  ['embedDocuments(null)', () => embeddings().embedDocuments(null), 'texts', 'null'],
  ['embedQuery(7)', () => embeddings().embedQuery(7), 'texts[0]', '7'],
  ['new VecinityEmbedding(null)', () => new index.VecinityEmbedding(null), 'options', 'null'],
  ['new VecinityEmbedding({})', () => new index.VecinityEmbedding({}), 'source', 'undefined'],
  [
    'new VecinityEmbedding({ embedBatchSize: 0 })',
    () => new index.VecinityEmbedding({ source: engine, embedBatchSize: 0 }),
    'embedBatchSize',
    '0',
  ],
  ['new VecinityRerank([]) of LlamaIndex', () => new index.VecinityRerank([]), 'options', 'an empty list'],
  ['new VecinityRerank({}) of LlamaIndex', () => new index.VecinityRerank({}), 'source', 'undefined'],
  ['postprocessNodes(null)', () => postprocessor().postprocessNodes(null, 'q'), 'nodes', 'null'],
  ['postprocessNodes([{}])', () => postprocessor().postprocessNodes([{}], 'q'), 'nodes[0]', 'an object'],
  ['pipeline without options', () => extractor(undefined), 'options', 'undefined'],
  ['pipeline without a source', () => extractor({}), 'source', 'undefined'],
  ['vecinity(null)', () => plugin(null), 'options', 'null'],
  ['vecinity({ modelsDir: null })', () => plugin({ modelsDir: null }), 'modelsDir', 'null'],
  ['vecinity({ modelsDir: { "/a/": 7 } })', () => plugin({ modelsDir: { '/a/': 7 } }), 'modelsDir', 'an object'],
  ['vecinity({ isolate: "yes" })', () => plugin({ isolate: 'yes' }), 'isolate', '"yes"'],
  ['withVecinity(null)', () => pwa(null), 'options', 'null'],
  ['withVecinity({ workbox: null })', () => pwa({ workbox: null }), 'workbox', 'null'],
  [
    'withVecinity({ workbox: { globPatterns } })',
    () => pwa({ workbox: { globPatterns: '*.js' } }),
    'workbox.globPatterns',
    '"*.js"',
  ],
])('%s', (_, call, param, came) => {
  it('is refused by the name of what is wrong, with what came', async () => {
    await expect((async () => call())()).rejects.toMatchObject(refusal(param, came));
  });
});

/** An upstream that is whole but for one member. */
function upstreamCases() {
  const whole = { baseUrl: 'http://127.0.0.1:9/v1', models: ['m'] };
  const wrong: readonly (readonly [name: string, value: unknown, came: string])[] = [
    ['baseUrl', 7, '7'],
    ['baseUrl', undefined, 'undefined'],
    ['models', null, 'null'],
    ['models', { a: 7 }, 'an object'],
    ['apiKey', Symbol('s'), 'Symbol(s)'],
    ['headers', 'x', '"x"'],
    ['timeoutMs', 0, '0'],
    ['maxRetries', 'many', '"many"'],
    ['retryDelayMs', Number.NaN, 'NaN'],
    ['fetch', null, 'null'],
  ];
  return wrong.map(
    ([name, value, came]) =>
      [
        `createHandler({ upstream: { ${name}: ${came} } })`,
        () => handler({ engine, upstream: { ...whole, [name]: value } }),
        `upstream.${name}`,
        came,
      ] as [string, () => unknown, string, string],
  );
}

it('an upstream takes an option that is undefined for one that was not given', async () => {
  const answer = () => Promise.resolve(new Response('{}', { headers: { 'content-type': 'application/json' } }));
  const upstream = { baseUrl: 'http://127.0.0.1:9/v1', models: ['m'], timeoutMs: undefined, headers: undefined };
  const ask = createHandler({ engine, upstream: { ...upstream, fetch: answer } as unknown as Upstream });
  const body = JSON.stringify({ model: 'm', query: 'q', documents: ['a'] });
  const headers = { 'content-type': 'application/json' };
  const response = await ask(new Request('http://host/v1/score', { method: 'POST', headers, body }));
  expect((await response.json()).error?.code).not.toBe('internal_error');
});

it.each([null, 7, {}, 'http://host/v1/models'])(
  'a handler answers what is no request, %o, with a 400',
  async (value) => {
    const ask = createHandler({ engine }) as (request: unknown) => Promise<Response>;
    const response = await ask(value);
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ code: 'invalid_request', param: 'request' });
  },
);

const wholeEmbedding: EmbedRequest = {
  ...{ model: null, inputs: ['a'], promptName: null, prompt: null, dimensions: null, normalize: null },
  ...{ truncate: false, truncateSide: 'right', maxTokens: null },
};

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
    for (const [fields, param, came] of [...callCases, ...cases])
      await expect(call?.({ ...whole, ...fields })).rejects.toMatchObject(refusal(param, came));
    expect(await engine.tokenize({ ...whole, addSpecialTokens: true, promptName: null })).toBeDefined();
  });
});

it('an engine embeds no list without tokens, and decodes one to nothing', async () => {
  const { engine: ready } = await loaded();
  const nothing = ready.embed({ ...wholeEmbedding, inputs: ['a', []] });
  await expect(nothing).rejects.toMatchObject({ code: 'invalid_request', param: 'input' });
  const { texts } = await ready.decode({ model: null, ids: [[]], skipSpecialTokens: true });
  expect(texts).toEqual(['']);
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

it.each([
  ['embed', 'dimensions', 'wide', '"wide"'],
  ['embed', 'normalize', 1, '1'],
  ['embed', 'promptName', 7, '7'],
  ['embed', 'truncate', 'yes', '"yes"'],
  ['embed', 'truncateSide', 'middle', '"middle"'],
  ['embed', 'maxTokens', Symbol('s'), 'Symbol(s)'],
  ['embed', 'maxTotalTokens', 1.5, '1.5'],
  ['embed', 'lateChunking', null, 'null'],
  ['embedTokens', 'maxTokens', 10n, '10'],
  ['rerank', 'scoreActivation', 'softmax', '"softmax"'],
  ['rerank', 'maxTokensPerDocument', 10n, '10'],
  ['classify', 'activation', null, 'null'],
  ['tokenize', 'addSpecialTokens', 'no', '"no"'],
  ['decode', 'skipSpecialTokens', 7, '7'],
])('engine.%s refuses the %s %o', async (name, param, value, came) => {
  const { engine: ready } = await loaded();
  // The cast is the point: no type allows what is tried here.
  const call = (ready as unknown as Calls)[name]?.bind(ready);
  await expect(call?.({ ...whole, [param]: value })).rejects.toMatchObject(refusal(param, came));
});

it.each([
  ['embed', 'maxTokens'],
  ['embed', 'maxTotalTokens'],
  ['embedTokens', 'maxTokens'],
])('engine.%s takes Infinity for a %s that keeps all', async (name, param) => {
  const { engine: ready } = await loaded();
  // The engine's calls have no type in common.
  const call = (ready as unknown as Calls)[name]?.bind(ready);
  await expect(call?.({ ...whole, dimensions: null, [param]: Number.POSITIVE_INFINITY })).resolves.toMatchObject({
    model: 'fake',
  });
});

it('an API takes Infinity for requests of as many tokens as there are', () => {
  expect(() => handler({ engine, api: { maxRequestTokens: Number.POSITIVE_INFINITY } })).not.toThrow();
});

it.each([
  [{ signal: 7 }, 'signal', '7'],
  [{ onProgress: 'x' }, 'onProgress', '"x"'],
  [{ device: 'gpu' }, 'device', '"gpu"'],
  [{ revision: 7 }, 'revision', '7'],
])('an engine refuses to load with %o', async (options, param, came) => {
  const { engine: ready } = await loaded();
  // The cast is the point: no type allows what is tried here.
  await expect(ready.load('fake', options as LoadOptions)).rejects.toMatchObject(refusal(param, came));
});

it('an engine tells of its runs only to functions', async () => {
  const { engine: ready } = await loaded();
  // The cast is the point: no type allows what is tried here.
  expect(() => ready.onRun(7 as unknown as () => void)).toThrow(/^`listener` must be a function; got 7\.$/);
});

/** What every call has beside its own fields. */
const callCases: readonly (readonly [Request, param: string, came: string])[] = [
  [{ signal: {} }, 'signal', 'an object'],
  [{ signal: 7 }, 'signal', '7'],
  [{ onProgress: 'x' }, 'onProgress', '"x"'],
  [{ client: 7 }, 'client', '7'],
];

function inputCases(item: Request, came: string) {
  return [
    [{ inputs: null }, 'inputs', 'null'],
    [{ inputs: [] }, 'inputs', 'an empty list'],
    [{ inputs: 'abc' }, 'inputs', '"abc"'],
    [item, 'inputs[0]', came],
  ] as const;
}

function refusal(param: string, came: string) {
  const message = expect.stringMatching(new RegExp(`^\`${escaped(param)}\` must be .*; got ${escaped(came)}\\.$`));
  return { name: 'VecinityError', code: 'invalid_request', param, message };
}

function escaped(text: string): string {
  return text.replace(/[[\](){}.*+?^$|\\]/g, '\\$&');
}
