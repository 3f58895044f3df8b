import { expect, test, vi } from 'vitest';
import type { Backend, BackendLoadOptions, BackendRequest } from '../../src/backend/backend.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine, type EngineParts } from '../../src/core/create-engine.js';
import type { EmbedRequest, JobProgress, LoadProgress, RerankRequest } from '../../src/core/engine.js';
import type { Encoding, Tokenizer } from '../../src/core/tokenizer.js';
import { VecinityError } from '../../src/errors.js';
import type { ModelSpec } from '../../src/models/spec.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { deferred } from './deferred.js';
import { fakeBackend, fakeSpec, fakeValues } from './fake-backend.js';
import { macrotask } from './virtual-runner.js';

/** One token a letter, between 1 and 2; what is too long is cut or refused as the real tokenizer does. */
function letterTokenizer(spec: ModelSpec): Tokenizer {
  const lettersOf = (text: string) => [...text].map((letter) => letter.codePointAt(0) ?? 0);
  const finish = (
    ids: number[],
    limit: number,
    options: { truncate?: boolean; truncateSide?: string } = {},
  ): Encoding => {
    const excess = Math.max(0, ids.length - limit);
    if (excess > 0 && !options.truncate) {
      throw new VecinityError('context_length_exceeded', `${ids.length} tokens`, { param: 'input' });
    }
    const kept = options.truncateSide === 'left' ? ids.slice(excess) : ids.slice(0, ids.length - excess);
    const shape = { typeIds: null, truncated: excess > 0, totalTokens: ids.length, skippedTokens: 0 };
    return { inputIds: Int32Array.from(kept), ...shape };
  };
  const wrap = (encoding: Encoding): Encoding => ({ ...encoding, inputIds: Int32Array.of(1, ...encoding.inputIds, 2) });
  return {
    encode: (text, options = {}) => {
      const limit = Math.min(options.maxTokens ?? spec.maxTokens, spec.maxTokens);
      return wrap(finish(lettersOf((options.prompt ?? '') + text), limit - 2, options));
    },
    encodePair: (query, document, options = {}) => {
      const perDocument = options.maxTokensPerDocument ?? Number.POSITIVE_INFINITY;
      const second = lettersOf(document).slice(0, perDocument);
      return wrap(finish([...lettersOf(query), 3, ...second], spec.maxTokens - 2, options));
    },
    encodeIds: (ids, options = {}) => finish(ids.map(Number), spec.maxTokens, options),
    encodeChunks: (chunks) => {
      const ids = chunks.map((chunk) => lettersOf(String(chunk)));
      const offsets = Int32Array.of(1, ...ids.map((_, at) => 1 + ids.slice(0, at + 1).flat().length));
      return { ...wrap(finish(ids.flat(), spec.maxTokens - 2, {})), offsets };
    },
    decode: (ids) => String.fromCodePoint(...Array.from(ids)),
    countTokens: (text) => text.length + 2,
    tokenize: (text) => [...text].map((letter) => ({ id: 1, text: letter, special: false, start: null, stop: null })),
  };
}

interface SetUp {
  specs?: Record<string, Partial<ModelSpec>>;
  parts?: Partial<EngineParts>;
  openBackend?: (request: BackendRequest, options: BackendLoadOptions) => Promise<Backend>;
}

