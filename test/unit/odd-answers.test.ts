/**
 * Servers that answer a download with something else than what was asked for, and notes on the disk that make no sense:
 * no part of a file is taken for all of it, and what is stored can be listed.
 */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openModelFiles } from '../../src/models/open-files.js';
import type { FileProgress } from '../../src/models/progress.js';
import { deleteStoredModel, listStoredModels } from '../../src/models/stored-models.js';
import type { FakeDisk } from './fake-opfs.js';
import { type FaultServer, treeOf } from './fault-server.js';
import { openBrowser, weightsPath as path, visit, weightsLocation } from './weights-visit.js';

const sizeBytes = 1_000_003;
const weights = Uint8Array.from({ length: sizeBytes }, (_, at) => (at * 7_919) >> 3);
const keptBytes = 300_000;

let disk: FakeDisk;
let server: FaultServer;

beforeEach(() => {
  const browser = openBrowser(weights);
  ({ disk, server } = browser);
  server.tree = null;
  return browser.close;
});

const isServed = (bytes: Uint8Array | null) => bytes !== null && Buffer.compare(bytes, weights) === 0;

/** A visit whose download the network ends for good when a part of the file is there. */
async function keepPart(): Promise<void> {
  const controller = new AbortController();
  const whole = server.fetch;
  server.fetch = async (input, init) => {
    if (server.ranges.length > 0) controller.abort();
    return await whole(input, init);
  };
  server.cuts = [keptBytes];
  await expect(visit(server).readBytes(path, { signal: controller.signal })).rejects.toThrow();
  server.fetch = whole;
  server.ranges = [];
}

/** Bytes `start` to `end` as a server says that it sends them, whatever was asked for. */
function part(start: number, end: number, bytes: Uint8Array<ArrayBuffer> = weights.slice(start, end)): Response {
  const headers = {
    'content-range': `bytes ${start}-${end - 1}/${sizeBytes}`,
    'content-length': String(bytes.length),
    etag: '"v1"',
  };
  return new Response(bytes, { status: 206, headers });
}

