/** Memory that a device does not have, with the real kernels: whom it concerns is told how much was needed. */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { BackendRequest } from '../../src/backend/backend.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import { loadWasmBackend, setThreadFactory } from '../../src/backend/wasm/index.js';
import { supportsModel } from '../../src/backend/wasm/supports.js';
import type { ToThread } from '../../src/backend/wasm/thread.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine } from '../../src/core/create-engine.js';
import { openModel } from '../../src/core/open-model.js';
import { cosine } from '../../src/core/similarity.js';
import { VecinityError } from '../../src/errors.js';
import { openFolder } from '../../src/models/folder.node.js';
import { setFolderOpener } from '../../src/models/open-files.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { embedRequest } from './letter-engine.js';

const model = fileURLToPath(new URL('../../public/models/all-MiniLM-L6-v2/', import.meta.url));
const config = { ...defaultEngineConfig, modelsUrl: null, threads: 1 };

beforeAll(async () => {
  setThreadFactory(null);
  setFolderOpener(openFolder);
  await ensureKernels();
}, 60_000);

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  setThreadFactory(null);
});

function setUp(threads = 1) {
  return createEngine({
    config: { ...config, threads },
    openModel: (name, options) => openModel(name, config, options),
    openBackend: async (request, options) => {
      if (request.backend === 'wasm') return await loadWasmBackend(request, options);
      throw new VecinityError('model_file_missing', 'There is no ONNX file.');
    },
    probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
    wasmSupports: supportsModel,
    verdicts: createMemoryVerdicts(),
    modelIdOf,
  });
}

/** From now on a memory grows up to this size. */
function limitMemory(bytes: number): void {
  const { grow } = WebAssembly.Memory.prototype;
  vi.spyOn(WebAssembly.Memory.prototype, 'grow').mockImplementation(function (this: WebAssembly.Memory, pages) {
    if (this.buffer.byteLength + pages * 65_536 > bytes) throw new RangeError('WebAssembly.Memory.grow(): failed');
    return grow.call(this, pages);
  });
}

const long = 'many words '.repeat(250);

test('a text that does not fit into memory is refused with the numbers; its neighbours and the next requests are not', async () => {
  const engine = setUp();
  // Limited from the start: an engine that has room sets some aside for texts that are still to come.
  const { backend } = await engine.load(model);
  await engine.unload(model);
  limitMemory(backend?.memoryBytes ?? 0);
  await engine.load(model);
  const [expected] = [await engine.embed(embedRequest({ inputs: ['a cat sleeps'] }))];
  const refused = expect(engine.embed(embedRequest({ inputs: ['first', long, 'last'], truncate: true }))).rejects;
  const beside = engine.embed(embedRequest({ inputs: ['a cat sleeps'] }));
  await refused.toMatchObject({
    code: 'out_of_memory',
    message: expect.stringMatching(/needs \d+ MiB of memory and gets no more than the \d+ MiB it has/),
  });
  expect(cosine((await beside).embeddings, expected.embeddings)).toBeGreaterThan(0.9999);
  expect(engine.status().models[0]).toMatchObject({ state: 'ready', recoveries: 0 });
  const remarks = engine.status().models[0]?.tried.filter(({ ok, reason }) => ok && reason !== '');
  expect(remarks).toEqual([expect.objectContaining({ reason: expect.stringMatching(/\d+ MiB of memory/) })]);
  vi.restoreAllMocks();
  const fits = await engine.embed(embedRequest({ inputs: [long], truncate: true }));
  expect(fits.count).toBe(1);
  await engine.dispose();
});

test('a model that does not fit into memory says how large it is, and loads as soon as there is memory', async () => {
  const engine = setUp();
  limitMemory(8 * 2 ** 20);
  const message = expect.stringMatching(/a file of \d+ MiB\) does not fit into memory: .* needs \d+ MiB/);
  await expect(engine.load(model)).rejects.toMatchObject({ code: 'out_of_memory', message });
  expect(engine.status().models[0]).toMatchObject({ state: 'failed', error: { code: 'out_of_memory', message } });
  vi.restoreAllMocks();
  expect(await engine.load(model)).toMatchObject({ state: 'ready' });
  await engine.dispose();
});

