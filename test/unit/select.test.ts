import { expect, test, vi } from 'vitest';
import { probeWebGpu, type WebGpuSupport } from '../../src/backend/adapter.js';
import type { Backend, TokenBatch } from '../../src/backend/backend.js';
import { WrongAnswerError } from '../../src/backend/canary.js';
import { Ladder, type LadderOptions } from '../../src/backend/ladder.js';
import { ResilientBackend } from '../../src/backend/resilient.js';
import { type Candidate, type SelectOptions, selectCandidates } from '../../src/backend/select.js';
import { type ErrorCode, VecinityError } from '../../src/errors.js';
import { createMemoryVerdicts, openVerdicts } from '../../src/storage/verdicts.js';
import { deferred } from './deferred.js';
import { type FakeBackend, fakeBackend, fakeSpec } from './fake-backend.js';

const hardware: WebGpuSupport = { kind: 'hardware', adapter: 'acme gpu' };

function selection(changes: Partial<SelectOptions> = {}) {
  const usual = { device: 'auto', dtype: 'auto', webgpu: hardware, wasmSupports: () => true } as const;
  return selectCandidates({ spec: fakeSpec(), ...usual, ...changes });
}

function names(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ backend, device }) => `${backend} ${device}`);
}

const batch = (): TokenBatch => ({ inputIds: Int32Array.of(1, 2), typeIds: null, offsets: Int32Array.of(0, 2) });

test('auto lists a real GPU to be measured, then our own engine, then onnxruntime', () => {
  const auto = selection();
  expect(names(auto.candidates)).toEqual(['onnx webgpu', 'wasm wasm', 'onnx wasm']);
  expect(auto.measure).toBe(true);
});

test('a software adapter is passed over by auto with the reason, and taken by name', () => {
  const webgpu = { kind: 'software', adapter: 'google swiftshader' } as const;
  const auto = selection({ webgpu });
  expect(names(auto.candidates)).toEqual(['wasm wasm', 'onnx wasm']);
  expect(auto).toMatchObject({ measure: false, skipped: [{ device: 'webgpu', ok: false }] });
  expect(auto.skipped[0]?.reason).toContain('swiftshader');
  const named = selection({ webgpu, device: 'webgpu' });
  expect(names(named.candidates)).toEqual(['onnx webgpu', 'wasm wasm', 'onnx wasm']);
  expect(named.measure).toBe(false);
});

test('without an adapter webgpu steps down, and wasm does not ask for one', () => {
  const webgpu = { kind: 'none', adapter: '' } as const;
  const named = selection({ webgpu, device: 'webgpu' });
  expect(names(named.candidates)).toEqual(['wasm wasm', 'onnx wasm']);
  expect(named.skipped[0]?.reason).toMatch(/no WebGPU adapter/);
  expect(selection({ webgpu, device: 'wasm' }).skipped).toEqual([]);
});

test('a family that our engine does not know goes to onnxruntime', () => {
  const other = selection({ device: 'wasm', dtype: 'q8', wasmSupports: () => false });
  expect(other.candidates).toEqual([{ backend: 'onnx', device: 'wasm', dtype: 'q8' }]);
  expect(other.skipped[0]?.reason).toContain("'bert'");
});

/** The parts of a `GPU` that are asked for. */
function gpuWith(info: Record<string, unknown> | null, extra: Record<string, unknown> = {}): GPU {
  const texts = { vendor: '', architecture: '', device: '', description: '' };
  const requestAdapter = async () => info && { info: { ...texts, ...info }, ...extra };
  return { requestAdapter } as unknown as GPU;
}

test('the adapter is real, software by its flag or its name, or absent', async () => {
  expect(await probeWebGpu(gpuWith({ vendor: 'acme', architecture: 'rx' }))).toEqual({
    kind: 'hardware',
    adapter: 'acme rx',
  });
  expect((await probeWebGpu(gpuWith({ isFallbackAdapter: true }))).kind).toBe('software');
  expect((await probeWebGpu(gpuWith({}, { isFallbackAdapter: true }))).kind).toBe('software');
  expect((await probeWebGpu(gpuWith({ architecture: 'swiftshader' }))).kind).toBe('software');
  expect((await probeWebGpu(gpuWith(null))).kind).toBe('none');
  expect((await probeWebGpu(undefined)).kind).toBe('none');
  const refusing = { requestAdapter: () => Promise.reject(new Error('blocked')) } as unknown as GPU;
  expect((await probeWebGpu(refusing)).kind).toBe('none');
});

