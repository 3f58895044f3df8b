/** Servers and networks that are away for a while: what is waited for, what is not, and what needs neither. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { abortError } from '../../src/errors.js';
import type { ModelLocation } from '../../src/models/files.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { readOptionalJson } from '../../src/models/optional-files.js';
import { resolveModel } from '../../src/models/resolve.js';
import { listStoredModels } from '../../src/models/stored-models.js';
import { pause } from '../../src/pause.js';
import { createFakeDisk, type FakeDisk } from './fake-opfs.js';

vi.mock('../../src/pause.js', async (importActual) => {
  const actual = await importActual<typeof import('../../src/pause.js')>();
  return { ...actual, pause: vi.fn() };
});

const hub = 'https://hub.example';
const base = `${hub}/owner/name/resolve/main/`;
const location: ModelLocation = { kind: 'url', base, headers: {}, cache: true };

/** A hub whose network can fail in any way; it counts what it is asked for. */
class Hub {
  readonly files = new Map([['config.json', '{"model_type":"bert"}']]);
  readonly asked: string[] = [];
  /** What the hub's list names; null where there is no list. */
  listed: readonly string[] | null = null;
  /** What happens instead of an answer. */
  fault: (() => Response | Promise<Response>) | null = null;

  readonly fetch: typeof fetch = async (input) => {
    if (String(input).includes('/api/models/')) return this.#list();
    const path = String(input).slice(base.length);
    this.asked.push(path);
    if (this.fault) return await this.fault();
    const body = this.files.get(path);
    return body === undefined ? new Response('', { status: 404 }) : new Response(body);
  };

  #list(): Response {
    if (this.listed === null) return new Response('', { status: 404 });
    return Response.json(this.listed.map((path) => ({ type: 'file', path, size: this.files.get(path)?.length ?? 2 })));
  }

  asksFor(path: string): number {
    return this.asked.filter((asked) => asked === path).length;
  }
}

const offline = () => Promise.reject(new TypeError('Failed to fetch'));
const answering = (status: number) => () => new Response('', { status });

let hubServer: Hub;
let disk: FakeDisk;
/** Time that passes between tries takes none here. */
let waits: number[];
let onWait: () => void;

const waitedMs = () => waits.reduce((sum, ms) => sum + ms, 0);

/** Each call is a new visit of the page. */
const open = (given: Partial<ModelLocation> = {}) =>
  openModelFiles({ ...location, ...given }, { fetch: hubServer.fetch });

