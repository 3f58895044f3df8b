import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModelLocation } from '../../src/models/files.js';
import { formatManifest } from '../../src/models/manifest.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { forgetStoredFiles, listStoredModels } from '../../src/models/stored-models.js';
import type { FakeDisk } from './fake-opfs.js';
import { type FaultServer, hubBase, treeOf } from './fault-server.js';
import { htmlPage } from './memory-server.js';
import { weightsLocation as location, openBrowser, weightsPath as path, visit } from './weights-visit.js';

/** Wherever the machine has much else to do. */
const patient = { timeout: 20_000 };

/** Mulberry32 */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomBytes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = createRandom(seed);
  return Uint8Array.from({ length: count }, () => random() * 256);
}

const weights = randomBytes(9_000_001, 1);
const others = randomBytes(9_000_001, 2);

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let disk: FakeDisk;
let server: FaultServer;

beforeEach(() => {
  const browser = openBrowser(weights);
  ({ disk, server } = browser);
  return browser.close;
});

const open = (given?: Partial<ModelLocation>) => visit(server, given);

/** Comparing millions of bytes one by one is slow in `toEqual`. */
function isServed(bytes: Uint8Array | null | undefined): boolean {
  return bytes != null && Buffer.compare(bytes, server.bytes) === 0;
}

async function readStreamed(files = open()): Promise<Uint8Array> {
  return new Uint8Array(await new Response(await files.readStream?.(path)).arrayBuffer());
}