type Make = () => FakeBackend | Promise<FakeBackend>;

/** A ladder over fakes: `make` says what each candidate's next worker is. */
function setUp(make: Record<string, Make>, options: Partial<LadderOptions> & { select?: Partial<SelectOptions> } = {}) {
  const opened: { name: string; backend: FakeBackend }[] = [];
  const open = async (candidate: Candidate): Promise<Backend> => {
    const name = names([candidate])[0] ?? '';
    const backend = await (make[name] ?? failing('model_file_missing', `${name} is missing`))();
    opened.push({ name, backend });
    return backend;
  };
  const usual = { check: async () => {}, measure: async () => 1, store: createMemoryVerdicts(), verdictKey: 'key' };
  const ladder = new Ladder({ ...usual, open, selection: selection(options.select), ...options });
  return { ladder, opened, names: () => opened.map(({ name }) => name) };
}

function failing(code: ConstructorParameters<typeof VecinityError>[0], message: string): Make {
  return () => {
    throw new VecinityError(code, message);
  };
}

const gpuInfo = { info: { device: 'webgpu' } } as const;
const timed = (times: { webgpu: number; wasm: number }) => async (backend: Backend) => times[backend.info.device];

const at = '2026-01-02T03:04:05.000Z';

test('the first candidate that loads and passes its check is taken; each failure is on record', async () => {
  const check = async (backend: Backend) => {
    if (backend.info.device === 'webgpu') throw new VecinityError('backend_failed', 'cosine 0.2');
  };
  const { ladder, opened } = setUp(
    { 'onnx webgpu': () => fakeBackend(gpuInfo), 'onnx wasm': () => fakeBackend() },
    { check, select: { device: 'webgpu' }, clock: () => Date.parse(at) },
  );
  const rung = await ladder.start();
  expect(rung.candidate).toMatchObject({ backend: 'onnx', device: 'wasm' });
  expect(opened[0]?.backend.disposed).toBe(true);
  expect(ladder.tried).toEqual([
    { at, backend: 'onnx', device: 'webgpu', ok: false, reason: 'cosine 0.2' },
    { at, backend: 'wasm', device: 'wasm', ok: false, reason: 'wasm wasm is missing' },
    { at, backend: 'onnx', device: 'wasm', ok: true, reason: '' },
  ]);
});

test('when nothing works the error names every reason and keeps the first code', async () => {
  const { ladder } = setUp({ 'onnx wasm': failing('backend_failed', 'no memory') }, { select: { device: 'wasm' } });
  const error = await ladder.start().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'model_file_missing' });
  expect(String(error)).toMatch(/wasm wasm is missing \| no memory/);
});

