/** Kept files that parse no more, or never did: dropped, fetched once more, and the load goes on. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setThreadFactory } from '../../src/backend/wasm/index.js';
import { createFakeDisk, type FakeDisk } from './fake-opfs.js';
import { type Content, type ModelHub, modelHub, nearestToGolden } from './model-hub.js';

const weights = 'model.safetensors';
let disk: FakeDisk;
let hub: ModelHub;

beforeEach(() => {
  setThreadFactory(null);
  disk = createFakeDisk();
  hub = modelHub('bert-cls');
  vi.stubGlobal('navigator', { storage: disk.storage });
  vi.stubGlobal('caches', undefined);
  vi.stubGlobal('fetch', hub.fetch);
});

afterEach(() => vi.unstubAllGlobals());

const served = (path: string): Content => hub.files.get(path) ?? new Uint8Array(0);
const text = (value: string): Content => new TextEncoder().encode(value);
const asked = (path: string) => hub.requests.filter((request) => request === path).length;
const load = () => nearestToGolden('bert-cls');

const broken: [string, string, () => Content][] = [
  ['weights whose header is no JSON', weights, () => served(weights).map((byte, at) => (at === 8 ? 0x7d : byte))],
  ['weights that end early', weights, () => served(weights).slice(0, -1_000)],
  ['weights that go on after their end', weights, () => Uint8Array.from([...served(weights), 0])],
  ['a few bytes in place of the weights', weights, () => text('oops')],
  ['a tokenizer.json that is no JSON', 'tokenizer.json', () => served('tokenizer.json').slice(0, 1_000)],
  ['a tokenizer.json that is no tokenizer', 'tokenizer.json', () => text('{"model":{"type":"none"}}')],
  ['a config.json without a vocabulary', 'config.json', () => text('{"model_type":"bert","hidden_size":64}')],
  ['a config.json that is no JSON', 'config.json', () => text('{"model_type":')],
  ['a modules.json of another model', 'modules.json', () => text('[{"type":"a.Dense","path":"2_Dense"}]')],
  ['a page of HTML in place of the weights', weights, () => text('<!doctype html><html></html>')],
];

describe.each(broken)('%s', (_, path, content) => {
  it('comes once: it is fetched once more, and the vectors are right', async () => {
    hub.instead.set(path, [content()]);
    expect(await load()).toBeGreaterThan(0.99999);
    expect(asked(path)).toBe(2);
    expect(await load()).toBeGreaterThan(0.99999);
    expect(asked(path)).toBe(2);
  });

  it('comes twice: it is an error and not kept, and the next load works', async () => {
    hub.instead.set(path, [content(), content()]);
    await expect(load()).rejects.toMatchObject({ code: 'model_file_invalid', message: expect.stringContaining(path) });
    expect(asked(path)).toBe(2);
    expect(await load()).toBeGreaterThan(0.99999);
    expect(asked(path)).toBe(3);
  });
});

it('a file that has the published hash is not fetched again, however useless it is', async () => {
  hub.hasHashes = true;
  hub.files.set(weights, text('not weights at all'));
  await expect(load()).rejects.toMatchObject({ code: 'model_file_invalid' });
  await expect(load()).rejects.toMatchObject({ code: 'model_file_invalid' });
  expect(asked(weights)).toBe(1);
});

it('bits that flip later are found by the next load, in the weights and in the tokenizer', async () => {
  expect(await load()).toBeGreaterThan(0.99999);
  for (const { bytes } of disk.find('data')) bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  expect(await load()).toBeGreaterThan(0.99999);
  expect([asked(weights), asked('tokenizer.json')]).toEqual([2, 2]);
});
