/** `vecinity pull` against a hub on the loopback: what it brings, how it goes on, what it refuses. */

import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Ended, finish, runCommand, startCommand } from './command.js';
import { cosine, type EmbeddingGolden, readGolden } from './golden.js';
import { type Hub, startHub } from './hub-server.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';

const weights = 'model.safetensors';
let built: NodePackage;
let hub: Hub;
let cache: string;

beforeAll(async () => {
  built = await bundleNodePackage();
  await writeFile(path.join(built.folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => built.remove());
beforeEach(async () => {
  hub = await startHub(path.join(fixtureModels, 'bert-cls'));
  cache = await mkdtemp(path.join(built.folder, 'cache-'));
  return () => hub.close();
});

const settings = () => ({ environment: { VECINITY_CACHE: cache, HF_ENDPOINT: hub.url } });
const pull = (...args: string[]): Promise<Ended> =>
  runCommand(built.folder, ['pull', 'owner/name', ...args], settings());
const pulled = () => path.join(cache, 'models/owner/name');
const asked = () => hub.requests.filter((request) => request.path.endsWith(weights));

async function expectWhole(): Promise<void> {
  const original = await readFile(path.join(fixtureModels, 'bert-cls', weights));
  expect((await readFile(path.join(pulled(), weights))).equals(original)).toBe(true);
  expect(await readdir(path.dirname(pulled()))).toEqual(['name']);
}

describe('vecinity pull', () => {
  it('brings a model that the other commands find without the hub', async () => {
    const { code, stdout } = await pull();
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: `${pulled()}\n` });
    await expectWhole();
    const { files } = JSON.parse(await readFile(path.join(pulled(), 'vecinity.json'), 'utf8'));
    const bytes = await readFile(path.join(pulled(), weights));
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(files[weights]).toEqual({ sizeBytes: bytes.length, sha256 });
    hub.close();
    const golden = readGolden<EmbeddingGolden>('bert-cls');
    const options = [...['--model', 'owner/name', '--dtype', 'f32'], ...['--threads', '1']];
    const embedded = await runCommand(built.folder, ['embed', golden.inputs[0] ?? '', ...options], settings());
    expect(embedded).toMatchObject({ code: 0, stderr: '' });
    const [{ embedding }] = JSON.parse(embedded.stdout.toString()).embeddings;
    expect(cosine(embedding, golden.embeddings[0] ?? [])).toBeGreaterThan(0.99999);
  });

  it('is what a command tells of that had to read its model from the hub', async () => {
    const options = ['--model', 'owner/name', '--dtype', 'f32', '--threads', '1'];
    const { code, stderr } = await runCommand(built.folder, ['embed', 'a', ...options], settings());
    const told = 'owner/name came from the hub and is not kept; `vecinity pull owner/name` keeps it here.\n';
    expect({ code, stderr }).toEqual({ code: 0, stderr: told });
  });

  it('asks for nothing again that is current', async () => {
    await pull();
    const { code, stderr } = await pull();
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'owner/name is current at c0ffee\n' });
    expect(asked()).toHaveLength(1);
  });

  it('goes on after a connection that broke', async () => {
    hub.holds.set(weights, 1000);
    const ended = pull();
    await hub.held;
    await grown(path.join(cache, 'models/owner'), 1000);
    hub.drop();
    expect((await ended).code).toBe(0);
    await expectWhole();
    expect(asked().map(({ range }) => range)).toEqual([null, 'bytes=1000-']);
  });

  it('goes on where an interrupted run stopped', async () => {
    hub.holds.set(weights, 1000);
    const child = startCommand(built.folder, ['pull', 'owner/name'], settings());
    const ended = finish(child);
    await hub.held;
    await grown(path.join(cache, 'models/owner'), 1000);
    child.kill('SIGINT');
    expect((await ended).code).toBe(130);
    await expect(access(pulled())).rejects.toThrow();
    expect((await pull()).code).toBe(0);
    await expectWhole();
    expect(asked().map(({ range }) => range)).toEqual([null, 'bytes=1000-']);
  });

  it('refuses a file without its hash and leaves no model', async () => {
    hub.forged.add(weights);
    const { code, stderr } = await pull();
    expect(code).toBe(1);
    expect(stderr).toMatch(/model\.safetensors does not have the hash that it should/);
    await expect(access(pulled())).rejects.toThrow();
  });

  const file = { rfilename: 'config.json', size: 2, blobId: 'a' };
  it.each([
    ['a commit that leads elsewhere', { sha: '../../../elsewhere' }],
    ['a commit that is no text', { sha: 7 }],
    ['a file above the folder', { siblings: [{ ...file, rfilename: '../config.json' }] }],
    ['a file at the root', { siblings: [{ ...file, rfilename: '/etc/config.json' }] }],
    ['a file behind a backslash', { siblings: [{ ...file, rfilename: '..\\config.json' }] }],
    ['a file on another disk', { siblings: [{ ...file, rfilename: 'c:config.json' }] }],
    ['a file of less than nothing', { siblings: [{ ...file, size: -1 }] }],
    ['no list of files', { siblings: { length: 1e9 } }],
    ['megabytes of something else', { padding: 'x'.repeat(5_000_000) }],
  ])('writes nothing for a listing with %s', async (_, listing) => {
    hub.listing = listing;
    const { code, stderr } = await pull();
    expect(code).toBe(1);
    expect(stderr).toMatch(/is not a listing of a repository's files|has more than the 4 MiB allowed/);
    expect(await readdir(cache, { recursive: true })).toEqual(['models', path.join('models', 'owner')]);
  });

  it('is asked for once when two processes want the same model', async () => {
    const both = await Promise.all([pull(), pull()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(asked()).toHaveLength(1);
    await expectWhole();
  });

  it('leaves a folder alone that it did not write', async () => {
    const folder = path.join(cache, 'mine');
    await mkdir(folder);
    await writeFile(path.join(folder, 'letter.txt'), 'dear');
    const { code, stderr } = await pull('--output', folder);
    expect(code).toBe(2);
    expect(stderr).toContain('has files that `vecinity pull` did not write');
    expect(await readdir(folder)).toEqual(['letter.txt']);
  });

  it.each([
    [['pull'], 2, /takes one MODEL, got 0/],
    [['pull', 'no-owner'], 2, /MODEL must be a name of the catalogue or a hub id/],
    [['pull', 'owner/other'], 1, /The hub has no model owner\/other at main/],
    [
      ['pull', 'owner/name', '--weights', 'onnx', '--dtype', 'f16'],
      1,
      /owner\/name has no weights: no onnx\/model_fp16\.onnx/,
    ],
  ])('of %j ends with %i', async (args, code, message) => {
    const ended = await runCommand(built.folder, args, settings());
    expect(ended).toMatchObject({ code, stderr: expect.stringMatching(message) });
  });
});

/** Resolves when a partial file below the folder has so many bytes: the disk may be behind the network. */
async function grown(folder: string, bytes: number): Promise<void> {
  const partialBytes = async () => {
    const entries = await readdir(folder, { recursive: true }).catch(() => []);
    const partial = entries.find((name) => name.endsWith(`${weights}.partial`));
    return partial === undefined ? 0 : (await readFile(path.join(folder, partial))).length;
  };
  await expect.poll(partialBytes).toBeGreaterThanOrEqual(bytes);
}