function setUp({ specs = { fake: {} }, parts = {}, openBackend }: SetUp = {}) {
  const opened: string[] = [];
  const backends: ReturnType<typeof fakeBackend>[] = [];
  const makeBackend = async ({ spec, device }: BackendRequest) => {
    const backend = fakeBackend({ width: spec.dimensions, info: { device } });
    backends.push(backend);
    return backend;
  };
  const engine = createEngine({
    config: defaultEngineConfig,
    openModel: async (name, { onProgress }) => {
      opened.push(name);
      const changes = specs[name];
      if (!changes) throw new VecinityError('model_not_found', `no ${name}`);
      onProgress({ file: 'config.json', loadedBytes: 10, totalBytes: 10 });
      const spec = fakeSpec({ id: name, repository: `test/${name}`, ...changes });
      const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
      return { spec, location, tokenizer: Promise.resolve(letterTokenizer(spec)) };
    },
    openBackend: openBackend ?? makeBackend,
    probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
    wasmSupports: () => false,
    verdicts: createMemoryVerdicts(),
    modelIdOf: (name) => name.replace(/^test\//, ''),
    ...parts,
  });
  return { engine, opened, backends };
}

function embedRequest(changes: Partial<EmbedRequest> = {}): EmbedRequest {
  return {
    ...{ model: null, inputs: ['a'], promptName: null, prompt: null, dimensions: null, normalize: null },
    ...{ truncate: false, truncateSide: 'right', maxTokens: null },
    ...changes,
  };
}

function rerankRequest(changes: Partial<RerankRequest> = {}): RerankRequest {
  return {
    ...{ model: null, query: 'q', documents: ['a', 'b'], scoreActivation: 'sigmoid' },
    ...{ maxTokensPerDocument: null, truncate: true },
    ...changes,
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'ok',
    (thrown: unknown) =>
      thrown instanceof VecinityError ? [thrown.code, thrown.param].filter(Boolean).join(' ') : 'other',
  );
}

/** The raw vector of one text as the fake backend computes it. */
function rawVector(text: string, width = 4): number[] {
  const ids = [1, ...[...text].map((letter) => letter.codePointAt(0) ?? 0), 2];
  const batch = { inputIds: Int32Array.from(ids), typeIds: null, offsets: Int32Array.of(0, ids.length) };
  return [...fakeValues(batch, width)];
}

function unit(values: readonly number[]): number[] {
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}

function expectClose(actual: ArrayLike<number>, expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => void expect(actual[i]).toBeCloseTo(value, 5));
}

async function loaded(options: SetUp = {}) {
  const set = setUp(options);
  for (const name of Object.keys(options.specs ?? { fake: {} })) await set.engine.load(name);
  return set;
}

test('texts become normalised rows in their order, with the tokens that were embedded', async () => {
  const { engine } = await loaded();
  const result = await engine.embed(embedRequest({ inputs: ['hello', 'a', [5, 6, 7]] }));
  expect(result).toMatchObject({
    model: 'fake',
    count: 3,
    dimensions: 4,
    usage: { promptTokens: 7 + 3 + 3 },
    truncated: 0,
  });
  expectClose(result.embeddings.subarray(0, 8), [...unit(rawVector('hello')), ...unit(rawVector('a'))]);
  expect(result.embeddings.buffer.byteLength).toBe(12 * 4);
});

test('two thousand texts come back in order, and progress ends at the total', async () => {
  const { engine } = await loaded();
  const inputs = Array.from(
    { length: 2048 },
    (_, i) => 'abcdefghij'.slice(0, 1 + (i % 10)) + String.fromCodePoint(200 + (i % 97)),
  );
  const seen: JobProgress[] = [];
  const { embeddings } = await engine.embed(embedRequest({ inputs, onProgress: (progress) => seen.push(progress) }));
  for (const i of [0, 1, 777, 1500, 2047])
    expectClose(embeddings.subarray(i * 4, i * 4 + 4), unit(rawVector(inputs[i] ?? '')));
  expect(seen.at(-1)).toEqual({ done: 2048, total: 2048 });
});

test('normalize follows the model unless the request says otherwise', async () => {
  const { engine } = await loaded({ specs: { raw: { normalize: false }, unit: {} } });
  const embed = async (model: string, normalize: boolean | null) =>
    (await engine.embed(embedRequest({ model, inputs: ['xyz'], normalize }))).embeddings;
  expectClose(await embed('raw', null), rawVector('xyz'));
  expectClose(await embed('raw', true), unit(rawVector('xyz')));
  expectClose(await embed('unit', false), rawVector('xyz'));
});

test('dimensions cuts and normalises again', async () => {
  const { engine } = await loaded();
  const result = await engine.embed(embedRequest({ inputs: ['ab', 'cd'], dimensions: 3 }));
  expect(result.dimensions).toBe(3);
  expectClose(result.embeddings, [...unit(rawVector('ab').slice(0, 3)), ...unit(rawVector('cd').slice(0, 3))]);
});

