import { expect, test, vi } from 'vitest';
import type { Backend, TokenBatch } from '../../src/backend/backend.js';
import { type CanaryOptions, checkCanary } from '../../src/backend/canary.js';
import { measureBackend } from '../../src/backend/measure.js';
import { cosine } from '../../src/core/similarity.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { type FakeBackendOptions, fakeBackend, fakeSpec, fakeValues } from './fake-backend.js';

/** The check text and another one. */
const batch = (): TokenBatch => ({
  ...{ inputIds: Int32Array.of(3, 14, 15, 92, 65), typeIds: null, offsets: Int32Array.of(0, 3, 5) },
});
const right = [...fakeValues(batch(), 4)].slice(0, 4);
const webgpu = { device: 'webgpu' } as const;

function options(changes: Partial<CanaryOptions> = {}): CanaryOptions {
  const canary = { text: 'known', embedding: right };
  return {
    ...{ spec: fakeSpec({ canary }), batch, cosine, store: createMemoryVerdicts(), openReference: async () => null },
    passed: new Map(),
    ...changes,
  };
}

/** A backend whose vector has this cosine to the right one. */
function turned(towards: number, info = {}): Backend {
  const norm = Math.hypot(...right);
  const [a = 0, b = 0] = right;
  const beside = [-b, a, 0, 0].map((value) => (value / Math.hypot(a, b)) * norm);
  const along = Math.sqrt(1 - towards ** 2);
  const values = right.map((value, i) => towards * value + along * (beside[i] ?? 0));
  return fakeBackend({ info, onRun: () => Float32Array.from(values) });
}

test('a backend that gives the reference passes, whatever the length of the vector', async () => {
  await checkCanary(fakeBackend({ info: webgpu }), options());
  await checkCanary(fakeBackend({ onRun: (_, values) => values.map((value) => value * 7) }), options());
});

test('a cosine below 0.99 fails with the value, and 0.9 is enough for an 8-bit ONNX file', async () => {
  await checkCanary(turned(0.991), options());
  await expect(checkCanary(turned(0.985), options())).rejects.toThrow(/cosine 0\.9850.*0\.99/);
  await checkCanary(turned(0.95, { dtype: 'q8' }), options());
  await expect(checkCanary(turned(0.95, { dtype: 'q8', backend: 'wasm' }), options())).rejects.toThrow(/0\.95/);
});

test('values that are not finite or not as many as the reference fail', async () => {
  const nan = fakeBackend({ onRun: () => Float32Array.of(1, Number.NaN, 1, 1) });
  await expect(checkCanary(nan, options())).rejects.toMatchObject({ code: 'backend_failed' });
  await expect(checkCanary(fakeBackend({ width: 3 }), options())).rejects.toThrow(/3 values instead of 4/);
});

test('a model without a reference gets it from the WASM device once, and it is kept', async () => {
  const reference = fakeBackend();
  const openReference = vi.fn(async () => reference);
  const given = options({ spec: fakeSpec(), openReference });
  await checkCanary(fakeBackend({ info: webgpu }), given);
  expect(reference.disposed).toBe(true);
  await checkCanary(fakeBackend({ info: webgpu }), given);
  expect(openReference).toHaveBeenCalledTimes(1);
  await expect(checkCanary(turned(0.5, webgpu), given)).rejects.toThrow(/0\.5/);
});

test('a WASM device leaves its own values as the reference, per dtype, and needs none', async () => {
  const openReference = vi.fn(async () => null);
  const given = options({ spec: fakeSpec(), openReference });
  await checkCanary(fakeBackend(), given);
  await expect(checkCanary(turned(0.5, webgpu), given)).rejects.toThrow(/0\.5/);
  openReference.mockClear();
  await checkCanary(turned(0.5, { ...webgpu, dtype: 'f16' }), given);
  expect(openReference).toHaveBeenCalledTimes(1);
});

test('a reference of files that the address had before gives way where two devices agree against it', async () => {
  const store = createMemoryVerdicts();
  await checkCanary(turned(0.5), options({ spec: fakeSpec(), store }));
  const openReference = vi.fn(async () => fakeBackend());
  // Each check is of another load.
  const load = (backend: Backend) => checkCanary(backend, options({ spec: fakeSpec(), store, openReference }));
  await expect(load(turned(0.7, webgpu))).rejects.toThrow(/0\.7/);
  await load(fakeBackend({ info: webgpu }));
  expect(openReference).toHaveBeenCalledTimes(2);
  await load(fakeBackend({ info: webgpu }));
  expect(openReference).toHaveBeenCalledTimes(2);
});

test('a reference that a CPU device of another dtype gave is kept for the device that agreed with it', async () => {
  const openReference = vi.fn(async () => fakeBackend({ info: { backend: 'wasm', dtype: 'q8' } }));
  const store = createMemoryVerdicts();
  for (let load = 0; load < 2; load++) {
    await checkCanary(fakeBackend({ info: webgpu }), options({ spec: fakeSpec(), store, openReference }));
  }
  expect(openReference).toHaveBeenCalledTimes(1);
});

test('a reference that is kept stays as it is, whatever a later CPU device computes', async () => {
  const store = createMemoryVerdicts();
  const given = options({ spec: fakeSpec(), store });
  await checkCanary(fakeBackend(), given);
  await checkCanary(turned(0.5), options({ spec: fakeSpec(), store }));
  await checkCanary(fakeBackend({ info: webgpu }), given);
  await expect(checkCanary(turned(0.5, webgpu), given)).rejects.toThrow(/0\.5/);
});

