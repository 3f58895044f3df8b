import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModelLocation } from '../../src/models/files.js';
import { openFolder } from '../../src/models/folder.node.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { openSafetensors } from '../../src/models/safetensors.js';
import { openCacheStore } from '../../src/storage/cache-store.js';
import { htmlPage, type MemoryServer, memoryServer } from './memory-server.js';

/** Wherever the machine has much else to do. */
const patient = { timeout: 20_000 };

const base = 'https://hub.example/models/name/';
const location: ModelLocation = { kind: 'url', base, headers: { authorization: 'Bearer secret' }, cache: false };
const kept: ModelLocation = { ...location, cache: true };

/** Cache Storage with one cache, over a map of responses. */
function memoryCaches(full = false): CacheStorage & { entries: Map<string, Response> } {
  const entries = new Map<string, Response>();
  const cache = {
    match: async (url: string) => entries.get(url)?.clone(),
    put: async (url: string, response: Response) => {
      const body = await response.arrayBuffer();
      if (full) throw new DOMException('full', 'QuotaExceededError');
      entries.set(url, new Response(body, { headers: response.headers }));
    },
    delete: async (url: string) => entries.delete(url),
  };
  // Only what the model cache uses is there.
  return { entries, open: async () => cache } as unknown as CacheStorage & { entries: Map<string, Response> };
}

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('files behind a URL', () => {
  it('are read whole, by range, and as JSON', async () => {
    const { fetch } = memoryServer({ [`${base}config.json`]: '{"a":1}', [`${base}w.bin`]: Uint8Array.of(1, 2, 3, 4) });
    const files = openModelFiles(location, { fetch });
    expect(await files.readJson('config.json')).toEqual({ a: 1 });
    expect(await files.readBytes('w.bin')).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(await files.readRange('w.bin', 1, 3)).toEqual(Uint8Array.of(2, 3));
  });

  it('are null where there is none', async () => {
    const files = openModelFiles(location, { fetch: memoryServer({}).fetch });
    expect(await files.readBytes('w.bin')).toBeNull();
    expect(await files.readJson('config.json')).toBeNull();
    expect(await files.readRange('w.bin', 0, 8)).toBeNull();
    expect(await files.readStream?.('w.bin')).toBeNull();
  });

  it('are asked for with the headers of their place and without a referrer', async () => {
    const server = memoryServer({ [`${base}config.json`]: '{}' });
    await openModelFiles(location, { fetch: server.fetch }).readJson('config.json');
    expect(server.requests[0]?.headers.get('authorization')).toBe('Bearer secret');
    expect(server.requests[0]?.referrerPolicy).toBe('no-referrer');
  });

  it.each(['readBytes', 'readJson', 'readStream'] as const)('are never a page of HTML (%s)', async (read) => {
    const { fetch } = memoryServer({ [`${base}config.json`]: htmlPage });
    const files = openModelFiles(location, { fetch });
    const reading = async () => {
      const result = await files[read]?.('config.json');
      if (result instanceof ReadableStream) await new Response(result).arrayBuffer();
    };
    await expect(reading()).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringMatching(/config\.json.*page of HTML/),
    });
  });

  it('are never a page of HTML that only its content type tells', async () => {
    const page = () => new Response('Please sign in', { headers: { 'content-type': 'text/html; charset=utf-8' } });
    const { fetch } = memoryServer({ [`${base}w.bin`]: page });
    await expect(openModelFiles(location, { fetch }).readBytes('w.bin')).rejects.toMatchObject({
      code: 'model_file_invalid',
    });
  });

  it('are never a page of HTML, even if it is called something else', async () => {
    const page = () => new Response('\n <HTML lang="en">', { headers: { 'content-type': 'application/octet-stream' } });
    const { fetch } = memoryServer({ [`${base}w.bin`]: page });
    await expect(openModelFiles(location, { fetch }).readBytes('w.bin')).rejects.toMatchObject({
      code: 'model_file_invalid',
    });
  });

  it('name the file that is not JSON', async () => {
    const { fetch } = memoryServer({ [`${base}config.json`]: '{"a":' });
    await expect(openModelFiles(location, { fetch }).readJson('config.json')).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringContaining('config.json'),
    });
  });

  it('are read up to the wanted bytes from a server that knows no ranges', async () => {
    const { fetch } = memoryServer({ [`${base}w.bin`]: () => new Response(Uint8Array.of(1, 2, 3, 4, 5)) });
    expect(await openModelFiles(location, { fetch }).readRange('w.bin', 1, 3)).toEqual(Uint8Array.of(2, 3));
  });

  it('are tried once more after a failed network and after a 5xx', async () => {
    const broken = () => new Response('', { status: 503 });
    const server = memoryServer({
      [`${base}a`]: [new TypeError('fetch failed'), 'a'],
      [`${base}b`]: [broken, 'b'],
    });
    const files = openModelFiles(location, { fetch: server.fetch });
    expect(await files.readBytes('a')).toHaveLength(1);
    expect(await files.readBytes('b')).toHaveLength(1);
    expect(server.requests).toHaveLength(4);
  });

  it('say status and URL when the server keeps refusing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const server = memoryServer({ [`${base}a`]: () => new Response('', { status: 500 }) });
    const reading = openModelFiles(location, { fetch: server.fetch }).readBytes('a');
    const told = expect(reading).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringMatching(/hub\.example.*\/a.*500/),
    });
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
    expect(server.requests).toHaveLength(7);
  });

  it('are not asked for twice when the server says no', async () => {
    const server = memoryServer({ [`${base}a`]: () => new Response('', { status: 403 }) });
    await expect(openModelFiles(location, { fetch: server.fetch }).readBytes('a')).rejects.toMatchObject({
      code: 'download_failed',
    });
    expect(server.requests).toHaveLength(1);
  });

  it('that end early are fetched again, and then refused', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const short = () => new Response('12', { headers: { 'content-length': '5' } });
    const server = memoryServer({ [`${base}a`]: [short, '12345'], [`${base}b`]: short });
    const files = openModelFiles(location, { fetch: server.fetch });
    expect(await files.readBytes('a')).toHaveLength(5);
    const told = expect(files.readBytes('b')).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('2 of 5 bytes'),
    });
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
  });

  it('may be shorter than a length that counts their encoded form', async () => {
    const encoded = () => new Response('12', { headers: { 'content-length': '5', 'content-encoding': 'gzip' } });
    const { fetch } = memoryServer({ [`${base}a`]: encoded });
    expect(await openModelFiles(location, { fetch }).readBytes('a')).toHaveLength(2);
  });

  it('of another origin, which hides an encoding, are taken when that explains their length', async () => {
    const crossOrigin = (bytes: number, declared: number) => () => {
      const headers = { 'content-length': String(declared) };
      return Object.defineProperty(new Response(new Uint8Array(bytes), { headers }), 'type', { value: 'cors' });
    };
    const { fetch } = memoryServer({
      // What cannot be compressed becomes a little longer by it, what can much shorter.
      [`${base}a`]: crossOrigin(10_000, 10_074),
      [`${base}b`]: crossOrigin(10_000, 300),
      [`${base}c`]: crossOrigin(10_000, 10_075),
    });
    const files = openModelFiles(location, { fetch });
    expect(await files.readBytes('a')).toHaveLength(10_000);
    expect(await files.readBytes('b')).toHaveLength(10_000);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const told = expect(files.readBytes('c')).rejects.toThrow('10000 of 10075 bytes');
    await vi.advanceTimersByTimeAsync(20_000);
    await told;
  });

  it('leave no clock running once they are there', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { fetch } = memoryServer({ [`${base}a`]: '12345' });
    expect(await openModelFiles(location, { fetch }).readBytes('a')).toHaveLength(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('report progress whose last word is exact', async () => {
    const { fetch } = memoryServer({ [`${base}w.bin`]: new Uint8Array(1000) });
    const onProgress = vi.fn();
    await openModelFiles(location, { fetch }).readBytes('w.bin', { onProgress });
    expect(onProgress).toHaveBeenLastCalledWith({ file: 'w.bin', loadedBytes: 1000, totalBytes: 1000 });
  });

  it('report at most ten times a second', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    let left = 200;
    const pull = (controller: ReadableStreamDefaultController) =>
      left-- > 0 ? controller.enqueue(new Uint8Array(10)) : controller.close();
    const chunks = () => new Response(new ReadableStream({ pull }));
    const { fetch } = memoryServer({ [`${base}w.bin`]: chunks });
    const onProgress = vi.fn();
    await openModelFiles(location, { fetch }).readBytes('w.bin', { onProgress });
    vi.useRealTimers();
    expect(onProgress).toHaveBeenCalledTimes(2);
  });

  it('end with the abort of the caller', async () => {
    const { fetch } = memoryServer({ [`${base}w.bin`]: 'x' });
    const reading = openModelFiles(location, { fetch }).readBytes('w.bin', { signal: AbortSignal.abort() });
    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
  });

  it.each(['../secret', 'https://elsewhere.example/x', '/x', 'a\\..\\b'])(
    'do not lead out of the model: %s',
    async (path) => {
      const server = memoryServer({});
      await expect(openModelFiles(location, { fetch: server.fetch }).readBytes(path)).rejects.toMatchObject({
        code: 'model_file_invalid',
      });
      expect(server.requests).toHaveLength(0);
    },
  );
});