test('a load that the runtime gives no memory in the middle says so, too', async () => {
  const engine = setUp();
  vi.spyOn(Heap.prototype, 'f32', 'get').mockImplementation(() => {
    throw new RangeError('Array buffer allocation failed');
  });
  const message = expect.stringMatching(/a file of \d+ MiB\) does not fit into memory: Array buffer allocation failed/);
  await expect(engine.load(model)).rejects.toMatchObject({ code: 'out_of_memory', message });
  await engine.dispose();
});

/** A host that sets aside no more than so many pages for a memory. */
function limitAddresses(pages: number): number[] {
  const asked: number[] = [];
  class Limited extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      asked.push(descriptor.maximum ?? 0);
      if ((descriptor.maximum ?? 0) > pages) throw new RangeError('could not allocate memory');
      super(descriptor);
    }
  }
  vi.spyOn(WebAssembly, 'Memory').mockImplementation(Limited);
  return asked;
}

test('a host without room for the largest memory gives a smaller one', () => {
  const asked = limitAddresses(5_000);
  createMemory(true, 2 ** 31, 2 ** 26);
  expect(asked).toEqual([32_768, 16_384, 8_192, 4_096]);
});

test('a host without room for the least memory says how much that is', () => {
  const asked = limitAddresses(500);
  expect(() => createMemory(true, 2 ** 28, 2 ** 26)).toThrow('could not set 64 MiB of memory aside');
  expect(asked).toEqual([4_096, 2_048, 1_024]);
});

test('a thread that cannot share memory is given its copy of the model without a copy of that', async () => {
  vi.stubGlobal('crossOriginIsolated', false);
  const posted: { message: ToThread; transfer: readonly Transferable[] }[] = [];
  setThreadFactory(() => {
    let answer = (_: { data: unknown }): void => {};
    return {
      postMessage(message, transfer = []) {
        posted.push({ message, transfer });
        answer({ data: { type: 'done', id: message.id } });
      },
      addEventListener(type, listener) {
        if (type === 'message') answer = listener;
      },
      terminate() {},
    };
  });
  const backend = await loadWasmBackend(await requestOf(2), {});
  const { message, transfer } = posted[0] ?? {};
  const image = message?.type === 'start' ? message.memory : null;
  expect(image).toBeInstanceOf(ArrayBuffer);
  // Not by `toEqual`: a failure would print megabytes.
  expect(transfer?.length === 1 && transfer[0] === image).toBe(true);
  await backend.dispose();
});

test('threads that cannot share memory take their copies of the model one after the other', async () => {
  vi.stubGlobal('crossOriginIsolated', false);
  const copying: (() => void)[] = [];
  setThreadFactory(() => {
    let answer = (_: { data: unknown }): void => {};
    return {
      postMessage: ({ id }) => void copying.push(() => answer({ data: { type: 'done', id } })),
      addEventListener(type, listener) {
        if (type === 'message') answer = listener;
      },
      terminate() {},
    };
  });
  const loading = loadWasmBackend(await requestOf(4), {});
  for (let thread = 1; thread <= 3; thread++) {
    await vi.waitFor(() => expect(copying).toHaveLength(thread));
    // Whoever were given theirs at the same time would have it by now.
    await new Promise((resolve) => setImmediate(resolve));
    expect(copying).toHaveLength(thread);
    copying.at(-1)?.();
  }
  const backend = await loading;
  expect(backend.info.threads).toBe(4);
  await backend.dispose();
});

async function requestOf(threads: number): Promise<BackendRequest> {
  const { signal } = new AbortController();
  const { spec, location } = await openModel(model, config, { revision: undefined, signal, onProgress: () => {} });
  return { spec, location, backend: 'wasm', device: 'wasm', dtype: 'q8', threads, assetsUrl: null };
}