test('what is cut is normalised even for a model that does not normalise, unless the request forbids it', async () => {
  const { engine } = await loaded({ specs: { raw: { normalize: false } } });
  const cut = await engine.embed(embedRequest({ inputs: ['ab'], dimensions: 2 }));
  expectClose(cut.embeddings, unit(rawVector('ab').slice(0, 2)));
  const kept = await engine.embed(embedRequest({ inputs: ['ab'], dimensions: 2, normalize: false }));
  expectClose(kept.embeddings, rawVector('ab').slice(0, 2));
});

test.each([0, 5, 1.5, -1])('dimensions %d is refused with what is allowed', async (dimensions) => {
  const { engine } = await loaded();
  expect(await codeOf(engine.embed(embedRequest({ dimensions })))).toBe('invalid_request dimensions');
});

test('a model that declares widths is cut to those only', async () => {
  const { engine } = await loaded({ specs: { doll: { matryoshkaDimensions: [2, 4] } } });
  expect((await engine.embed(embedRequest({ dimensions: 2 }))).dimensions).toBe(2);
  expect(await codeOf(engine.embed(embedRequest({ dimensions: 3 })))).toBe('invalid_request dimensions');
});

test('prompts go before the input: by text, by name, by default, or not at all', async () => {
  const { engine } = await loaded({
    specs: { fake: { prompts: { query: 'q:', passage: 'p:' }, defaultPromptName: 'passage' } },
  });
  const embed = async (changes: Partial<EmbedRequest>) =>
    (await engine.embed(embedRequest({ inputs: ['x'], ...changes }))).embeddings;
  expectClose(await embed({}), unit(rawVector('p:x')));
  expectClose(await embed({ promptName: 'query' }), unit(rawVector('q:x')));
  expectClose(await embed({ promptName: 'query', prompt: 'z' }), unit(rawVector('zx')));
  expectClose(await embed({ prompt: '' }), unit(rawVector('x')));
  expect(await codeOf(embed({ promptName: 'nope' }))).toBe('invalid_request prompt_name');
});

test('a long input is cut on the chosen side and counted, or refused', async () => {
  const { engine } = await loaded();
  const long = 'abcdefghijklmnopqrst';
  const right = await engine.embed(embedRequest({ inputs: [long, 'a'], truncate: true }));
  expect(right).toMatchObject({ truncated: 1, usage: { promptTokens: 16 + 3 } });
  expectClose(right.embeddings.subarray(0, 4), unit(rawVector(long.slice(0, 14))));
  const left = await engine.embed(embedRequest({ inputs: [long], truncate: true, truncateSide: 'left', maxTokens: 6 }));
  expectClose(left.embeddings, unit(rawVector('qrst')));
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a', long] })))).toBe('context_length_exceeded input');
  expect(await codeOf(engine.embed(embedRequest()))).toBe('ok');
});

test('empty lists are refused with the name of the parameter', async () => {
  const { engine } = await loaded();
  expect(await codeOf(engine.embed(embedRequest({ inputs: [] })))).toBe('invalid_request input');
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a', []] })))).toBe('invalid_request input');
  expect(await codeOf(engine.rerank(rerankRequest({ documents: [] })))).toBe('invalid_request documents');
});

const reranker = { ranker: { task: 'rerank', dimensions: 1 } } as const;

test('a cross-encoder scores pairs by the sigmoid or by the raw logit', async () => {
  const { engine } = await loaded({ specs: reranker });
  const raw = await engine.rerank(rerankRequest({ scoreActivation: 'none' }));
  expectClose(
    raw.scores,
    ['q\u0003a', 'q\u0003b'].flatMap((pair) => rawVector(pair, 1)),
  );
  const scores = (await engine.rerank(rerankRequest())).scores;
  expectClose(
    scores,
    [...raw.scores].map((logit) => 1 / (1 + Math.exp(-logit))),
  );
  expect(raw).toMatchObject({ model: 'ranker', usage: { promptTokens: 10 }, truncated: 0 });
});

