/** A model whose compute worker dies after its kept files were cleared, on a disk that has no room for them any more. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { setThreadFactory } from '../../src/backend/wasm/index.js';
import type { Engine } from '../../src/core/engine.js';
import { VecinityError } from '../../src/errors.js';
import type { StorageFull } from '../../src/models/files.js';
import { createFakeDisk, type FakeDisk } from './fake-opfs.js';
import { embedGolden, hubEngine, hubModel, modelHub, openHubBackend } from './model-hub.js';

const family = 'bert-cls';
let disk: FakeDisk;
let engine: Engine;

beforeEach(() => {
  setThreadFactory(null);
  disk = createFakeDisk();
  vi.stubGlobal('navigator', { storage: disk.storage });
  vi.stubGlobal('caches', undefined);
  vi.stubGlobal('fetch', modelHub(family).fetch);
});

afterEach(async () => {
  await engine.dispose();
  vi.unstubAllGlobals();
});

/** The next text finds its worker dead. */
async function loseEverything(storageFull: StorageFull): Promise<void> {
  let isDead = false;
  engine = hubEngine({
    storageFull,
    openBackend: async (request, options) => {
      const backend = await openHubBackend(request, options);
      const run = backend.run.bind(backend);
      backend.run = async (batch) => {
        if (!isDead) return await run(batch);
        isDead = false;
        throw new VecinityError('worker_died', 'The compute worker died: a test.');
      };
      return backend;
    },
  });
  await engine.load(hubModel, { dtype: 'f32' });
  disk.clear();
  disk.quotaBytes = 100_000;
  isDead = true;
}

it('comes back from memory where the site allowed that, and the text is answered', async () => {
  await loseEverything('memory');
  expect(await embedGolden(family, engine)).toBeGreaterThan(0.99999);
  expect(engine.status().models[0]).toMatchObject({ state: 'ready', recoveries: 1 });
  expect(disk.find('data')).toEqual([]);
});

it.each(['error', 'evict'] as const)(
  'says what is missing under `%s`, and comes back when there is room',
  async (kind) => {
    await loseEverything(kind);
    await expect(embedGolden(family, engine)).rejects.toMatchObject({
      code: 'storage_full',
      message: expect.stringMatching(/model\.safetensors needs \d+\.\d MB of storage and \d+\.\d MB are free/),
    });
    disk.quotaBytes = Number.POSITIVE_INFINITY;
    expect(await embedGolden(family, engine)).toBeGreaterThan(0.99999);
  },
);
