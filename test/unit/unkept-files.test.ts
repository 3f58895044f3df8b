/** Models of a hub where nothing can be kept, or may not be: what is read is judged as if it were kept. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setThreadFactory } from '../../src/backend/wasm/index.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { createFakeDisk } from './fake-opfs.js';
import { type Content, hubBase, hubEngine, type ModelHub, modelHub, nearestToGolden } from './model-hub.js';

const family = 'bert-cls';
const weights = 'model.safetensors';

let hub: ModelHub;

beforeEach(() => {
  setThreadFactory(null);
  hub = modelHub(family);
  hub.hasHashes = true;
  vi.stubGlobal('caches', undefined);
  vi.stubGlobal('fetch', hub.fetch);
});

afterEach(() => vi.unstubAllGlobals());

const fullDisk = () => {
  const disk = createFakeDisk();
  disk.quotaBytes = 0;
  return { storage: disk.storage };
};

/** Another value in the middle of the weights, of which the check text may not tell. */
function damaged(path: string): Content {
  const bytes = new Uint8Array(hub.files.get(path) ?? []);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

describe.each([
  ['a browser without storage', () => ({})],
  ['a full disk', fullDisk],
])('%s', (_, navigator) => {
  beforeEach(() => vi.stubGlobal('navigator', navigator()));

  const load = () => nearestToGolden(family, hubEngine({ storageFull: 'memory' }));

  it('serves the right vectors', async () => {
    expect(await load()).toBeGreaterThan(0.99999);
  });

  it.each([weights, 'tokenizer.json'])('serves nothing of a model whose %s has another hash', async (path) => {
    hub.instead.set(path, [damaged(path)]);
    const message = expect.stringMatching(/its SHA-256 is \w{64} instead of \w{64}/);
    await expect(load()).rejects.toMatchObject({ code: 'model_file_invalid', message });
    expect(await load()).toBeGreaterThan(0.99999);
  });

  it('serves nothing of a model whose weights go on or end too soon', async () => {
    const whole = hub.files.get(weights) ?? new Uint8Array(0);
    hub.instead.set(weights, [whole.slice(0, -4)]);
    await expect(load()).rejects.toMatchObject({ code: 'model_file_invalid' });
  });

  it.each(['sentence_bert_config.json', 'modules.json'])(
    'serves nothing of a model that has a page in the place of its %s',
    async (path) => {
      const page = new TextEncoder().encode('<!doctype html><title>Sign in</title>');
      hub.instead.set(path, [page, page]);
      await expect(load()).rejects.toMatchObject({
        code: 'model_file_invalid',
        message: expect.stringContaining(`The file ${path} is not a model file`),
      });
    },
  );

  it('asks for a list that cannot be had at the start and with the weights, and not with every file', async () => {
    const { fetch: answer } = hub;
    const lists: string[] = [];
    const withoutLists: typeof fetch = async (input, init) => {
      const url = String(input);
      if (!url.includes('/api/models/') && !url.endsWith('/vecinity.json')) return await answer(input, init);
      lists.push(url);
      throw new TypeError('Failed to fetch');
    };
    const location = { kind: 'url', base: hubBase, headers: {}, cache: true, storageFull: 'memory' } as const;
    const files = openModelFiles(location, { fetch: withoutLists });
    const asked = async (paths: string[]) => {
      const read = await Promise.all(paths.map((path) => files.readBytes(path)));
      expect(read.map((bytes) => bytes?.length)).toEqual(paths.map((path) => hub.files.get(path)?.length));
      return lists.splice(0).length;
    };
    // Of two lists, each twice.
    expect(await asked(['config.json', 'modules.json', '1_Pooling/config.json', 'tokenizer.json'])).toBe(4);
    expect(await asked(['tokenizer_config.json', 'config.json'])).toBe(0);
    expect(await asked([weights])).toBe(4);
  });

  it('serves nothing of a model of which the hub withholds a file that it lists', async () => {
    const { fetch: answer } = hub;
    const withhold: typeof fetch = async (input, init) =>
      String(input).endsWith('/sentence_bert_config.json')
        ? new Response('', { status: 404 })
        : await answer(input, init);
    vi.stubGlobal('fetch', withhold);
    await expect(load()).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(/sentence_bert_config\.json .*its list of files has it/),
    });
  });
});