test('a reranker makes no embeddings, and a classifier with several labels does not rerank', async () => {
  const { engine } = await loaded({ specs: { ...reranker, labels: { task: 'rerank', dimensions: 3 } } });
  expect(await codeOf(engine.embed(embedRequest()))).toBe('unsupported_task model');
  expect(await codeOf(engine.rerank(rerankRequest({ model: 'labels' })))).toBe('unsupported_task model');
});

test('a bi-encoder reranks by cosine with its prompts for queries and documents', async () => {
  const { engine } = await loaded({ specs: { fake: { prompts: { query: 'q:', passage: 'p:' } } } });
  const { scores, usage } = await engine.rerank(rerankRequest({ query: 'x', documents: ['x', 'yz'] }));
  const query = unit(rawVector('q:x'));
  const cosines = ['p:x', 'p:yz'].map((text) =>
    unit(rawVector(text)).reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0),
  );
  expectClose(scores, cosines);
  expect(usage.promptTokens).toBe(5 + 5 + 6);
});

test("a bi-encoder's query must fit whole; documents are cut or refused", async () => {
  const { engine } = await loaded();
  const long = 'a'.repeat(20);
  expect(await codeOf(engine.rerank(rerankRequest({ query: long })))).toBe('context_length_exceeded query');
  expect(await codeOf(engine.rerank(rerankRequest({ documents: [long], truncate: false })))).toBe(
    'context_length_exceeded documents',
  );
  const cut = await engine.rerank(rerankRequest({ documents: [long], truncate: false, maxTokensPerDocument: 5 }));
  expect(cut).toMatchObject({ truncated: 1, usage: { promptTokens: 3 + 7 } });
});

test('concurrent loads of a model share one load, whatever the spelling', async () => {
  const { engine, opened } = setUp();
  const [first, second] = await Promise.all([engine.load('fake'), engine.load('test/fake')]);
  expect(first).toEqual(second);
  expect(first).toMatchObject({ id: 'fake', state: 'ready', error: null, backend: { device: 'wasm' } });
  expect(opened).toEqual(['fake']);
});

/** An engine whose backend loads only when told to. */
function gated() {
  const gate = deferred<void>();
  const started = deferred<AbortSignal | undefined>();
  const backend = fakeBackend();
  const openBackend = async (_: BackendRequest, options: BackendLoadOptions) => {
    options.onProgress?.({ file: 'onnx/model.onnx', loadedBytes: 5, totalBytes: 20 });
    started.resolve(options.signal);
    await gate.promise;
    options.onProgress?.({ file: 'onnx/model.onnx', loadedBytes: 20, totalBytes: 20 });
    return backend;
  };
  return { ...setUp({ openBackend }), gate, started: started.promise, backend };
}

test('status shows what is loading, and requests wait for it', async () => {
  const { engine, gate, started } = gated();
  const loading = engine.load('fake');
  const waiting = engine.embed(embedRequest());
  await started;
  expect(engine.status()).toMatchObject({
    defaultModel: 'fake',
    models: [
      {
        id: 'fake',
        state: 'loading',
        spec: { id: 'fake' },
        progress: { phase: 'download', loadedBytes: 15, totalBytes: 30 },
      },
    ],
  });
  gate.resolve();
  expect(await codeOf(waiting)).toBe('ok');
  expect((await loading).progress?.phase).toBe('ready');
});

test('progress of a load adds all files up and names the phases in order', async () => {
  const { engine, gate } = gated();
  const seen: LoadProgress[] = [];
  const loading = engine.load('fake', { onProgress: (progress) => seen.push(progress) });
  gate.resolve();
  await loading;
  expect([...new Set(seen.map((progress) => progress.phase))]).toEqual(['download', 'compile', 'check', 'ready']);
  expect(seen.at(-1)).toMatchObject({ loadedBytes: 30, totalBytes: 30, files: { 'config.json': { loadedBytes: 10 } } });
});

test('a caller who gives up a load does not take it from the others', async () => {
  const { engine, gate, started } = gated();
  const controller = new AbortController();
  const impatient = codeOf(engine.load('fake', { signal: controller.signal }));
  const patient = engine.embed(embedRequest());
  const signal = await started;
  controller.abort();
  expect(await impatient).toBe('aborted');
  expect(signal?.aborted).toBe(false);
  gate.resolve();
  expect((await patient).count).toBe(1);
});