/** A download that the network ends for good after `cut` bytes. */
async function breakAt(cut: number): Promise<void> {
  const controller = new AbortController();
  server.cuts = [cut];
  server.instead = [];
  const fetchOnce = server.fetch;
  server.fetch = async (input, init) => {
    if (server.ranges.length > 0) controller.abort();
    return await fetchOnce(input, init);
  };
  const files = openModelFiles(location, { fetch: server.fetch });
  await expect(files.readBytes(path, { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
  server.fetch = fetchOnce;
  server.ranges = [];
}

/** Another worker has the file open at these tries to open it. */
function lockData(isLocked: (tries: number) => boolean): void {
  let tries = 0;
  const [data] = disk.find('data');
  if (!data) throw new Error('There is no file to lock.');
  Object.defineProperty(data, 'locked', { get: () => isLocked(++tries), set: () => {} });
}

describe('a kept download', () => {
  it('is read whole, by range and streamed after one request', async () => {
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(await open().readRange(path, 4_194_300, 4_194_310)).toEqual(server.bytes.slice(4_194_300, 4_194_310));
    expect(await open().readRange(path, 9_000_000, 10_000_000)).toEqual(server.bytes.slice(9_000_000));
    expect(isServed(await readStreamed())).toBe(true);
    expect(server.ranges).toEqual([null]);
    expect(disk.find('part.json')).toEqual([]);
  });

  it('asks for the list of files only once it is known that there is a model', async () => {
    const lists = vi.fn();
    const { fetch } = server;
    server.fetch = async (input, init) => {
      if (String(input).includes('/api/models/')) lists();
      return await fetch(input, init);
    };
    const files = open();
    expect(await files.readJson('config.json')).toBeNull();
    expect(lists).not.toHaveBeenCalled();
    await files.readRange(path, 0, 8);
    await files.readRange(path, 8, 16);
    expect(lists).toHaveBeenCalledOnce();
  });

  it('is forgotten with the model, also where its ONNX files have another place', async () => {
    const onnxBase = 'https://hub.example/other/name/resolve/main/';
    for (const base of [hubBase, onnxBase, 'https://hub.example/third/name/resolve/main/'])
      await open({ base }).readBytes(path);
    expect(await forgetStoredFiles({ ...location, onnxBase })).toBe(true);
    expect((await listStoredModels()).map(({ model }) => model)).toEqual(['third/name']);
    expect(await forgetStoredFiles({ ...location, onnxBase })).toBe(false);
  });

  it('goes on by range when the network breaks ten times at random points', async () => {
    const random = createRandom(42);
    server.cuts = Array.from({ length: 10 }, () => 1 + Math.floor(random() * 800_000));
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toHaveLength(11);
    expect(server.ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true);
  });

  it('goes on at the next visit where it was cancelled', async () => {
    await breakAt(5_000_000);
    const onProgress = vi.fn();
    expect(isServed(await open().readBytes(path, { onProgress }))).toBe(true);
    expect(server.ranges).toEqual(['bytes=5000000-']);
    expect(onProgress.mock.calls[0]?.[0]).toMatchObject({ resumedBytes: 5_000_000, totalBytes: 9_000_001 });
  });

  it('tells its size before the first byte, and what was kept as kept', async () => {
    const first = vi.fn();
    server.instead = [
      () => {
        expect(first.mock.calls).toEqual([[{ file: path, loadedBytes: 0, totalBytes: 9_000_001 }]]);
        return new Response(server.bytes);
      },
    ];
    await open().readBytes(path, { onProgress: first });
    expect(first).toHaveBeenLastCalledWith({ file: path, loadedBytes: 9_000_001, totalBytes: 9_000_001 });
    const second = vi.fn();
    await open().readBytes(path, { onProgress: second });
    const all = { loadedBytes: 9_000_001, totalBytes: 9_000_001, resumedBytes: 9_000_001 };
    expect(second.mock.calls).toEqual([[{ file: path, ...all }]]);
  });

  it('waits for a writer that is about to end, and goes on where that was', async () => {
    await breakAt(5_000_000);
    lockData((tries) => tries <= 2);
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=5000000-']);
  });

  it('is read without keeping it while another tab goes on writing', async () => {
    await breakAt(5_000_000);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    lockData(() => true);
    const read = vi.fn();
    void open().readBytes(path).then(read);
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(1_200);
      expect(read).toHaveBeenCalledOnce();
    }, patient);
    expect(isServed(read.mock.calls[0]?.[0])).toBe(true);
    expect(disk.find('data')[0]?.bytes).toHaveLength(5_000_000);
  });

  it('starts again where the server knows no ranges', async () => {
    await breakAt(5_000_000);
    server.knowsRanges = false;
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(disk.find('data')[0]?.bytes).toHaveLength(9_000_001);
  });

  it('skips what it has when a server without ranges breaks', async () => {
    server.knowsRanges = false;
    server.cuts = [3_000_000, 6_000_000];
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toEqual([null, 'bytes=3000000-', 'bytes=6000000-']);
  });

  it('starts again when the file on the server is another one now', async () => {
    await breakAt(5_000_000);
    server.bytes = others;
    server.etag = '"v2"';
    server.tree = treeOf(server.bytes);
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it('starts again when the file on the server changes during it', async () => {
    server.cuts = [2_000_000];
    const fetchFirst = server.fetch;
    server.fetch = async (input, init) => {
      if (server.ranges.length === 1) {
        server.bytes = others;
        server.etag = '"v3"';
      }
      return await fetchFirst(input, init);
    };
    server.tree = null;
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it('of another version that nothing but its hash tells is refused and fetched once more', async () => {
    server.etag = null;
    await breakAt(5_000_000);
    server.bytes = others;
    server.tree = treeOf(server.bytes);
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=5000000-', null]);
  });

  it('needs only its commit when it was all there', async () => {
    server.cuts = [];
    await open().readBytes(path);
    const [record] = disk.find('record.json');
    if (record) record.bytes = new Uint8Array(0);
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it('is given up after some tries that bring nothing, and keeps what is there', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    server.cuts = [4_000_000];
    const down = () => new Response('', { status: 503 });
    const normal = server.fetch;
    server.fetch = async (input, init) => (server.ranges.length > 0 ? down() : await normal(input, init));
    const failing = expect(open().readBytes(path)).rejects.toMatchObject({ code: 'download_failed' });
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(5_000);
      expect(disk.find('data')[0]?.bytes).toHaveLength(4_000_000);
    }, patient);
    await vi.advanceTimersByTimeAsync(60_000);
    await failing;
    expect(disk.find('data')[0]?.bytes).toHaveLength(4_000_000);
  });

  it('goes on when a connection stays silent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const silent = () => new Response(new ReadableStream({ pull: () => new Promise<void>(() => {}) }));
    server.instead = [silent];
    const reading = open().readBytes(path);
    await vi.waitFor(() => expect(server.ranges).toHaveLength(1), patient);
    await vi.waitFor(async () => {
      await vi.advanceTimersByTimeAsync(61_000);
      expect(server.ranges).toHaveLength(2);
    }, patient);
    expect(isServed(await reading)).toBe(true);
  });
});

describe('a download that is not the file', () => {
  const wrong = () => new Response(others, { headers: { 'content-length': '9000001' } });

  it('because it is empty is refused, and not kept', async () => {
    server.tree = null;
    const empty = () => new Response('');
    server.instead = [empty, empty];
    await expect(open().readBytes(path)).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringContaining('it is empty'),
    });
    expect(disk.find('data')).toEqual([]);
  });

  it('is thrown away and fetched once more', async () => {
    server.instead = [wrong];
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toEqual([null, null]);
  });

  it('is refused with both hashes when it comes twice, and nothing is kept', async () => {
    server.instead = [wrong, wrong];
    await expect(open().readBytes(path)).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringMatching(/SHA-256 is [0-9a-f]{64} instead of [0-9a-f]{64}/),
    });
    expect(disk.find('data')).toEqual([]);
  });

  it('is refused by its length', async () => {
    const short = () => new Response(new Uint8Array(10));
    server.instead = [short, short];
    await expect(open().readBytes(path)).rejects.toMatchObject({
      code: 'model_file_invalid',
      message: expect.stringContaining('10 bytes instead of 9000001'),
    });
  });

  it.each([
    ['a page of HTML', htmlPage],
    ['a Git LFS pointer', () => new Response('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')],
  ])('is refused when it is %s, and costs nothing of what is there', async (_, answer) => {
    await breakAt(5_000_000);
    server.instead = [answer, answer];
    await expect(open().readBytes(path)).rejects.toMatchObject({ code: 'model_file_invalid' });
    server.instead = [];
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges.at(-1)).toBe('bytes=5000000-');
  });

  it('is asked for once more when it is a page of HTML', async () => {
    await breakAt(5_000_000);
    server.instead = [htmlPage];
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=5000000-', 'bytes=5000000-']);
  });

  it('is judged by its length alone where no hash is published', async () => {
    server.tree = null;
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  describe('on a server that is no hub', () => {
    const own = { base: 'https://models.example/folder/' };
    const manifest = () =>
      JSON.parse(formatManifest(new Map([[path, { sizeBytes: 9_000_001, sha256: sha256Of(weights) }]])));

    it('is refused by the hash of the manifest beside it, and told its size from the start', async () => {
      server.manifest = manifest();
      server.instead = [wrong, wrong];
      const onProgress = vi.fn();
      await expect(open(own).readBytes(path, { onProgress })).rejects.toMatchObject({
        code: 'model_file_invalid',
        message: expect.stringContaining(sha256Of(weights)),
      });
      expect(onProgress.mock.calls[0]).toEqual([{ file: path, loadedBytes: 0, totalBytes: 9_000_001 }]);
      expect(isServed(await open(own).readBytes(path))).toBe(true);
    });

    it.each([null, [], { files: [] }, { files: { [path]: { sizeBytes: -1, sha256: 'x' } } }, 'text'])(
      'is taken as it is without a manifest that says anything: %j',
      async (value) => {
        server.manifest = value;
        expect(isServed(await open(own).readBytes(path))).toBe(true);
      },
    );
  });

  it('leaves nothing behind but a note of no bytes when there is none', async () => {
    expect(await open().readBytes('absent.bin')).toBeNull();
    expect(disk.find('data').map(({ bytes }) => bytes.length)).toEqual([0]);
  });
});

