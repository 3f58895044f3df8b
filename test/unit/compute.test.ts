import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Backend, BackendLoader, BackendRequest, TokenBatch } from '../../src/backend/backend.js';
import { createComputeBackend, type WorkerEvent, type WorkerLike } from '../../src/backend/compute-client.js';
import { type ComputePort, type LoaderTable, type Surroundings, serveCompute } from '../../src/backend/compute-host.js';
import { VecinityError } from '../../src/errors.js';
import type { FileProgress } from '../../src/models/progress.js';
import { deferred } from './deferred.js';
import { fakeBackend, fakeSpec, fakeValues } from './fake-backend.js';
import { macrotask } from './virtual-runner.js';

const request: BackendRequest = {
  spec: fakeSpec(),
  location: { kind: 'url', base: 'https://models.test/', headers: {}, cache: false },
  ...{ backend: 'onnx', device: 'wasm', dtype: 'auto', threads: 0, assetsUrl: null },
};

function batchOf(...texts: number[][]): TokenBatch {
  const offsets = [0];
  for (const text of texts) offsets.push((offsets.at(-1) ?? 0) + text.length);
  return { inputIds: Int32Array.from(texts.flat()), typeIds: null, offsets: Int32Array.from(offsets) };
}

const open: { close: () => void }[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  for (const channel of open.splice(0)) channel.close();
  vi.useRealTimers();
});

/** A worker whose inside runs in this thread over a real channel, so that data is cloned and transferred for real. */
class ChannelWorker implements WorkerLike {
  terminated = false;
  isHung = false;
  /** When its memory is free. */
  gone: Promise<void> = Promise.resolve();
  readonly #listeners = new Map<string, (event: WorkerEvent) => void>();
  readonly #port;

  constructor(loaders: LoaderTable, preparations?: Surroundings) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (data) => this.emit('message', { data }));
    const inside: ComputePort = {
      postMessage: (message, transfer) => port2.postMessage(message, transfer as never),
      addEventListener: (_, listener) => void port2.on('message', (data) => listener({ data })),
    };
    serveCompute(inside, loaders, preparations);
    open.push(port1);
  }

  postMessage(message: unknown, transfer: Transferable[]) {
    this.#port.postMessage(message, transfer as never);
  }

  terminate(isHung = false): Promise<void> {
    this.terminated = true;
    this.isHung = isHung;
    this.#port.close();
    return this.gone;
  }

  addEventListener(type: string, listener: (event: WorkerEvent) => void) {
    this.#listeners.set(type, listener);
  }

  emit(type: string, event: WorkerEvent) {
    this.#listeners.get(type)?.(event);
  }
}

function setUp(loader: BackendLoader, options: { signal?: AbortSignal; onProgress?: (p: FileProgress) => void } = {}) {
  const worker = new ChannelWorker({ onnx: async () => loader });
  const backend = createComputeBackend({ createWorker: () => worker, request, runTimeoutMs: 1000, ...options });
  backend.catch(() => {});
  return { worker, backend };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'ok',
    (thrown: unknown) => (thrown instanceof VecinityError ? thrown.code : 'not ours'),
  );
}

const never = new Promise<never>(() => {});

/** A loader and a promise of the first run that reaches its backend. */
function hangingLoader() {
  const started = deferred<void>();
  const onRun = () => {
    started.resolve();
    return never;
  };
  return { loader: async () => fakeBackend({ onRun }), running: started.promise };
}

test('a worker is told what a load will ask before there is one, and answers only the load', async () => {
  const prepared: unknown[] = [];
  const note = (told: unknown): void => void prepared.push(told);
  const worker = new ChannelWorker({ onnx: async () => async () => fakeBackend({}) }, { prepare: note, expect: note });
  worker.postMessage({ type: 'prepare', options: { threads: 3, assetsUrl: null } }, []);
  worker.postMessage({ type: 'expect', location: request.location }, []);
  const backend = await createComputeBackend({ createWorker: () => worker, request, runTimeoutMs: 1000 });
  expect(prepared).toEqual([{ threads: 3, assetsUrl: null }, request.location]);
  expect((await backend.run(batchOf([1, 2]))).length).toBe(backend.width);
});

test('a worker that is told to end says so when its threads have ended', async () => {
  const ended = deferred<void>();
  const told = deferred<void>();
  const said: unknown[] = [];
  const end = () => {
    told.resolve();
    return ended.promise;
  };
  const worker = new ChannelWorker({}, { end });
  const heard = deferred<void>();
  worker.addEventListener('message', ({ data }) => {
    said.push(data);
    heard.resolve();
  });
  worker.postMessage({ type: 'end' }, []);
  await told.promise;
  expect(said).toEqual([]);
  ended.resolve();
  await heard.promise;
  expect(said).toEqual([{ type: 'ended' }]);
});