describe('kept files', () => {
  /** Those for files of the model; what says how large they must be is asked for besides. */
  const requestsOf = (server: MemoryServer) => server.requests.filter(({ url }) => url !== `${base}vecinity.json`);

  it('are fetched once', async () => {
    vi.stubGlobal('caches', memoryCaches());
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    await openModelFiles(kept, { fetch: server.fetch }).readBytes('w.bin');
    const again = openModelFiles(kept, { fetch: server.fetch });
    expect(await again.readBytes('w.bin')).toHaveLength(7);
    expect(await again.readRange('w.bin', 1, 3)).toEqual(new TextEncoder().encode('ei'));
    expect(requestsOf(server)).toHaveLength(1);
  });

  it('are kept while they are streamed', async () => {
    const storage = memoryCaches();
    vi.stubGlobal('caches', storage);
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    const files = openModelFiles(kept, { fetch: server.fetch });
    expect(await new Response(await files.readStream?.('w.bin')).text()).toBe('weights');
    await expect.poll(() => storage.entries.size).toBe(1);
    expect(await new Response(await files.readStream?.('w.bin')).text()).toBe('weights');
    expect(requestsOf(server)).toHaveLength(1);
  });

  it.each([
    ['a page of HTML', htmlPage],
    ['half a file', () => new Response('12', { headers: { 'content-length': '5' } })],
    ['broken JSON', () => new Response('{', { headers: { 'content-length': '1' } })],
  ])('are never %s', async (_, answer) => {
    const storage = memoryCaches();
    vi.stubGlobal('caches', storage);
    const files = openModelFiles(kept, { fetch: memoryServer({ [`${base}config.json`]: answer }).fetch });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const ended = vi.fn();
    files.readJson('config.json').catch(ended);
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1_000);
      expect(ended).toHaveBeenCalledOnce();
    }, patient);
    expect(storage.entries.size).toBe(0);
  });

  it('that turn out to be broken JSON are fetched once more', async () => {
    const storage = memoryCaches();
    vi.stubGlobal('caches', storage);
    storage.entries.set(`${base}config.json`, new Response('{', { headers: { 'x-vecinity-bytes': '1' } }));
    const server = memoryServer({ [`${base}config.json`]: '{"a":1}' });
    expect(await openModelFiles(kept, { fetch: server.fetch }).readJson('config.json')).toEqual({ a: 1 });
    expect(requestsOf(server)).toHaveLength(1);
  });

  it('that come as broken JSON are asked for past the caches on the way', async () => {
    vi.stubGlobal('caches', memoryCaches());
    const server = memoryServer({ [`${base}config.json`]: ['{', '{"a":1}'] });
    expect(await openModelFiles(kept, { fetch: server.fetch }).readJson('config.json')).toEqual({ a: 1 });
    expect(requestsOf(server).map(({ cache }) => cache)).toEqual([undefined, 'reload']);
  });

  it('are judged by no list that a cache on the way has', async () => {
    vi.stubGlobal('caches', memoryCaches());
    const list = JSON.stringify({ files: { 'w.bin': { sizeBytes: 7 } } });
    const server = memoryServer({ [`${base}w.bin`]: 'weights', [`${base}vecinity.json`]: list });
    expect(await openModelFiles(kept, { fetch: server.fetch }).readBytes('w.bin')).toHaveLength(7);
    const cacheOf = (name: string) => server.requests.find(({ url }) => url === base + name)?.cache;
    expect([cacheOf('vecinity.json'), cacheOf('w.bin')]).toEqual(['reload', undefined]);
  });

  it('that are not as long as they were are fetched again', async () => {
    const storage = memoryCaches();
    vi.stubGlobal('caches', storage);
    storage.entries.set(`${base}w.bin`, new Response('wei', { headers: { 'x-vecinity-bytes': '7' } }));
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    expect(await openModelFiles(kept, { fetch: server.fetch }).readBytes('w.bin')).toHaveLength(7);
  });

  it('can be purged', async () => {
    vi.stubGlobal('caches', memoryCaches());
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    const files = openModelFiles(kept, { fetch: server.fetch });
    expect(await files.purge?.('w.bin')).toBe(false);
    await files.readBytes('w.bin');
    expect(await files.purge?.('w.bin')).toBe(true);
    await files.readBytes('w.bin');
    expect(requestsOf(server)).toHaveLength(2);
  });

  it('are used all the same where there is no room and the site allows that', async () => {
    vi.stubGlobal('caches', memoryCaches(true));
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    const files = openModelFiles({ ...kept, storageFull: 'memory' }, { fetch: server.fetch });
    expect(await files.readBytes('w.bin')).toHaveLength(7);
  });

  it('that do not fit are refused with the numbers', async () => {
    vi.stubGlobal('caches', memoryCaches(true));
    const { fetch } = memoryServer({ [`${base}w.bin`]: new Uint8Array(2_000_000) });
    await expect(openModelFiles(kept, { fetch }).readBytes('w.bin')).rejects.toMatchObject({
      code: 'storage_full',
      message: expect.stringMatching(/w\.bin needs 2\.0 MB.*storageFull/),
    });
  });

  it('are a convenience: an absent storage changes nothing but the traffic', async () => {
    const server = memoryServer({ [`${base}w.bin`]: 'weights' });
    vi.stubGlobal('caches', undefined);
    const files = openModelFiles(kept, { fetch: server.fetch });
    expect(await files.readBytes('w.bin')).toHaveLength(7);
    expect(await files.readBytes('w.bin')).toHaveLength(7);
    expect(requestsOf(server)).toHaveLength(2);
  });

  it('are given up where storage is denied', async () => {
    const open = () => Promise.reject(new DOMException('denied', 'SecurityError'));
    expect(await openCacheStore({ ...memoryCaches(), open })).toBeNull();
  });
});