describe('damage on the disk', () => {
  it('of a single bit is found and healed', async () => {
    await open().readBytes(path);
    const [data] = disk.find('data');
    if (data) data.bytes[6_000_000] = (data.bytes[6_000_000] ?? 0) ^ 1;
    expect(isServed(await readStreamed())).toBe(true);
    expect(server.ranges).toEqual([null, null]);
  });

  it('that shortened the file is found and healed', async () => {
    await open().readBytes(path);
    const [data] = disk.find('data');
    if (data) data.bytes = data.bytes.slice(0, 100);
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it.each(['record.json', 'data'])('that deleted %s is healed', async (name) => {
    await open().readBytes(path);
    for (const file of disk.find(name)) file.bytes = new Uint8Array(0);
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it('that took everything is healed by another download', async () => {
    await open().readBytes(path);
    disk.clear();
    expect(isServed(await open().readBytes(path))).toBe(true);
    expect(server.ranges).toHaveLength(2);
  });
});

describe('a storage that fails', () => {
  it('is not needed', async () => {
    const getDirectory = () => Promise.reject(new DOMException('denied', 'SecurityError'));
    vi.stubGlobal('navigator', { storage: { getDirectory } });
    expect(isServed(await open().readBytes(path))).toBe(true);
  });

  it('in the middle of a download leaves the file usable', async () => {
    server.cuts = [4_000_000];
    const normal = server.fetch;
    server.fetch = async (input, init) => {
      if (server.ranges.length === 1) {
        vi.stubGlobal('navigator', {
          storage: { getDirectory: () => Promise.reject(new DOMException('gone', 'InvalidStateError')) },
        });
        disk.clear();
      }
      return await normal(input, init);
    };
    expect(isServed(await readStreamed())).toBe(true);
  });
});