test('a backend in a worker says of itself what the loader gave, and computes the same', async () => {
  const loader = vi.fn(async (): Promise<Backend> => fakeBackend({ width: 3, padded: true, lanes: 2 }));
  const backend = await setUp(loader).backend;
  expect(loader.mock.calls[0]).toEqual([request, expect.anything()]);
  expect({ ...backend.info, width: backend.width, padded: backend.padded, lanes: backend.lanes }).toMatchObject({
    ...{ backend: 'onnx', device: 'wasm', width: 3, padded: true, lanes: 2 },
  });
  const texts = [[5, 6, 7], [8]];
  expect(await backend.run(batchOf(...texts))).toEqual(fakeValues(batchOf(...texts), 3));
});

test('batches are handed over and not copied, results come in a buffer of their own', async () => {
  const memory = new Float32Array(64);
  const onRun = (_: TokenBatch, values: Float32Array) => {
    memory.set(values, 8);
    return memory.subarray(8, 8 + values.length);
  };
  const backend = await setUp(async () => fakeBackend({ onRun })).backend;
  const batch = batchOf([1, 2, 3]);
  const values = await backend.run(batch);
  expect(batch.inputIds.byteLength).toBe(0);
  expect(values.buffer.byteLength).toBe(16);
  expect(memory.byteLength).toBe(256);
});

test('progress of a load arrives file by file', async () => {
  const seen: FileProgress[] = [];
  const loader: BackendLoader = async (_, { onProgress }) => {
    onProgress?.({ file: 'model.onnx', loadedBytes: 1, totalBytes: 2 });
    onProgress?.({ file: 'model.onnx', loadedBytes: 2, totalBytes: 2 });
    return fakeBackend();
  };
  await setUp(loader, { onProgress: (progress) => seen.push(progress) }).backend;
  expect(seen.map((progress) => progress.loadedBytes)).toEqual([1, 2]);
});

test('an error of the loader keeps its code and ends the worker', async () => {
  const { worker, backend } = setUp(async () => {
    throw new VecinityError('model_file_missing', 'no weights');
  });
  expect(await codeOf(backend)).toBe('model_file_missing');
  expect(worker.terminated).toBe(true);
});

test('an error of one run leaves the worker usable', async () => {
  let runs = 0;
  const onRun = (_: TokenBatch, values: Float32Array) => {
    if (runs++ === 0) throw new Error('kernel');
    return values;
  };
  const backend = await setUp(async () => fakeBackend({ onRun })).backend;
  expect(await codeOf(backend.run(batchOf([1])))).toBe('internal_error');
  expect(await codeOf(backend.run(batchOf([1])))).toBe('ok');
});

test('a worker without the asked backend says so', async () => {
  const worker = new ChannelWorker({});
  const backend = createComputeBackend({ createWorker: () => worker, request, runTimeoutMs: 1000 });
  expect(await codeOf(backend)).toBe('device_unavailable');
});

test.each(['error', 'messageerror'])(
  'everything in flight rejects at once when the worker reports %s',
  async (type) => {
    const { loader, running } = hangingLoader();
    const { worker, backend } = setUp(loader);
    const loaded = await backend;
    const runs = [codeOf(loaded.run(batchOf([1]))), codeOf(loaded.run(batchOf([2])))];
    await running;
    worker.emit(type, { message: 'killed' });
    expect(await Promise.all(runs)).toEqual(['worker_died', 'worker_died']);
    expect(await codeOf(loaded.run(batchOf([3])))).toBe('worker_died');
    expect(worker.terminated).toBe(true);
  },
);

test('an uncaught error of the worker goes no further: its owner lives on', async () => {
  const { worker, backend } = setUp(() => never);
  const preventDefault = vi.fn();
  worker.emit('error', { message: 'a defect', preventDefault });
  expect(await codeOf(backend)).toBe('worker_died');
  expect(preventDefault).toHaveBeenCalledOnce();
});

test.each([
  [
    'RuntimeError',
    'memory access out of bounds',
    'backend_failed',
    'The model fake could not be loaded: memory access',
  ],
  [
    'RangeError',
    'WebAssembly.Memory.grow(): Maximum memory size exceeded',
    'out_of_memory',
    'The model fake does not fit',
  ],
])('what a runtime throws into a load (%s: %s) is %s', async (name, message, code, words) => {
  const { backend } = setUp(async () => {
    throw Object.assign(new Error(message), { name });
  });
  await expect(backend).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
});

