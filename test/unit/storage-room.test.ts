/** What a kept download does when the browser's storage is full, or said to be. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ModelLocation } from '../../src/models/files.js';
import { openOpfsStore } from '../../src/storage/opfs-store.js';
import { evictOne } from '../../src/storage/room.js';
import { type SyncFile, writeAll } from '../../src/storage/sync-file.js';
import type { FakeDisk } from './fake-opfs.js';
import { type FaultServer, hubBase } from './fault-server.js';
import { openBrowser, weightsPath as path, visit } from './weights-visit.js';

const weights = Uint8Array.from({ length: 9_000_001 }, (_, at) => (at * 31) % 251);

let disk: FakeDisk;
let server: FaultServer;

beforeEach(() => {
  const browser = openBrowser(weights);
  ({ disk, server } = browser);
  return browser.close;
});

const open = (given?: Partial<ModelLocation>) => visit(server, given);

const isServed = (bytes: Uint8Array | null) => bytes !== null && Buffer.compare(bytes, weights) === 0;

describe('room', () => {
  it('that is too small is said with the numbers before anything is downloaded', async () => {
    disk.quotaBytes = 5_000_000;
    await expect(open().readBytes(path)).rejects.toMatchObject({
      code: 'storage_full',
      message: expect.stringMatching(/needs 9\.0 MB of storage and 4\.0 MB are free/),
    });
    expect(server.ranges).toEqual([]);
  });

  it('that is too small does not matter when the site reads from memory', async () => {
    disk.quotaBytes = 5_000_000;
    expect(isServed(await open({ storageFull: 'memory' }).readBytes(path))).toBe(true);
  });

  it('that runs out is free again when the site reads from memory then', async () => {
    vi.stubGlobal('navigator', { storage: { ...disk.storage, estimate: undefined } });
    disk.quotaBytes = 5_000_000;
    expect(isServed(await open({ storageFull: 'memory' }).readBytes(path))).toBe(true);
    expect(disk.find('data')).toEqual([]);
  });

  it('is made by giving up the least used model where the site allows that', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    const old = 'https://hub.example/owner/old/resolve/main/';
    const recent = 'https://hub.example/owner/recent/resolve/main/';
    server.tree = null;
    await open({ base: old }).readBytes(path);
    vi.setSystemTime(2_000);
    await open({ base: recent }).readBytes(path);
    disk.quotaBytes = 21_000_000;
    vi.setSystemTime(3_000);
    expect(isServed(await open({ storageFull: 'evict' }).readBytes(path))).toBe(true);
    const kept = await (await openOpfsStore())?.list();
    expect(kept?.map(({ base }) => base).sort()).toEqual([hubBase, recent]);
  });

  it('is not made where giving up every other model would not be enough', async () => {
    server.tree = null;
    const other = 'https://hub.example/owner/other/resolve/main/';
    await open({ base: other }).readBytes(path);
    disk.quotaBytes = 9_500_000;
    server.bytes = new Uint8Array(20_000_000);
    await expect(open({ storageFull: 'evict' }).readBytes(path)).rejects.toMatchObject({ code: 'storage_full' });
    const kept = await (await openOpfsStore())?.list();
    expect(kept?.map(({ base }) => base)).toEqual([other]);
  });

  it('that runs out although there should be some is made in the same way', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    server.tree = null;
    for (const name of ['old', 'recent']) {
      await open({ base: `https://hub.example/owner/${name}/resolve/main/` }).readBytes(path);
      vi.setSystemTime(2_000);
    }
    const estimate = async () => ({ quota: 10 * 2 ** 30, usage: 0 });
    vi.stubGlobal('navigator', { storage: { ...disk.storage, estimate } });
    disk.quotaBytes = 21_000_000;
    expect(isServed(await open({ storageFull: 'evict' }).readBytes(path))).toBe(true);
    const kept = await (await openOpfsStore())?.list();
    expect(kept?.map(({ base }) => base).sort()).toEqual([hubBase, 'https://hub.example/owner/recent/resolve/main/']);
  });

  it('that runs out against the estimate is said when it happens', async () => {
    vi.stubGlobal('navigator', { storage: { ...disk.storage, estimate: undefined } });
    disk.quotaBytes = 5_000_000;
    await expect(open().readBytes(path)).rejects.toMatchObject({ code: 'storage_full' });
  });
});

describe('the models that are given up', () => {
  const bases = ['first', 'second'].map((name) => `https://hub.example/owner/${name}/resolve/main/`);

  it('are those that were read least lately, and never the one that needs the room', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 });
    server.tree = null;
    for (const base of [...bases, ...bases.slice(0, 1)]) {
      await open({ base }).readBytes(path);
      vi.setSystemTime(Date.now() + 1_000);
    }
    const store = await openOpfsStore();
    if (!store) throw new Error('The disk of this test has a store.');
    const left = async () => (await store.list()).map(({ base }) => base);
    const [first = '', second = ''] = bases;
    expect(await evictOne(store, '')).toBe(true);
    expect(await left()).toEqual([first]);
    await open({ base: second }).readBytes(path);
    expect(await evictOne(store, first)).toBe(true);
    expect(await left()).toEqual([first]);
    expect(await evictOne(store, first)).toBe(false);
  });
});

describe('a file', () => {
  const fileOf = (write: SyncFile['write']): SyncFile => ({
    write,
    read: () => 0,
    truncate() {},
    getSize: () => 0,
    flush() {},
    close() {},
  });

  it('is written whole although the platform takes less than it is given, and is full when it takes nothing', () => {
    const written: number[] = [];
    const slow = fileOf((bytes, { at }) => {
      written.push(at, ...bytes.subarray(0, 2));
      return Math.min(2, bytes.length);
    });
    writeAll(slow, Uint8Array.of(1, 2, 3), 10);
    expect(written).toEqual([10, 1, 2, 12, 3]);
    expect(() =>
      writeAll(
        fileOf(() => 0),
        Uint8Array.of(1),
        0,
      ),
    ).toThrow(expect.objectContaining({ reason: 'full' }));
  });
});