describe('files in a folder', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vecinity-'));
    await writeFile(join(folder, 'config.json'), '{"a":1}');
    await writeFile(join(folder, 'page.json'), '<!DOCTYPE html>');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const open = () => openFolder({ kind: 'folder', base: `${folder}/`, headers: {}, cache: false });

  it('are read whole, by range, and as JSON', async () => {
    expect(await open().readJson('config.json')).toEqual({ a: 1 });
    expect(await open().readRange('config.json', 1, 4)).toEqual(new TextEncoder().encode('"a"'));
    expect(await open().readRange('config.json', 5, 99)).toHaveLength(2);
  });

  it('are null where there is none, or only a folder', async () => {
    expect(await open().readBytes('missing.bin')).toBeNull();
    expect(await open().readBytes('config.json/x')).toBeNull();
    expect(await open().readBytes('.')).toBeNull();
  });

  it('are never a page of HTML', async () => {
    await expect(open().readJson('page.json')).rejects.toMatchObject({ code: 'model_file_invalid' });
  });

  it('are never what a copy without its large files has in their place', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 90868376\n';
    for (const name of ['tokenizer.json', 'model.safetensors']) await writeFile(join(folder, name), pointer);
    const expected = { code: 'model_file_invalid', message: expect.stringContaining('git lfs pull') };
    await expect(open().readJson('tokenizer.json')).rejects.toMatchObject(expected);
    await expect(openSafetensors(open())).rejects.toMatchObject(expected);
  });

  it.each(['../x', 'a/../../x', '/etc/hostname', '..\\x', '..'])('do not lead out of the folder: %s', async (path) => {
    await expect(open().readBytes(path)).rejects.toMatchObject({ code: 'model_file_invalid' });
  });

  it('end with the abort of the caller', async () => {
    const reading = open().readBytes('config.json', { signal: AbortSignal.abort() });
    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
  });
});