beforeEach(() => {
  disk = createFakeDisk();
  vi.stubGlobal('navigator', { storage: disk.storage });
  vi.stubGlobal('caches', undefined);
  hubServer = new Hub();
  waits = [];
  onWait = () => {};
  vi.mocked(pause).mockImplementation(async (durationMs, signal) => {
    waits.push(durationMs);
    onWait();
    if (signal?.aborted) throw abortError(signal);
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Says nothing to every request from now on, for as long as each waits. */
function fallSilent(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  hubServer.fault = () => new Promise(() => {});
}

/** Lets time pass after a request for the file, the `count`th of this test. */
async function passAfter(count: number, path: string, durationMs: number): Promise<void> {
  await vi.waitFor(() => expect(hubServer.asksFor(path)).toBe(count));
  await vi.advanceTimersByTimeAsync(durationMs);
}

describe('an outage', () => {
  it.each([
    ['of the network', offline],
    ['of the server', answering(503)],
    ['of a server that asks for patience', answering(429)],
  ])('%s of ten seconds is outlasted by a file that is kept, and by one that is not', async (_, fault) => {
    onWait = () => {
      if (waitedMs() >= 10_000) hubServer.fault = null;
    };
    for (const cache of [true, false]) {
      hubServer.fault = fault;
      waits = [];
      expect(await open({ cache }).readJson('config.json')).toEqual({ model_type: 'bert' });
    }
  });

  it('that does not end is told after a quarter of a minute, with what was asked and what happened', async () => {
    hubServer.fault = offline;
    await expect(open().readJson('config.json')).rejects.toMatchObject({
      code: 'download_failed',
      message: `${base}config.json could not be downloaded: the network failed (Failed to fetch)`,
    });
    expect(waitedMs()).toBe(15_500);
    expect(hubServer.asksFor('config.json')).toBe(7);
  });

  it('of the device itself is told after a moment, and outlasted when it is only a change of networks', async () => {
    vi.stubGlobal('navigator', { storage: disk.storage, onLine: false });
    for (const cache of [true, false]) {
      waits = [];
      onWait = () => {};
      hubServer.fault = offline;
      await expect(open({ cache }).readJson('config.json')).rejects.toMatchObject({ code: 'download_failed' });
      expect(waitedMs()).toBe(1_500);
      waits = [];
      onWait = () => {
        if (waitedMs() >= 1_500) hubServer.fault = null;
      };
      expect(await open({ cache }).readJson('config.json')).toEqual({ model_type: 'bert' });
    }
  });

  it('in silence is given up after two tries, each of which takes a minute', async () => {
    fallSilent();
    const told = expect(open().readJson('config.json')).rejects.toThrow('nothing came for 60 s');
    await passAfter(1, 'config.json', 60_001);
    await passAfter(2, 'config.json', 60_001);
    await told;
    expect(hubServer.asksFor('config.json')).toBe(2);
  });

  it('can be called off', async () => {
    hubServer.fault = offline;
    const controller = new AbortController();
    onWait = () => controller.abort();
    await expect(open().readJson('config.json', { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(hubServer.asksFor('config.json')).toBe(1);
  });

  it('does not hold up the look whether a folder of models is there before the hub', async () => {
    const config = { hubUrl: hub, hubToken: null, modelsUrl: 'https://other.example/models/' };
    const fetchFile: typeof fetch = async (input, init) =>
      String(input).startsWith(hub) ? await hubServer.fetch(input, init) : await offline();
    const resolved = await resolveModel('owner/name', config, { fetch: fetchFile, baseUrl: 'https://app.example/' });
    expect(resolved.location.base).toBe(base);
    expect(waitedMs()).toBe(0);
  });
});

it('a file that is kept tells its size without the network, and one that is not by the list of its publisher', async () => {
  hubServer.files.set('model-1.safetensors', 'weights');
  hubServer.listed = ['model-1.safetensors', 'model-2.safetensors'];
  await open().readBytes('model-1.safetensors');
  const fetchFile = vi.fn(hubServer.fetch);
  const files = openModelFiles(location, { fetch: fetchFile });
  expect(await files.sizeOf?.('model-1.safetensors')).toBe('weights'.length);
  expect(fetchFile).not.toHaveBeenCalled();
  expect(await files.sizeOf?.('model-2.safetensors')).toBe(2);
});

describe('a file that its server does not have', () => {
  it('is known to be absent at a later visit without the network, at once', async () => {
    expect(await open().readJson('modules.json')).toBeNull();
    hubServer.fault = offline;
    expect(await open().readJson('modules.json')).toBeNull();
    expect(waits).toEqual([]);
  });

  it('holds up a later visit by a few seconds where the network swallows everything', async () => {
    await open().readJson('modules.json');
    fallSilent();
    const reading = open().readJson('modules.json');
    await passAfter(2, 'modules.json', 5_001);
    expect(await reading).toBeNull();
  });

  it('is found as soon as the server has it', async () => {
    await open().readJson('modules.json');
    hubServer.files.set('modules.json', '[]');
    expect(await open().readJson('modules.json')).toEqual([]);
    hubServer.fault = offline;
    expect(await open().readJson('modules.json')).toEqual([]);
  });

  it('is asked for again at every visit that has a network, once', async () => {
    await open().readJson('modules.json');
    hubServer.asked.length = 0;
    expect(await open().readJson('modules.json')).toBeNull();
    expect(hubServer.asked).toEqual(['modules.json']);
  });

  it('does not hide that the server refuses to tell', async () => {
    await open().readJson('modules.json');
    hubServer.fault = answering(403);
    await expect(open().readJson('modules.json')).rejects.toMatchObject({ code: 'download_failed' });
  });

  it('counts neither as a file nor as a model', async () => {
    expect(await open().readJson('modules.json')).toBeNull();
    expect(await listStoredModels()).toEqual([]);
    await open().readJson('config.json');
    expect(await listStoredModels()).toMatchObject([{ model: 'owner/name', files: 1, complete: true }]);
  });
});

describe('a disk without room', () => {
  it('is no reason to do without a small file: it is used and not kept', async () => {
    disk.quotaBytes = 0;
    expect(await open().readJson('config.json')).toEqual({ model_type: 'bert' });
    expect(await listStoredModels()).toEqual([]);
  });

  it('keeps nothing of the try whether there is some', async () => {
    const root = await disk.storage.getDirectory();
    const folder = await root.getDirectoryHandle('vecinity-files-v1', { create: true });
    const make = folder.getFileHandle.bind(folder);
    const tries: string[] = [];
    folder.getFileHandle = async (name, options) => {
      tries.push(name);
      const handle = await make(name, options);
      const full = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
      return Object.assign(handle, { createSyncAccessHandle: full });
    };
    await open().readJson('config.json');
    expect(tries).toHaveLength(1);
    expect(tries.flatMap((name) => disk.find(name))).toEqual([]);
  });
});

describe('a file that is on the list of its publisher', () => {
  beforeEach(() => {
    hubServer.files.set('modules.json', '[]');
    hubServer.listed = ['config.json', 'modules.json'];
  });

  const page = () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } });

  it.each([
    ['not found', answering(404), 'download_failed'],
    ['a page of HTML', page, 'model_file_invalid'],
  ])(
    'is not taken for one that the model lacks when the answer is %s: its vectors would be wrong',
    async (_, fault, code) => {
      hubServer.fault = fault;
      const files = open();
      const reading = readOptionalJson(files, 'modules.json', {});
      await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining('modules.json') });
      expect(hubServer.asksFor('modules.json')).toBe(2);
      hubServer.fault = null;
      expect(await readOptionalJson(open(), 'modules.json', {})).toEqual([]);
    },
  );

  it('is taken from the second answer when the first one was wrong', async () => {
    hubServer.fault = () => {
      hubServer.fault = null;
      return new Response('', { status: 404 });
    };
    expect(await readOptionalJson(open(), 'modules.json', {})).toEqual([]);
  });
});