describe.each([
  ['whose hash is published', () => treeOf(weights)],
  ['of which nothing is published', () => null],
])('a file %s', (_, tree) => {
  beforeEach(() => {
    server.tree = tree();
  });

  it('comes whole from a server that sends so much at a time and no more', async () => {
    await keepPart();
    const pieces = [keptBytes, 500_000, 700_000, sizeBytes];
    server.instead = pieces.slice(1).map((end, at) => () => part(pieces[at] ?? 0, end));
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=300000-', 'bytes=500000-', 'bytes=700000-']);
  });

  it('comes whole from a server that does not say how much of it the rest is', async () => {
    await keepPart();
    const piece = (start: number, end: number) => () => new Response(weights.slice(start, end), { status: 206 });
    server.instead = [piece(keptBytes, 500_000), piece(500_000, 700_000)];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=300000-', 'bytes=500000-', 'bytes=700000-']);
  });

  it('is asked for again where the rest of it is nothing, once', async () => {
    await keepPart();
    server.instead = [() => part(keptBytes, sizeBytes, new Uint8Array(0))];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=300000-', 'bytes=300000-']);
  });

  it('is not what was kept of it when the server has an empty one now', async () => {
    await keepPart();
    const empty = () => new Response('', { headers: { 'content-length': '0' } });
    server.instead = [empty, empty];
    await expect(visit(server).readBytes(path)).rejects.toMatchObject({ code: 'model_file_invalid' });
    expect(disk.find('data')).toEqual([]);
  });

  it('is asked for again where a part of it came unasked', async () => {
    server.instead = [() => part(100, sizeBytes)];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual([null, null]);
  });

  it('is taken at once where all of it comes as a part that nobody asked for', async () => {
    const whole = () => part(0, sizeBytes);
    server.instead = [whole, whole];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(isServed(await visit(server, { cache: false }).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual([null, null]);
  });

  it('is taken from its start where all of it comes instead of the rest', async () => {
    await keepPart();
    const whole = () => part(0, sizeBytes);
    server.instead = [whole, whole];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toEqual(['bytes=300000-', null]);
  });

  it('that was kept longer than it is now is begun anew, and is never told to be more than it is', async () => {
    await keepPart();
    for (const data of disk.find('data')) data.bytes = new Uint8Array(2 * sizeBytes);
    const told: FileProgress[] = [];
    expect(isServed(await visit(server).readBytes(path, { onProgress: (progress) => told.push(progress) }))).toBe(true);
    expect(told.filter(({ loadedBytes, totalBytes }) => loadedBytes > (totalBytes ?? sizeBytes))).toEqual([]);
    expect(server.ranges).toEqual([null]);
  });
});

it('a file that became shorter while it came is another one, from its start', async () => {
  server.etag = null;
  server.knowsRanges = false;
  server.cuts = [500_000];
  const shorter = weights.slice(0, 200_000);
  const fetchFirst = server.fetch;
  server.fetch = async (input, init) => {
    if (server.ranges.length === 0) return withoutLength(await fetchFirst(input, init));
    server.bytes = shorter;
    return withoutLength(await fetchFirst(input, init));
  };
  expect(await visit(server).readBytes(path)).toEqual(shorter);
});

function withoutLength({ body, status }: Response): Response {
  return new Response(body, { status });
}

it('a range of a file that is not kept is never another one', async () => {
  const files = openModelFiles({ ...weightsLocation, cache: false }, { fetch: server.fetch });
  server.instead = [() => part(0, 10)];
  expect(await files.readRange(path, 100, 110)).toEqual(weights.slice(100, 110));
  expect(server.ranges).toEqual(['bytes=100-109', 'bytes=100-109']);
});

describe('the list of stored models', () => {
  it('has a model whose address has a percent sign that encodes nothing', async () => {
    const base = 'https://hub.example/owner/name/resolve/100%/';
    expect(isServed(await visit(server, { base }).readBytes(path, { isOptional: true }))).toBe(true);
    expect(await listStoredModels()).toMatchObject([{ model: base, revision: null, sizeBytes, complete: true }]);
  });

  it.each(['Infinity', '1e99', '9'.repeat(16), '-5', ''])('has no time of a last use that was %j', async (used) => {
    await visit(server).readBytes(path);
    for (const file of disk.find('used')) file.bytes = new TextEncoder().encode(used);
    expect(await listStoredModels()).toMatchObject([{ sizeBytes, lastUsedMs: null }]);
  });
});

describe('a stored model', () => {
  const place = 'https://files.example/minilm/';
  const store = async (...bases: string[]) => {
    for (const base of bases) await visit(server, { base }).readBytes(path);
  };
  const stored = async () => (await listStoredModels()).map(({ model, revision }) => [model, revision]);

  it.each([place, place.slice(0, -1), 'HTTPS://Files.example:443/minilm'])(
    'that is on no hub is deleted by its address as %s',
    async (address) => {
      await store(place);
      expect(await deleteStoredModel('https://files.example/')).toBe(false);
      expect(await deleteStoredModel(address)).toBe(true);
      expect(await stored()).toEqual([]);
    },
  );

  it('of a hub is deleted by its address in the one revision that this names', async () => {
    const bases = ['main', 'v1'].map((revision) => `https://hub.example/owner/name/resolve/${revision}/`);
    await store(...bases);
    expect(await deleteStoredModel('https://hub.example/owner/name/resolve/v1')).toBe(true);
    expect(await stored()).toEqual([['owner/name', 'main']]);
    await store(...bases);
    expect(await deleteStoredModel('owner/name')).toBe(true);
    expect(await stored()).toEqual([]);
  });
});

describe('a list of files that comes in pages', () => {
  let asked: URL[];

  /** The weights are on the last page. Each page is told by the address of another host, as a mirror passes it on. */
  function serveTree(pages: number, lastPage: () => Response = () => Response.json(treeOf(weights))): void {
    asked = [];
    const answered = server.fetch;
    server.fetch = async (input, init) => {
      const url = new URL(String(input));
      if (!url.pathname.startsWith('/api/models/')) return await answered(input, init);
      asked.push(url);
      const page = Number(url.searchParams.get('cursor') ?? 1);
      if (page >= pages) return lastPage();
      const next = `https://origin.example/api/other?recursive=true&cursor=${page + 1}`;
      const link = `<${next}>; rel="next", <https://origin.example/>; rel="first"`;
      return Response.json([{ type: 'file', path: `file-${page}`, size: 1 }], { headers: { link } });
    };
  }

  it('is read to its end on the host that was asked, and what is on the last page has its hash', async () => {
    serveTree(3);
    server.instead = [() => new Response(weights.map((byte) => byte ^ 1))];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toHaveLength(2);
    expect(asked.map(({ searchParams }) => searchParams.get('cursor'))).toEqual([null, '2', '3']);
    expect(new Set(asked.map(({ origin, pathname }) => origin + pathname)).size).toBe(1);
    expect(asked.every(({ searchParams }) => searchParams.get('recursive') === 'true')).toBe(true);
  });

  it('without an end is given up, and the file judged by its length', async () => {
    serveTree(Number.POSITIVE_INFINITY);
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(asked).toHaveLength(20);
  });

  it('is believed as far as it could be read', async () => {
    serveTree(2, () => new Response('', { status: 404 }));
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(asked).toHaveLength(2);
    const listed = visit(server).readBytes('file-1');
    await expect(listed).rejects.toThrow('the server does not give it, but its list of files has it');
  });
});

describe('a list of files that cannot be had', () => {
  const wrong = () => new Response(weights.map((byte) => byte ^ 1));
  let asked: string[];
  let failures: number;

  beforeEach(() => {
    server.tree = treeOf(weights);
    asked = [];
    const answered = server.fetch;
    server.fetch = async (input, init) => {
      const url = String(input);
      if (!url.includes('/api/models/')) return await answered(input, init);
      asked.push(url);
      return asked.length <= failures ? new Response('', { status: 503 }) : await answered(input, init);
    };
  });

  it('before a download is asked for after it, and what has another hash is fetched again', async () => {
    failures = 2;
    server.instead = [wrong];
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(server.ranges).toHaveLength(2);
    expect(JSON.parse(new TextDecoder().decode(disk.find('record.json')[0]?.bytes)).isVerified).toBe(true);
  });

  it('after it either leaves the file to be judged by its length', async () => {
    failures = 4;
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(asked).toHaveLength(4);
    expect(JSON.parse(new TextDecoder().decode(disk.find('record.json')[0]?.bytes)).isVerified).toBe(false);
  });

  it('because its server is silent holds a file up for half a minute before it, and as long after it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answered = server.fetch;
    server.fetch = async (input, init) => {
      if (!String(input).includes('/api/models/')) return await answered(input, init);
      asked.push(String(input));
      return await new Promise<never>(() => {});
    };
    const reading = visit(server).readBytes(path);
    await expect.poll(() => asked.length).toBe(1);
    await vi.advanceTimersByTimeAsync(30_000);
    await expect.poll(() => asked.length).toBe(3);
    expect(server.ranges).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(isServed(await reading)).toBe(true);
    expect(asked).toHaveLength(4);
  });

  it('because there is none is not asked for again', async () => {
    failures = 0;
    server.tree = null;
    expect(isServed(await visit(server).readBytes(path))).toBe(true);
    expect(asked).toHaveLength(1);
  });
});