test('a load ends when its last caller gives up, lets a late backend go, and can be begun again', async () => {
  const { engine, gate, started, backend } = gated();
  const controllers = [new AbortController(), new AbortController()];
  const codes = controllers.map(({ signal }) => codeOf(engine.load('fake', { signal })));
  const signal = await started;
  for (const controller of controllers) controller.abort();
  expect(await Promise.all(codes)).toEqual(['aborted', 'aborted']);
  await vi.waitFor(() => expect(signal?.aborted).toBe(true));
  expect(engine.status().models[0]).toMatchObject({ state: 'failed', error: { code: 'aborted' } });
  gate.resolve();
  await vi.waitFor(() => expect(backend.disposed).toBe(true));
  expect(await codeOf(engine.load('fake'))).toBe('ok');
});

/** An engine whose first backends answer the check text wrongly, as with files of two revisions. */
function withStaleFiles(wrongLoads: number) {
  const canary = { text: 'a', embedding: [1, 0, 0, 0] };
  const values = [
    Float32Array.of(1, 0, 0, 0),
    ...Array.from({ length: wrongLoads }, () => Float32Array.of(0, 1, 0, 0)),
  ];
  const openBackend = async () => {
    const answer = values.length > 1 ? values.pop() : values[0];
    return fakeBackend({ onRun: () => (answer ?? new Float32Array(4)).slice() });
  };
  const forgetFiles = vi.fn(async () => wrongLoads > 0);
  return { ...setUp({ specs: { fake: { canary } }, openBackend, parts: { forgetFiles } }), forgetFiles };
}

test('a wrong check text on every device drops what is kept of the model and loads it once more', async () => {
  const { engine, opened, forgetFiles } = withStaleFiles(1);
  expect(await engine.load('fake')).toMatchObject({ state: 'ready', error: null });
  expect(forgetFiles.mock.calls).toEqual([[expect.objectContaining({ base: 'https://models.test/' })]]);
  expect(opened).toEqual(['fake', 'fake']);
});

test('a check text that stays wrong is an error after the second load', async () => {
  const { engine, opened, forgetFiles } = withStaleFiles(5);
  await expect(engine.load('fake')).rejects.toMatchObject({ code: 'backend_failed' });
  expect(forgetFiles).toHaveBeenCalledOnce();
  expect(opened).toHaveLength(2);
});

test('a wrong check text of files that are not kept is an error at once', async () => {
  const { engine, opened, forgetFiles } = withStaleFiles(5);
  forgetFiles.mockResolvedValue(false);
  await expect(engine.load('fake')).rejects.toMatchObject({ code: 'backend_failed' });
  expect(opened).toHaveLength(1);
});

test('weights load while the tokenizer is still read', async () => {
  const reading = deferred<Tokenizer>();
  const opening = deferred<void>();
  const spec = fakeSpec();
  const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
  const { engine } = setUp({
    parts: { openModel: async () => ({ spec, location, tokenizer: reading.promise }) },
    openBackend: async () => {
      opening.resolve();
      return fakeBackend({ width: spec.dimensions });
    },
  });
  const loading = engine.load('fake');
  await opening.promise;
  reading.resolve(letterTokenizer(spec));
  expect((await loading).state).toBe('ready');
});

