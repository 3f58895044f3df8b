/** The life of an engine's models: loads, their progress and their failures, and what ends them. */
import { expect, test, vi } from 'vitest';
import type { BackendLoadOptions, BackendRequest } from '../../src/backend/backend.js';
import type { LoadProgress } from '../../src/core/engine.js';
import type { Tokenizer } from '../../src/core/tokenizer.js';
import { VecinityError } from '../../src/errors.js';
import { deferred } from './deferred.js';
import { fakeBackend, fakeSpec } from './fake-backend.js';
import { codeOf, embedRequest, letterTokenizer, loaded, rerankRequest, setUp } from './letter-engine.js';
import { macrotask } from './virtual-runner.js';

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

test('who gave up a load hears no more of it, and nobody gets a model whose wait was called off before', async () => {
  const { engine, gate, started } = gated();
  const controller = new AbortController();
  const heard: string[] = [];
  const onProgress = ({ phase }: { phase: string }) => heard.push(phase);
  const impatient = codeOf(engine.load('fake', { signal: controller.signal, onProgress }));
  const patient = engine.load('fake');
  await started;
  controller.abort();
  expect(await impatient).toBe('aborted');
  const before = heard.length;
  gate.resolve();
  await patient;
  expect(heard).toHaveLength(before);
  expect(await codeOf(engine.load('fake', { signal: AbortSignal.abort() }))).toBe('aborted');
});

test('a load ends when its last caller gives up, lets a late backend go, and can be begun again', async () => {
  const { engine, gate, started, backend } = gated();
  const controllers = [new AbortController(), new AbortController()];
  const codes = controllers.map(({ signal }) => codeOf(engine.load('fake', { signal })));
  const signal = await started;
  for (const controller of controllers) controller.abort();
  expect(await Promise.all(codes)).toEqual(['aborted', 'aborted']);
  await expect.poll(() => signal?.aborted).toBe(true);
  expect(engine.status().models[0]).toMatchObject({ state: 'failed', error: { code: 'aborted' } });
  gate.resolve();
  await expect.poll(() => backend.disposed).toBe(true);
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

test('a progress callback that changes what it is told changes nothing for the others', async () => {
  const { engine, gate, started } = gated();
  const meddle = (progress: LoadProgress) => {
    progress.loadedBytes = -1;
    for (const file of Object.values(progress.files)) file.loadedBytes = -1;
  };
  const seen: LoadProgress[] = [];
  const loading = engine.load('fake', { onProgress: meddle });
  const watching = engine.load('fake', { onProgress: (progress) => seen.push(progress) });
  await started;
  expect(engine.status().models[0]?.progress).toMatchObject({ loadedBytes: 15 });
  gate.resolve();
  await Promise.all([loading, watching]);
  expect(seen.at(-1)).toMatchObject({ loadedBytes: 30, files: { 'onnx/model.onnx': { loadedBytes: 20 } } });
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

test('beside a reranker the default of embeddings is the model that could not be loaded, with its reason', async () => {
  const { engine } = setUp({ specs: { ranker: { task: 'rerank', dimensions: 1 }, fake: {} } });
  await engine.load('missing').catch(() => {});
  await engine.load('ranker');
  expect(await codeOf(engine.embed(embedRequest()))).toBe('model_not_found');
  expect(await codeOf(engine.rerank(rerankRequest()))).toBe('ok');
  await engine.load('fake');
  expect((await engine.embed(embedRequest())).model).toBe('fake');
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

test('requests that wait while their model is replaced are answered by its successor', async () => {
  const hung = deferred<Float32Array>();
  const running = deferred<void>();
  let runs = 0;
  const first = fakeBackend({
    onRun: (_, values) => {
      if (runs++ === 0) return values;
      running.resolve();
      return hung.promise;
    },
  });
  const backends = [first, fakeBackend()];
  const { engine } = await loaded({ openBackend: async () => backends.shift() ?? fakeBackend() });
  const requests = [codeOf(engine.embed(embedRequest())), codeOf(engine.embed(embedRequest({ model: 'fake' })))];
  await running.promise;
  await engine.load('fake', { dtype: 'f16' });
  expect(await Promise.all(requests)).toEqual(['ok', 'ok']);
  expect(first.disposed).toBe(true);
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