test('what a loader says of its own failure stays as it is', async () => {
  const { backend } = setUp(async () => {
    throw new VecinityError('storage_full', 'The disk is full: no memory for it.');
  });
  await expect(backend).rejects.toMatchObject({ code: 'storage_full', message: 'The disk is full: no memory for it.' });
});

test('a worker that dies while it loads rejects the load', async () => {
  const { worker, backend } = setUp(() => never);
  worker.emit('error', {});
  expect(await codeOf(backend)).toBe('worker_died');
});

test('a run that hangs is given up after the time limit, with its worker', async () => {
  const { loader, running } = hangingLoader();
  const { worker, backend } = setUp(loader);
  const run = codeOf((await backend).run(batchOf([1])));
  await running;
  vi.advanceTimersByTime(999);
  expect(worker.terminated).toBe(false);
  vi.advanceTimersByTime(1);
  expect(await run).toBe('timeout');
  expect(worker.terminated).toBe(true);
});

test('a worker that hung is gone before the next one can be started, and says so when it is known to hang', async () => {
  const { loader, running } = hangingLoader();
  const { worker, backend } = setUp(loader);
  const gone = deferred<void>();
  worker.gone = gone.promise;
  const loaded = await backend;
  const run = codeOf(loaded.run(batchOf([1, 2])));
  await running;
  vi.advanceTimersByTime(1_000);
  expect(await run).toBe('timeout');
  const through: string[] = [];
  const disposed = loaded.dispose().then(() => through.push('disposed'));
  await macrotask();
  expect([worker.isHung, through]).toEqual([true, []]);
  gone.resolve();
  await disposed;
});

test('a load that hung keeps the next device waiting until its worker is gone', async () => {
  const { worker, backend } = setUp(() => never);
  const gone = deferred<void>();
  worker.gone = gone.promise;
  const failed = codeOf(backend);
  let isThrough = false;
  void failed.then(() => {
    isThrough = true;
  });
  vi.advanceTimersByTime(300_000);
  await macrotask();
  expect([worker.isHung, isThrough]).toEqual([true, false]);
  gone.resolve();
  expect(await failed).toBe('timeout');
});

test('a load that found no memory keeps the next try waiting until its worker has let go of what it took', async () => {
  const { worker, backend } = setUp(async () => {
    throw new VecinityError('out_of_memory', 'no room');
  });
  const gone = deferred<void>();
  worker.gone = gone.promise;
  let isThrough = false;
  const failed = codeOf(backend).finally(() => {
    isThrough = true;
  });
  await vi.waitUntil(() => worker.terminated);
  await macrotask();
  expect([worker.isHung, isThrough]).toEqual([false, false]);
  gone.resolve();
  expect(await failed).toBe('out_of_memory');
});

test('a worker that is let go of in the middle of a long run is not taken for one that hangs', async () => {
  const { loader, running } = hangingLoader();
  const { worker, backend } = setUp(loader);
  const loaded = await backend;
  void codeOf(loaded.run(batchOf([1, 2])));
  await running;
  const disposed = loaded.dispose();
  vi.advanceTimersByTime(1_000);
  await disposed;
  expect([worker.terminated, worker.isHung]).toEqual([true, false]);
});

test('every run has the whole time limit, whenever the one before it began', async () => {
  const started = deferred<void>();
  const onRun = ({ inputIds }: TokenBatch, values: Float32Array) => {
    if (inputIds.length === 1) return values;
    started.resolve();
    return never;
  };
  const { worker, backend } = setUp(async () => fakeBackend({ onRun }));
  const loaded = await backend;
  await loaded.run(batchOf([1]));
  vi.advanceTimersByTime(600);
  await loaded.run(batchOf([1]));
  vi.advanceTimersByTime(300);
  const run = codeOf(loaded.run(batchOf([1, 2])));
  await started.promise;
  vi.advanceTimersByTime(999);
  expect(worker.terminated).toBe(false);
  vi.advanceTimersByTime(1);
  expect(await run).toBe('timeout');
});

test('runs have one timer together, which is gone when it has rung for nobody', async () => {
  const { worker, backend } = setUp(async () => fakeBackend());
  const loaded = await backend;
  for (let i = 0; i < 5; i++) await loaded.run(batchOf([1]));
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(1_000);
  expect(vi.getTimerCount()).toBe(0);
  expect(worker.terminated).toBe(false);
});