test('a tokenizer that cannot be read ends the load of the weights, with its own reason', async () => {
  const broken = Promise.reject(new VecinityError('model_file_invalid', 'no tokenizer'));
  broken.catch(() => {});
  const spec = fakeSpec();
  const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
  let given: AbortSignal | undefined;
  const { engine } = setUp({
    parts: { openModel: async () => ({ spec, location, tokenizer: broken }) },
    openBackend: (_, { signal }) => {
      given = signal;
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  expect(await codeOf(engine.load('fake'))).toBe('model_file_invalid');
  expect(given?.aborted).toBe(true);
});

test('a progress callback that throws ends its own wait only', async () => {
  const { engine } = setUp();
  const onProgress = () => {
    throw new Error('from the caller');
  };
  const broken = codeOf(engine.load('fake', { onProgress }));
  const fine = codeOf(engine.load('fake'));
  expect(await Promise.all([broken, fine])).toEqual(['internal_error', 'ok']);
});

test('a failed load reports its error to every later request, and a new load starts afresh', async () => {
  let broken = true;
  const openBackend = async () => {
    if (broken) throw new VecinityError('model_file_invalid', 'The weights are a page of HTML.');
    return fakeBackend();
  };
  const { engine } = setUp({ openBackend });
  expect(await codeOf(engine.load('fake'))).toBe('model_file_invalid');
  expect(engine.status().models[0]).toMatchObject({
    state: 'failed',
    tried: [{}, {}, { ok: false, reason: 'The weights are a page of HTML.' }],
  });
  expect(await codeOf(engine.embed(embedRequest()))).toBe('model_file_invalid');
  broken = false;
  expect(await codeOf(engine.load('fake'))).toBe('ok');
  expect(await codeOf(engine.embed(embedRequest()))).toBe('ok');
});

test('the first model is the default, others answer to their names, and strangers are refused', async () => {
  const { engine } = await loaded({ specs: { one: {}, two: { dimensions: 3 } } });
  expect((await engine.embed(embedRequest())).model).toBe('one');
  expect(await engine.embed(embedRequest({ model: 'test/two' }))).toMatchObject({ model: 'two', dimensions: 3 });
  expect(await codeOf(engine.embed(embedRequest({ model: 'three' })))).toBe('model_not_found model');
  await engine.unload('one');
  expect(engine.status().defaultModel).toBe('two');
  expect((await engine.embed(embedRequest())).model).toBe('two');
});

test('a model that failed to load is not the default once another is loaded', async () => {
  const { engine } = setUp({ specs: { fine: {} } });
  expect(await codeOf(engine.load('broken'))).toBe('model_not_found');
  expect(await codeOf(engine.embed(embedRequest()))).toBe('model_not_found');
  await engine.load('fine');
  expect(engine.status().defaultModel).toBe('fine');
  expect((await engine.embed(embedRequest())).model).toBe('fine');
});

test('a model that is unloaded in the moment in which it is ready stays unloaded', async () => {
  for (let ticks = 0; ticks < 40; ticks++) {
    const { engine, backends } = setUp();
    const loading = codeOf(engine.load('fake'));
    for (let i = 0; i < ticks; i++) await null;
    await engine.unload('fake');
    expect(['ok', 'disposed']).toContain(await loading);
    await macrotask();
    expect(backends.every((backend) => backend.disposed)).toBe(true);
    expect(engine.status().models).toEqual([]);
  }
});

test('an engine without a model says so', async () => {
  const { engine } = setUp();
  expect(await codeOf(engine.embed(embedRequest()))).toBe('model_not_loaded model');
  expect(await codeOf(engine.unload('fake'))).toBe('model_not_found model');
  expect(await codeOf(engine.load('unknown'))).toBe('model_not_found');
});

test('another device or dtype replaces the loaded copy, the same options do not', async () => {
  const { engine, backends } = await loaded();
  await engine.load('fake', { device: 'auto' });
  expect(backends).toHaveLength(1);
  await engine.load('fake', { dtype: 'f16' });
  expect(backends.map((backend) => backend.disposed)).toEqual([true, false]);
  expect(engine.status().models).toHaveLength(1);
});

test('unload ends what waits and lets the device go', async () => {
  const hung = deferred<Float32Array>();
  const running = deferred<void>();
  let runs = 0;
  const backend = fakeBackend({
    onRun: (_, values) => {
      if (runs++ === 0) return values;
      running.resolve();
      return hung.promise;
    },
  });
  const { engine } = await loaded({ openBackend: async () => backend });
  const requests = [codeOf(engine.embed(embedRequest())), codeOf(engine.embed(embedRequest()))];
  await running.promise;
  await engine.unload('fake');
  expect(await Promise.all(requests)).toEqual(['disposed', 'disposed']);
  expect(backend.disposed).toBe(true);
  expect(engine.status().models).toEqual([]);
});

test('dispose ends loads and requests and refuses later ones', async () => {
  const { engine, started } = gated();
  const codes = [codeOf(engine.load('fake')), codeOf(engine.embed(embedRequest()))];
  await started;
  await engine.dispose();
  expect(await Promise.all(codes)).toEqual(['disposed', 'disposed']);
  expect(await codeOf(engine.load('fake'))).toBe('disposed');
});

test('a request that is aborted while it runs rejects at once and harms nobody', async () => {
  const hung = deferred<void>();
  const running = deferred<void>();
  let runs = 0;
  const backend = fakeBackend({
    onRun: async (_, values) => {
      if (runs++ === 1) {
        running.resolve();
        await hung.promise;
      }
      return values;
    },
  });
  const { engine } = await loaded({ openBackend: async () => backend });
  const controller = new AbortController();
  const aborted = codeOf(engine.embed(embedRequest({ signal: controller.signal })));
  const kept = codeOf(engine.embed(embedRequest({ inputs: ['b'] })));
  await running.promise;
  controller.abort();
  expect(await aborted).toBe('aborted');
  hung.resolve();
  expect(await kept).toBe('ok');
});

test('a device that is lost in the middle of a job is replaced and the job answered', async () => {
  let opened = 0;
  const openBackend = async () => {
    const mortal = opened++ === 0;
    let runs = 0;
    return fakeBackend({
      onRun: (_, values) => {
        if (mortal && runs++ === 1) throw new VecinityError('worker_died', 'The compute worker died.');
        return values;
      },
    });
  };
  const { engine } = await loaded({ openBackend });
  const result = await engine.embed(embedRequest({ inputs: ['hello'] }));
  expectClose(result.embeddings, unit(rawVector('hello')));
  expect(opened).toBe(2);
  expect(engine.status().models[0]?.tried.map((attempt) => attempt.reason)).toContain('The compute worker died.');
});

test('an input that kills two workers is answered with engine_crashed and the next request works', async () => {
  let opened = 0;
  const poison = 'z'.codePointAt(0) ?? 0;
  const openBackend = async () => {
    opened += 1;
    return fakeBackend({
      onRun: (batch, values) => {
        if (batch.inputIds.includes(poison) && batch.inputIds.length < 10)
          throw new VecinityError('worker_died', 'dead');
        return values;
      },
    });
  };
  const { engine } = await loaded({ openBackend });
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['z'] })))).toBe('engine_crashed');
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a'] })))).toBe('ok');
  expect(opened).toBe(3);
});

