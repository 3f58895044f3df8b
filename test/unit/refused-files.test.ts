/** Hosts that refuse what they do not have, because they must not list what they have. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { BackendRequest } from '../../src/backend/backend.js';
import { readWeights } from '../../src/backend/onnx/weights.js';
import { openModel } from '../../src/core/open-model.js';
import type { ModelLocation } from '../../src/models/files.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { readOptionalJson } from '../../src/models/optional-files.js';
import { openSafetensors, openSafetensorsStream } from '../../src/models/safetensors.js';
import { writeSafetensors } from '../../src/models/safetensors-writer.js';
import { createFakeDisk } from './fake-opfs.js';
import { type Answer, memoryServer } from './memory-server.js';

const bucket = 'https://bucket.example/minilm/';
const hub = 'https://hub.example/owner/name/resolve/main/';
const sources = { hubUrl: 'https://hub.example', hubToken: null, modelsUrl: null };
const options = { revision: undefined, signal: new AbortController().signal, onProgress: () => {} };
const folder = new URL('../../public/models/all-MiniLM-L6-v2/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, folder), 'utf8');
const config = read('config.json');

/** What is not named is refused. */
function bucketWith(files: Record<string, Answer>, { base = bucket, status = 403 } = {}) {
  const answers = Object.fromEntries(Object.entries(files).map(([path, answer]) => [base + path, answer]));
  const refuse = () => new Response('AccessDenied', { status });
  const server = memoryServer(new Proxy(answers, { get: (known, url: string) => known[url] ?? refuse }));
  vi.stubGlobal('fetch', server.fetch);
  return server;
}

/** Each call is a new visit of a page. */
const open = (location: Partial<ModelLocation> = {}) =>
  openModelFiles({ kind: 'url', base: bucket, headers: {}, cache: true, ...location });

beforeEach(() => {
  const disk = createFakeDisk();
  vi.stubGlobal('navigator', { storage: disk.storage });
  vi.stubGlobal('caches', undefined);
  return () => vi.unstubAllGlobals();
});

describe('a model on a host that refuses what it does not have', () => {
  it.each([403, 401])('is opened without the files that models may lack (%i)', async (status) => {
    bucketWith({ 'config.json': config, 'tokenizer.json': read('tokenizer.json') }, { status });
    const { spec, tokenizer } = await openModel(bucket, sources, options);
    expect(spec).toMatchObject({ pooling: 'mean', dimensions: 384, maxTokens: 512 });
    expect((await tokenizer).countTokens('hello')).toBe(3);
  });

  it.each([
    ['config.json', { 'tokenizer.json': '{}' }],
    ['1_Pooling/config.json', { 'config.json': config, 'modules.json': read('modules.json') }],
  ])('is refused for %s, by its name and the status', async (path, files) => {
    bucketWith(files);
    await expect(openModel(bucket, sources, options)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining(`${bucket}${path} could not be downloaded: the server answered 403`),
    });
  });

  it('says so of a vocabulary to whoever needs it', async () => {
    bucketWith({ 'config.json': config });
    const { tokenizer } = await openModel(bucket, sources, options);
    await expect(tokenizer).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(/tokenizer\.json.*403/),
    });
  });
});

describe('a file that models may lack', () => {
  it('is still absent at a later visit without the network', async () => {
    bucketWith({ 'config.json': config });
    expect(await readOptionalJson(open(), 'modules.json', {})).toBeNull();
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    expect(await readOptionalJson(open(), 'modules.json', {})).toBeNull();
  });

  it.each([true, false])('is not absent while nothing of the model can be read (kept: %s)', async (cache) => {
    bucketWith({});
    await expect(readOptionalJson(open({ cache }), 'modules.json', {})).rejects.toThrow(/modules\.json.*403/);
  });

  it('is not absent on a hub, which says of what it does not have that it does not', async () => {
    bucketWith({ 'config.json': config }, { base: hub });
    await expect(readOptionalJson(open({ base: hub }), 'modules.json', {})).rejects.toThrow(/modules\.json.*403/);
  });

  it('is not absent where the list of files names it', async () => {
    const list = JSON.stringify({ files: { 'modules.json': { sizeBytes: 349, sha256: null } } });
    bucketWith({ 'config.json': config, 'vecinity.json': list });
    await expect(readOptionalJson(open(), 'modules.json', {})).rejects.toThrow(/modules\.json.*list of files has it/);
  });
});

describe('weights', () => {
  const shard = new Uint8Array(writeSafetensors([{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(2) }]));
  const index = JSON.stringify({ weight_map: { a: 'one.safetensors' } });
  const ways = { 'by range': openSafetensors, 'in a stream': openSafetensorsStream };

  it.each(Object.entries(ways))('are looked for in shards where one file is refused, %s', async (_, openWeights) => {
    bucketWith({ 'config.json': config, 'model.safetensors.index.json': index, 'one.safetensors': shard });
    const weights = await openWeights(open({ cache: false }));
    expect(await weights?.read('a')).toEqual(Float32Array.of(2));
  });

  it.each([
    ['a bucket', bucket],
    ['a hub', hub],
  ])('that are nowhere on %s are missed by the name of the one file and the status', async (_, base) => {
    bucketWith({ 'config.json': config }, { base });
    await expect(openSafetensors(open({ base }))).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(/model\.safetensors could not be downloaded: the server answered 403/),
    });
  });

  it('of ONNX Runtime are looked for in the next dtype where one is refused', async () => {
    const bytes = new Uint8Array([8, 1]);
    bucketWith({ 'config.json': config, 'onnx/model_quantized.onnx': bytes });
    // Nothing else of a request is looked at.
    const request = {
      location: { kind: 'url', base: bucket, headers: {}, cache: false },
      spec: { id: 'minilm', task: 'embedding' },
      ...{ dtype: 'auto', device: 'wasm' },
    } as BackendRequest;
    expect(await readWeights(request, false, {})).toMatchObject({ dtype: 'q8', bytes });
    bucketWith({ 'config.json': config });
    await expect(readWeights(request, false, {})).rejects.toThrow(/onnx\/model\.onnx.*403/);
  });
});