test('a time limit that no timer can be set to is not looked after every millisecond', async () => {
  const { loader, running } = hangingLoader();
  const worker = new ChannelWorker({ onnx: async () => loader });
  const loaded = await createComputeBackend({ createWorker: () => worker, request, runTimeoutMs: 1e10 });
  void codeOf(loaded.run(batchOf([1])));
  await running;
  // The load's own is left running.
  vi.advanceTimersToNextTimer();
  const beforeMs = performance.now();
  vi.advanceTimersToNextTimer();
  expect(performance.now() - beforeMs).toBeGreaterThan(1e9);
  expect(worker.terminated).toBe(false);
});

test('a load is given up when it shows no sign of life, and not while it makes progress', async () => {
  const started = deferred<() => void>();
  const loader: BackendLoader = (_, { onProgress }) => {
    started.resolve(() => onProgress?.({ file: 'a', loadedBytes: 1, totalBytes: null }));
    return never;
  };
  const seen = deferred<FileProgress>();
  const { backend } = setUp(loader, { onProgress: seen.resolve });
  const report = await started.promise;
  const code = codeOf(backend);
  vi.advanceTimersByTime(299_000);
  report();
  await seen.promise;
  vi.advanceTimersByTime(299_000);
  await macrotask();
  expect(await Promise.race([code, Promise.resolve('still loading')])).toBe('still loading');
  vi.advanceTimersByTime(1_000);
  expect(await code).toBe('timeout');
});

test('an abort ends the load and its worker at once', async () => {
  const controller = new AbortController();
  const { worker, backend } = setUp(() => never, { signal: controller.signal });
  controller.abort();
  expect(await codeOf(backend)).toBe('aborted');
  expect(worker.terminated).toBe(true);
});

test('a load that was called off before it began starts no worker', async () => {
  const createWorker = vi.fn();
  const signal = AbortSignal.abort();
  const backend = createComputeBackend({ createWorker, request, runTimeoutMs: 1000, signal });
  expect(await codeOf(backend)).toBe('aborted');
  expect(createWorker).not.toHaveBeenCalled();
});

test('an abort after the load does nothing to the model', async () => {
  const controller = new AbortController();
  const { worker, backend } = setUp(async () => fakeBackend(), { signal: controller.signal });
  const loaded = await backend;
  controller.abort();
  expect(await codeOf(loaded.run(batchOf([1])))).toBe('ok');
  expect(worker.terminated).toBe(false);
});

test('a worker loads one model: another load beside it or after it is refused', async () => {
  const ending = deferred<Backend>();
  const { port1, port2 } = new MessageChannel();
  open.push(port1);
  const answers: unknown[] = [];
  const answered = deferred<void>();
  const inside: ComputePort = {
    postMessage: (message) => {
      if (message.type !== 'ended')
        answers.push([message.id, message.type === 'error' ? message.error.code : message.type]);
      if (answers.length === 2) ending.resolve(fakeBackend());
      if (answers.length === 3) answered.resolve();
    },
    addEventListener: (_, listener) => void port2.on('message', (data) => listener({ data })),
  };
  serveCompute(inside, { onnx: async () => () => ending.promise });
  for (const id of [1, 2]) port1.postMessage({ type: 'load', id, request });
  port1.postMessage({ type: 'run', id: 3, batch: batchOf([1]) });
  await answered.promise;
  expect(answers).toEqual([
    [2, 'internal_error'],
    [3, 'internal_error'],
    [1, 'loaded'],
  ]);
});

test('dispose lets the backend go, rejects what runs and ends the worker', async () => {
  const { loader, running } = hangingLoader();
  const inner: { disposed: boolean }[] = [];
  const { worker, backend } = setUp(async () => {
    const made = await loader();
    inner.push(made);
    return made;
  });
  const loaded = await backend;
  const run = codeOf(loaded.run(batchOf([1])));
  await running;
  await loaded.dispose();
  expect(await run).toBe('disposed');
  expect(inner[0]?.disposed).toBe(true);
  expect(worker.terminated).toBe(true);
  expect(await codeOf(loaded.run(batchOf([1])))).toBe('disposed');
});

test('dispose ends a worker that does not answer', async () => {
  const dispose = () => never;
  const { worker, backend } = setUp(async () => ({ ...fakeBackend(), dispose }));
  const disposed = (await backend).dispose();
  vi.advanceTimersByTime(1_000);
  await disposed;
  expect(worker.terminated).toBe(true);
});