test('tokenizing a long job lets the event loop run in between', async () => {
  let time = 0;
  const tokenizer = letterTokenizer(fakeSpec());
  const slow: Tokenizer = {
    ...tokenizer,
    encode: (text, options) => {
      time += 1;
      return tokenizer.encode(text, options);
    },
  };
  const spec = fakeSpec();
  const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
  const { engine, backends } = setUp({
    parts: { now: () => time, openModel: async () => ({ spec, location, tokenizer: Promise.resolve(slow) }) },
  });
  await engine.load('fake');
  const before = time;
  const turns = [before];
  const tick = () => {
    turns.push(time);
    if (time < before + 100) setImmediate(tick);
  };
  setImmediate(tick);
  const { timing } = await engine.embed(embedRequest({ inputs: new Array(100).fill('ab') }));
  expect(timing.tokenizeMs).toBe(100);
  expect(turns.length).toBeGreaterThan(5);
  const steps = turns.slice(1).map((at, i) => at - (turns[i] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(20);
  expect(backends[0]?.batches.length).toBeGreaterThan(2);
});

test('a request with more tokens than it may have in all is refused in OpenAI’s words, and the next is answered', async () => {
  const { engine } = await loaded();
  const inputs = ['hello', 'world'];
  await expect(engine.embed(embedRequest({ inputs, maxTotalTokens: 13 }))).rejects.toMatchObject({
    ...{ code: 'invalid_request', param: 'input' },
    message: expect.stringMatching(/Requested at least 14 tokens, max 13 tokens per request/),
  });
  expect(await engine.embed(embedRequest({ inputs, maxTotalTokens: 14 }))).toMatchObject({ count: 2 });
});