test('a device that replaces one of its kind has to give what that gave, also where nothing else tells what is right', async () => {
  const given = options({ spec: fakeSpec() });
  await checkCanary(fakeBackend(), given);
  await checkCanary(fakeBackend(), given);
  await expect(checkCanary(turned(0.5), given)).rejects.toMatchObject({ code: 'backend_failed' });
  await checkCanary(fakeBackend(), given);
});

test('a CPU device that goes on for one of another kind has to come near it, as far as other weights allow', async () => {
  const given = options({ spec: fakeSpec(), openReference: async () => fakeBackend() });
  await checkCanary(fakeBackend({ info: webgpu }), given);
  const cpu = { backend: 'wasm', dtype: 'q8' } as const;
  await expect(checkCanary(turned(0.85, cpu), given)).rejects.toThrow(/cosine 0\.8500 to the reference, 0\.9/);
  await checkCanary(turned(0.95, cpu), given);
});

test('a CPU device is not refused for a GPU that nothing could be held against', async () => {
  const given = options({ spec: fakeSpec() });
  await checkCanary(turned(0.5, webgpu), given);
  await checkCanary(fakeBackend({ info: { backend: 'wasm', dtype: 'q8' } }), given);
});

test('logits of a device of another kind are not compared', async () => {
  const given = options({ spec: fakeSpec({ task: 'rerank' }) });
  for (const [logit, dtype] of [[1, 'f32'] as const, [2, 'q8'] as const]) {
    await checkCanary(fakeBackend({ width: 1, info: { dtype }, onRun: () => Float32Array.of(logit, -4) }), given);
  }
});

test.each(['wasm', 'webgpu'] as const)(
  'kernels that compute nothing are refused by themselves where there is no reference: %s',
  async (device) => {
    const store = createMemoryVerdicts();
    const given = options({ spec: fakeSpec(), store });
    const checkOf = (onRun: NonNullable<FakeBackendOptions['onRun']>) =>
      checkCanary(fakeBackend({ info: { device }, onRun }), given);
    await expect(checkOf((_, values) => values.fill(0))).rejects.toThrow(/a vector of no length/);
    await expect(checkOf((_, values) => values.fill(0.5))).rejects.toThrow(/the same values as for another text/);
    await expect(checkOf((_, values) => values.fill(Number.NaN, 4))).rejects.toThrow(/not finite/);
    expect(await store.read('canary/test/fake@main/f32')).toBeNull();
    await checkOf((_, values) => values);
  },
);

test('a reranker that gives one logit for all is refused, though a logit may be zero', async () => {
  const checkOf = (...logits: number[]) =>
    checkCanary(fakeBackend({ width: 1, onRun: () => Float32Array.from(logits) }), given);
  const given = options({ spec: fakeSpec({ task: 'rerank' }) });
  await expect(checkOf(0, 0)).rejects.toThrow(/the same values as for another text/);
  await checkOf(0, -4);
});

test('nonsense of a device is never a reference, neither a new one nor one that was kept', async () => {
  const store = createMemoryVerdicts();
  await store.write('canary/test/fake@main/f32', [0, 0, 0, 0]);
  const reference = fakeBackend({ onRun: (_, values) => values.fill(0) });
  const given = options({ spec: fakeSpec(), store, openReference: async () => reference });
  await expect(checkCanary(fakeBackend({ info: webgpu }), given)).rejects.toThrow(/no length/);
  expect(reference.disposed).toBe(true);
  await checkCanary(fakeBackend({ info: webgpu }), { ...given, openReference: async () => fakeBackend() });
});

test("a reranker's logits are compared within a tolerance", async () => {
  const store = createMemoryVerdicts();
  const reranker = (logit: number, device: 'wasm' | 'webgpu') =>
    checkCanary(
      fakeBackend({
        width: 1,
        info: { device },
        onRun: () => Float32Array.of(logit, 0),
      }),
      options({ spec: fakeSpec({ task: 'rerank' }), store }),
    );
  await reranker(-4, 'wasm');
  await reranker(-4.19, 'webgpu');
  await expect(reranker(-4.21, 'webgpu')).rejects.toThrow(/logit -4\.2100 instead of -4\.0000/);
});

test('the measurement weighs a query four times and deals the batch out to all lanes', async () => {
  let time = 0;
  const backend = fakeBackend({
    lanes: 2,
    onRun: (run, values) => {
      time += run.inputIds.length === 8 ? 3 : 20;
      return values;
    },
  });
  const ms = await measureBackend(backend, { tokens: [101, 7, 102], now: () => time });
  expect(ms).toBe(4 * 3 + 40);
  expect(new Set(backend.batches.map((run) => run.offsets.length - 1))).toEqual(new Set([1, 8]));
  expect([...(backend.batches[0]?.inputIds ?? [])]).toEqual([101, 7, 102, 101, 7, 102, 101, 7]);
});

test('the measurement takes the best run and stops when its budget is used up', async () => {
  let time = 0;
  const durations = [500, 90, 60, 80, 400];
  const backend = fakeBackend({
    onRun: (_, values) => {
      time += durations.shift() ?? 0;
      return values;
    },
  });
  expect(await measureBackend(backend, { tokens: [1], now: () => time })).toBe(4 * 60 + 400);
});