test('an abort ends the walk and is not taken for a failed device', async () => {
  const controller = new AbortController();
  const first = () => {
    controller.abort();
    throw new VecinityError('aborted', 'The request was aborted.');
  };
  const { ladder, names } = setUp(
    { 'wasm wasm': first, 'onnx wasm': () => fakeBackend() },
    { select: { device: 'wasm' } },
  );
  await expect(ladder.start(controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  expect(names()).toEqual([]);
});

test('an abort while a device is checked lets it go', async () => {
  const controller = new AbortController();
  const check = async () => controller.abort();
  const { ladder, opened } = setUp({ 'wasm wasm': () => fakeBackend() }, { check, select: { device: 'wasm' } });
  await expect(ladder.climb(0, controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  expect(opened.map(({ name, backend }) => [name, backend.disposed])).toEqual([['wasm wasm', true]]);
});

test('an abort while both devices are measured lets both of them go', async () => {
  const controller = new AbortController();
  const measure = async () => {
    controller.abort();
    throw new VecinityError('aborted', 'The request was aborted.');
  };
  const make = { 'onnx webgpu': () => fakeBackend(gpuInfo), 'wasm wasm': () => fakeBackend() };
  const { ladder, opened } = setUp(make, { measure });
  await expect(ladder.start(controller.signal)).rejects.toMatchObject({ code: 'aborted' });
  expect(opened.map(({ backend }) => backend.disposed)).toEqual([true, true]);
});

test('wrong answers of every device, and nothing else, are told as the files being wrong', async () => {
  const wrong = () => {
    throw new VecinityError('backend_failed', 'wrong', { cause: new WrongAnswerError('cosine 0') });
  };
  const causeOf = async (make: Record<string, Make>) => {
    const { ladder } = setUp(make, { select: { device: 'wasm' } });
    const error = await ladder.start().catch((thrown: unknown) => thrown);
    return error instanceof VecinityError ? error.cause : null;
  };
  expect(await causeOf({ 'wasm wasm': wrong, 'onnx wasm': wrong })).toBeInstanceOf(WrongAnswerError);
  expect(await causeOf({ 'wasm wasm': wrong })).not.toBeInstanceOf(WrongAnswerError);
});

test('the record of attempts does not grow without end', () => {
  const { ladder } = setUp({});
  const [candidate] = selection().candidates;
  for (let at = 0; at < 100; at += 1) if (candidate) ladder.record(candidate, `failure ${at}`);
  expect(ladder.tried).toHaveLength(20);
  expect(ladder.tried.at(-1)?.reason).toBe('failure 99');
});

test.each([
  { webgpu: 10, wasm: 50, winner: 'webgpu' },
  { webgpu: 50, wasm: 10, winner: 'wasm' },
])('the faster device is kept ($winner), and next time nothing else is loaded', async ({ winner, ...times }) => {
  const make = { 'onnx webgpu': () => fakeBackend(gpuInfo), 'wasm wasm': () => fakeBackend() };
  const store = createMemoryVerdicts();
  const first = setUp(make, { store, measure: timed(times) });
  const rung = await first.ladder.start();
  expect(rung.candidate.device).toBe(winner);
  expect(rung.index).toBe(0);
  expect(first.opened.map(({ backend }) => backend.disposed)).toEqual([winner === 'webgpu', winner === 'wasm']);
  expect(first.ladder.tried.filter((attempt) => attempt.ok)).toHaveLength(1);
  expect(first.ladder.tried.find((attempt) => !attempt.ok)?.reason).toMatch(
    /slower.*10\.0 ms.*50\.0 ms|50\.0 ms.*10\.0 ms/,
  );
  const measure = vi.fn();
  const second = setUp(make, { store, measure });
  expect((await second.ladder.start()).candidate.device).toBe(winner);
  expect(second.names()).toHaveLength(1);
  expect(measure).not.toHaveBeenCalled();
});

test('a GPU that fails leaves the CPU, a CPU that fails leaves the GPU, and neither becomes a verdict', async () => {
  const store = createMemoryVerdicts();
  const cpuOnly = setUp(
    { 'wasm wasm': () => fakeBackend(), 'onnx webgpu': failing('backend_failed', 'no session') },
    { store },
  );
  expect((await cpuOnly.ladder.start()).candidate.device).toBe('wasm');
  const gpuOnly = setUp({ 'onnx webgpu': () => fakeBackend(gpuInfo) }, { store });
  expect((await gpuOnly.ladder.start()).candidate.device).toBe('webgpu');
  expect(await store.read('key')).toBeNull();
});

async function resilient(make: Record<string, Make>, options: Parameters<typeof setUp>[1] = {}) {
  const set = setUp(make, { select: { device: 'webgpu' }, ...options });
  return { ...set, backend: new ResilientBackend(set.ladder, await set.ladder.start()) };
}

async function codesOf(backend: Backend, runs: number): Promise<string[]> {
  const codes: string[] = [];
  for (let i = 0; i < runs; i++) {
    const run = backend.run(batch());
    codes.push(
      await run.then(
        () => 'ok',
        (thrown: unknown) => (thrown instanceof VecinityError ? thrown.code : 'other'),
      ),
    );
  }
  return codes;
}

/** Workers of one device, of which the first `deaths` die in their first run. */
function mortal(deaths: number, info = {}): Make {
  let made = 0;
  return () =>
    made++ < deaths
      ? fakeBackend({ ...info, onRun: failing('worker_died', 'killed') as () => never })
      : fakeBackend(info);
}

const dying = () => fakeBackend({ ...gpuInfo, onRun: failing('worker_died', 'killed') as () => never });

test('a dead worker is replaced by the same device once, then by the next one', async () => {
  const { backend, ladder, names } = await resilient({ 'onnx webgpu': dying, 'wasm wasm': () => fakeBackend() });
  expect(await codesOf(backend, 4)).toEqual(['worker_died', 'worker_died', 'ok', 'ok']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu', 'wasm wasm']);
  expect(backend.info.device).toBe('wasm');
  expect(ladder.tried.filter((attempt) => attempt.reason === 'killed')).toHaveLength(2);
});

test('a device that lost two workers is taken again where no other one can run the model', async () => {
  const { backend, names } = await resilient({ 'onnx webgpu': mortal(2, gpuInfo) });
  expect(await codesOf(backend, 4)).toEqual(['worker_died', 'worker_died', 'ok', 'ok']);
  expect(names().at(-1)).toBe('onnx webgpu');
  expect(backend.failure).toBeNull();
});

test('a worker that dies while it loads is given a second try, before another device is', async () => {
  let made = 0;
  const make = () => {
    made += 1;
    if (made === 1) throw new VecinityError('worker_died', 'killed while it loaded');
    return fakeBackend(gpuInfo);
  };
  const { ladder } = setUp({ 'onnx webgpu': make, 'wasm wasm': () => fakeBackend() }, { select: { device: 'webgpu' } });
  expect((await ladder.start()).candidate.device).toBe('webgpu');
  expect(ladder.tried).toMatchObject([{ ok: false, reason: 'killed while it loaded' }, { ok: true }]);
});

test.each([
  ['backend_failed', 'The model tiny could not be loaded: memory access out of bounds'],
  ['internal_error', 'RuntimeError: unreachable'],
  ['backend_failed', 'The model tiny could not be loaded: unreachable'],
  ['out_of_memory', 'The model tiny does not fit into memory: Array buffer allocation failed'],
] as const)(
  'a worker that traps while it loads, or gets no memory (%s: %s), is given a second try, too',
  async (code, message) => {
    let made = 0;
    const make = () => {
      made += 1;
      if (made === 1) throw new VecinityError(code, message);
      return fakeBackend();
    };
    const { ladder } = setUp({ 'wasm wasm': make });
    expect((await ladder.start()).candidate.device).toBe('wasm');
    expect(ladder.tried.filter(({ device }) => device === 'wasm')).toMatchObject([{ ok: false }, { ok: true }]);
  },
);

test('a device whose files cannot be had is not tried twice', async () => {
  let made = 0;
  const make = () => {
    made += 1;
    throw new VecinityError('download_failed', 'The network is unreachable');
  };
  const { ladder } = setUp({ 'wasm wasm': make });
  await expect(ladder.start()).rejects.toThrow('unreachable');
  expect(made).toBe(1);
});

test('a replacement that still meets the device of the one before it is followed by another', async () => {
  let made = 0;
  const onRun = failing('worker_died', 'killed') as () => never;
  const make = () => {
    made += 1;
    if (made === 2) throw new VecinityError('backend_failed', 'A valid external Instance reference no longer exists.');
    return fakeBackend(made === 1 ? { ...gpuInfo, onRun } : gpuInfo);
  };
  const { backend } = await resilient({ 'onnx webgpu': make });
  expect(await codesOf(backend, 2)).toEqual(['worker_died', 'ok']);
  expect(made).toBe(3);
});

test('runs in flight on the same worker cause one replacement', async () => {
  const { backend, names } = await resilient({ 'onnx webgpu': mortal(1, gpuInfo) });
  await Promise.allSettled([backend.run(batch()), backend.run(batch()), backend.run(batch())]);
  expect(await codesOf(backend, 1)).toEqual(['ok']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu']);
});

test('a worker that died while its check ran is replaced once', async () => {
  const checked = deferred<void>();
  let checks = 0;
  const check = async () => {
    checks += 1;
    if (checks !== 2) return;
    await checked.promise;
    throw new VecinityError('worker_died', 'killed in its check');
  };
  let runs = 0;
  const onRun = () => {
    runs += 1;
    throw new VecinityError(runs <= 2 ? 'backend_failed' : 'worker_died', 'killed');
  };
  let made = 0;
  const make = () => (made++ === 0 ? fakeBackend({ ...gpuInfo, onRun }) : fakeBackend(gpuInfo));
  const { backend, names, ladder } = await resilient({ 'onnx webgpu': make }, { check });
  const failing = codesOf(backend, 2);
  await vi.waitUntil(() => checks === 2, { timeout: 20_000 });
  expect(await codesOf(backend, 1)).toEqual(['worker_died']);
  checked.resolve();
  expect(await failing).toEqual(['backend_failed', 'worker_died']);
  expect(await codesOf(backend, 1)).toEqual(['ok']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu']);
  expect(ladder.tried.filter(({ ok }) => !ok)).toHaveLength(1);
});

test('a device that has served a hundred runs since a death may lose another worker', async () => {
  const deathAt = new Set([1, 102]);
  let runs = 0;
  const onRun = (_: TokenBatch, values: Float32Array) => {
    runs += 1;
    if (deathAt.has(runs)) throw new VecinityError('worker_died', 'killed');
    return values;
  };
  const make = () => fakeBackend({ ...gpuInfo, onRun });
  const { backend, names } = await resilient({ 'onnx webgpu': make, 'wasm wasm': () => fakeBackend() });
  const codes = await codesOf(backend, 103);
  expect(codes.filter((code) => code !== 'ok')).toEqual(['worker_died', 'worker_died']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu', 'onnx webgpu']);
});

test('the next device may lose as many workers as the one before it', async () => {
  const make = { 'onnx webgpu': mortal(2, gpuInfo), 'wasm wasm': mortal(1), 'onnx wasm': () => fakeBackend() };
  const { backend, names } = await resilient(make);
  expect(await codesOf(backend, 4)).toEqual(['worker_died', 'worker_died', 'worker_died', 'ok']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu', 'wasm wasm', 'wasm wasm']);
});

test('the last device is started again as often as it is needed', async () => {
  const { backend, names } = await resilient({ 'onnx wasm': mortal(3) }, { select: { device: 'wasm' } });
  expect(await codesOf(backend, 4)).toEqual(['worker_died', 'worker_died', 'worker_died', 'ok']);
  expect(names()).toEqual(new Array(4).fill('onnx wasm'));
});

test.each([
  'mapAsync failed: the GPU device was lost',
  'RuntimeError: Aborted(OOM)',
  'Failed to create a WebGPU compute pipeline: A valid external Instance reference no longer exists.',
  'RuntimeError: unreachable',
  'RuntimeError: memory access out of bounds',
])('a device is replaced even where its runtime calls its loss a failed run: %s', async (message) => {
  const lost = failing('backend_failed', message) as () => never;
  const { backend, names } = await resilient({
    'onnx webgpu': () => fakeBackend({ ...gpuInfo, onRun: lost }),
    'wasm wasm': () => fakeBackend(),
  });
  expect(await codesOf(backend, 3)).toEqual(['worker_died', 'worker_died', 'ok']);
  expect(names()).toEqual(['onnx webgpu', 'onnx webgpu', 'wasm wasm']);
});

test('runs without enough memory leave a device that is healthy in service, and the last one is on record', async () => {
  let run = 0;
  const onRun = () => {
    run += 1;
    throw new VecinityError('out_of_memory', `run ${run} needs more`);
  };
  const { backend, ladder } = await resilient({ 'onnx webgpu': () => fakeBackend({ ...gpuInfo, onRun }) });
  expect(await codesOf(backend, 3)).toEqual(new Array(3).fill('out_of_memory'));
  expect(ladder.tried.map(({ ok, reason }) => [ok, reason])).toEqual([
    [true, ''],
    [true, 'run 3 needs more'],
  ]);
});

test('runs that fail twice in a row cost a device only when it also fails its check', async () => {
  const bad = failing('backend_failed', 'bad token') as () => never;
  const make = { 'onnx webgpu': () => fakeBackend({ ...gpuInfo, onRun: bad }), 'wasm wasm': () => fakeBackend() };
  const healthy = await resilient(make);
  expect(await codesOf(healthy.backend, 5)).toEqual(new Array(5).fill('backend_failed'));
  expect(healthy.names()).toEqual(['onnx webgpu']);
  let checks = 0;
  const check = async () => {
    checks += 1;
    if (checks === 2) throw new VecinityError('backend_failed', 'cosine 0');
  };
  const sick = await resilient(make, { check });
  expect(await codesOf(sick.backend, 2)).toEqual(['backend_failed', 'worker_died']);
});

test.each([
  ['not finite', Number.NaN],
  ['all zero', 0],
])('values that are %s are a failed run, and a second one costs the device', async (_, value) => {
  let isSick = false;
  const onRun = (_: TokenBatch, values: Float32Array) => (isSick ? values.fill(value) : values);
  const check = async (backend: Backend) => {
    const values = await backend.run(batch());
    if (!values[0]) throw new VecinityError('backend_failed', 'The check text came out wrong.');
  };
  const make = { 'onnx webgpu': () => fakeBackend({ ...gpuInfo, onRun }) };
  const { backend } = await resilient(make, { check });
  isSick = true;
  expect(await codesOf(backend, 2)).toEqual(['backend_failed', 'worker_died']);
});

test('a logit of zero is an answer', async () => {
  const { backend } = await resilient({
    'onnx webgpu': () => fakeBackend({ width: 1, onRun: () => Float32Array.of(0) }),
  });
  expect(await codesOf(backend, 1)).toEqual(['ok']);
});

test('when no device is left the run fails with the reasons, and the next request tries all again', async () => {
  let broken = false;
  const make = () => {
    if (broken) throw new VecinityError('device_unavailable', 'out of threads');
    return dying();
  };
  const { backend } = await resilient({ 'onnx webgpu': make });
  broken = true;
  expect(await codesOf(backend, 2)).toEqual(['worker_died', 'device_unavailable']);
  expect(backend.failure?.message).toMatch(/out of threads/);
  broken = false;
  expect(await codesOf(backend, 1)).toEqual(['worker_died']);
  expect(backend.failure).toBeNull();
});

test('a load that fails says what went wrong, not that the files of another backend are missing', async () => {
  const refuse = (code: ErrorCode, message: string) => () => {
    throw new VecinityError(code, message);
  };
  const full = refuse('storage_full', 'no room');
  const lacking = refuse('model_file_missing', 'no ONNX file');
  const wanted = { code: 'storage_full', message: 'no room' };
  await expect(resilient({ 'onnx webgpu': lacking, 'wasm wasm': full, 'onnx wasm': lacking })).rejects.toMatchObject(
    wanted,
  );
  const both = { code: 'model_file_missing', message: expect.stringMatching(/no ONNX file \| no ONNX file/) };
  await expect(resilient({ 'onnx webgpu': lacking, 'wasm wasm': lacking })).rejects.toMatchObject(both);
});

test("failures with answers between them are the inputs' own: the check text is not run again", async () => {
  let checks = 0;
  let run = 0;
  const onRun = (_: TokenBatch, values: Float32Array) => {
    run += 1;
    if (run % 2 === 1) throw new VecinityError('backend_failed', 'bad token');
    return values;
  };
  const check = async () => {
    checks += 1;
  };
  const { backend } = await resilient({ 'onnx webgpu': () => fakeBackend({ ...gpuInfo, onRun }) }, { check });
  expect(await codesOf(backend, 4)).toEqual(['backend_failed', 'ok', 'backend_failed', 'ok']);
  expect(checks).toBe(1);
});

test('a worker is let go before its replacement loads: two copies of a model may not fit into memory', async () => {
  const made: ReturnType<typeof fakeBackend>[] = [];
  const alive: number[] = [];
  const make = () => {
    alive.push(made.filter(({ disposed }) => !disposed).length);
    const backend = fakeBackend({ ...gpuInfo, onRun: failing('worker_died', 'killed') as () => never });
    made.push(backend);
    return backend;
  };
  const { backend } = await resilient({ 'onnx webgpu': make });
  expect(await codesOf(backend, 3)).toEqual(['worker_died', 'worker_died', 'worker_died']);
  expect(new Set(alive)).toEqual(new Set([0]));
});

test('a recovery that fails on every device tries each of them once', async () => {
  let tries = 0;
  const make = () => {
    tries += 1;
    if (tries > 1) throw new VecinityError('device_unavailable', 'out of threads');
    return dying();
  };
  const { backend } = await resilient({ 'onnx webgpu': make });
  expect(await codesOf(backend, 2)).toEqual(['worker_died', 'device_unavailable']);
  expect(tries).toBe(2);
});

test('dispose ends the backend and refuses later runs', async () => {
  const { backend, opened } = await resilient({ 'onnx webgpu': () => fakeBackend(gpuInfo) });
  await backend.dispose();
  expect(opened[0]?.backend.disposed).toBe(true);
  expect(await codesOf(backend, 1)).toEqual(['disposed']);
});

test('verdicts survive in Cache Storage and fall back to memory where it is denied', async () => {
  const kept = new Map<string, string>();
  const cache = {
    put: async (url: string, response: Response) => void kept.set(url, await response.text()),
    match: async (url: string) => (kept.has(url) ? new Response(kept.get(url)) : undefined),
  };
  const storage = { open: async () => cache } as unknown as CacheStorage;
  await openVerdicts(storage).write('a/b c', { winner: 'wasm' });
  expect(await openVerdicts(storage).read('a/b c')).toEqual({ winner: 'wasm' });
  expect(await openVerdicts(storage).read('other')).toBeNull();
  const running = openVerdicts(storage);
  await running.write('evicted', 1);
  kept.clear();
  expect(await running.read('evicted')).toBe(1);
  const denied = { open: () => Promise.reject(new Error('SecurityError')) } as unknown as CacheStorage;
  const memory = openVerdicts(denied);
  await memory.write('a', 1);
  expect(await memory.read('a')).toBe(1);
});
