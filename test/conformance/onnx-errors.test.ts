import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BackendRequest, TokenBatch } from '../../src/backend/backend.js';
import { loadOnnxBackend } from '../../src/backend/onnx/index.js';
import { fixtureLocation, openModel, packBatch } from './golden.js';

let folder = '';
beforeEach(async () => {
  folder = `${await mkdtemp(join(tmpdir(), 'vecinity-onnx-'))}/`;
  await cp(fixtureLocation('bert-cls').base, folder, { recursive: true });
});
afterEach(async () => {
  vi.unstubAllGlobals();
  await rm(folder, { recursive: true });
});

async function load(changes: Partial<BackendRequest> = {}) {
  const location = { kind: 'folder', base: folder, headers: {}, cache: false } as const;
  const { spec, tokenizer } = await openModel('bert-cls', location);
  const request: BackendRequest = {
    spec,
    location,
    backend: 'onnx',
    device: 'wasm',
    dtype: 'auto',
    threads: 1,
    assetsUrl: null,
    ...changes,
  };
  return { tokenizer, backend: await loadOnnxBackend(request, {}) };
}

const weights = 'onnx/model.onnx';

describe('a weight file', () => {
  it('that is missing is named with everything that was looked for', async () => {
    await rm(join(folder, weights));
    await expect(load()).rejects.toMatchObject({
      code: 'model_file_missing',
      message: expect.stringMatching(/onnx\/model\.onnx.*onnx\/model_quantized\.onnx/),
    });
  });

  it('of a dtype that the model does not have is not replaced by another', async () => {
    await expect(load({ dtype: 'q8' })).rejects.toMatchObject({
      code: 'model_file_missing',
      message: expect.stringContaining('onnx/model_quantized.onnx'),
    });
  });

  it('that is cut short is named', async () => {
    const bytes = await readFile(join(folder, weights));
    await writeFile(join(folder, weights), bytes.subarray(0, bytes.length / 2));
    await expect(load()).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringContaining(weights),
    });
  });

  it.each([
    ['empty', ''],
    ['text', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90000000\n'],
  ])('that is %s is named', async (_, content) => {
    await writeFile(join(folder, weights), content);
    await expect(load()).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringContaining(weights),
    });
  });

  it('that is a page of HTML is called so', async () => {
    await writeFile(join(folder, weights), '<!doctype html><title>App</title>');
    await expect(load()).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringMatching(/onnx\/model\.onnx.*page of HTML/),
    });
  });

  it('that needs a second file names the one that is not there', async () => {
    // A tensor's `external_data` as a protocol buffer, which is all that is looked for.
    await writeFile(join(folder, weights), 'j\x1b\n\x08location\x12\x0fmodel.onnx_data');
    await expect(load()).rejects.toMatchObject({
      code: 'model_file_missing',
      message: expect.stringContaining('onnx/model.onnx_data'),
    });
  });

  it('that was kept and turns out to be broken is fetched once more', async () => {
    const base = 'https://hub.example/bert-cls/';
    const kept = new Map([[`${base}${weights}`, new Uint8Array(100)]]);
    const cache = {
      match: async (url: string) => {
        const bytes = kept.get(url);
        return bytes && new Response(bytes, { headers: { 'x-vecinity-bytes': String(bytes.length) } });
      },
      put: async (url: string, response: Response) => {
        kept.set(url, new Uint8Array(await response.arrayBuffer()));
      },
      delete: async (url: string) => kept.delete(url),
    };
    vi.stubGlobal('caches', { open: async () => cache });
    const fetched: string[] = [];
    vi.stubGlobal('fetch', async (url: string) => {
      fetched.push(url);
      if (url !== `${base}${weights}`) return new Response('', { status: 404 });
      return new Response(await readFile(join(folder, weights)));
    });
    const { backend } = await load({ location: { kind: 'url', base, headers: {}, cache: true } });
    expect(fetched).toEqual([`${base}vecinity.json`, `${base}${weights}`]);
    await backend.dispose();
  });

  it('of the wrong kind of model says what it gives', async () => {
    const { spec } = await openModel('bert-cls', fixtureLocation('bert-cls'));
    await expect(load({ spec: { ...spec, task: 'rerank', dimensions: 1 } })).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringMatching(/last_hidden_state.*logits/),
    });
  });

  it('lies where the location says when the model has none itself', async () => {
    await rm(join(folder, weights));
    const location = { kind: 'folder', base: folder, headers: {}, cache: false } as const;
    const { backend } = await load({ location: { ...location, onnxBase: fixtureLocation('bert-cls').base } });
    expect(backend.info.details.file).toBe(`${fixtureLocation('bert-cls').base}${weights}`);
    await backend.dispose();
  });
});

describe('a device', () => {
  it('that is not there is refused with the reason', async () => {
    await expect(load({ device: 'webgpu' })).rejects.toMatchObject({
      code: 'device_unavailable',
      message: expect.stringContaining('WebGPU'),
    });
  });
});

describe('a run', () => {
  const foreign: TokenBatch = {
    inputIds: Int32Array.of(2, 9_999_999, 3),
    typeIds: null,
    offsets: Int32Array.of(0, 3),
  };

  it('that fails does not harm the ones behind it', async () => {
    const { backend, tokenizer } = await load();
    const batch = () => packBatch([tokenizer.encode('Hello world')]);
    const [before, failed, after] = await Promise.allSettled([
      backend.run(batch()),
      backend.run(foreign),
      backend.run(batch()),
    ]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'backend_failed' } });
    expect(after).toEqual(before);
    await backend.dispose();
  });

  it('that waits when the model is disposed still ends, and a later one is refused', async () => {
    const { backend, tokenizer } = await load();
    const batch = () => packBatch([tokenizer.encode('Hello world')]);
    const waiting = expect(backend.run(batch())).rejects.toMatchObject({ code: 'disposed' });
    await backend.dispose();
    await waiting;
    await expect(backend.run(batch())).rejects.toMatchObject({ code: 'disposed' });
    await backend.dispose();
  });
});

describe('loading', () => {
  it('ends with the abort of the caller and reports every byte before', async () => {
    const { spec, location } = await openModel('bert-cls', fixtureLocation('bert-cls'));
    const request: BackendRequest = {
      spec,
      location,
      backend: 'onnx',
      device: 'wasm',
      dtype: 'f32',
      threads: 1,
      assetsUrl: null,
    };
    const controller = new AbortController();
    const events: number[] = [];
    const loading = loadOnnxBackend(request, {
      signal: controller.signal,
      onProgress: ({ loadedBytes, totalBytes }) => {
        events.push(loadedBytes);
        if (loadedBytes === totalBytes) controller.abort();
      },
    });
    await expect(loading).rejects.toMatchObject({ code: 'aborted' });
    expect(events.at(-1)).toBe((await readFile(join(location.base, weights))).length);
  });
});
