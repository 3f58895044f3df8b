import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { loadWasmBackend } from '../../src/backend/wasm/index.js';
import { convert } from '../../src/cli/convert.js';
import { cosine, type EmbeddingGolden, fixtureLocation, openModel, readGolden } from './golden.js';

const family = 'bert-cls';
/** A terminal that nobody reads. */
const silent = { stderr: new PassThrough().resume() };
let folder: string;
let output: string;

beforeAll(async () => {
  await ensureKernels();
  folder = await mkdtemp(join(tmpdir(), 'vecinity-convert-'));
  output = join(folder, 'first');
  await convert([fixtureLocation(family).base, '--dtype', 'q8', '--output', output], silent);
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('vecinity convert', () => {
  it('writes a model that gives the vectors of the original', async () => {
    const { embeddings, input_ids: inputIds } = readGolden<EmbeddingGolden>(family);
    const location = { ...fixtureLocation(family), base: `${output}/` };
    const { spec } = await openModel(family, location);
    const backend = await loadWasmBackend(
      { spec, location, backend: 'wasm', device: 'wasm', dtype: 'auto', threads: 1, assetsUrl: null },
      {},
    );
    expect(backend.info.dtype).toBe('q8');
    for (const [text, ids] of inputIds.entries()) {
      const batch = { inputIds: Int32Array.from(ids), typeIds: null, offsets: Int32Array.of(0, ids.length) };
      expect(cosine(await backend.run(batch), embeddings[text] ?? [])).toBeGreaterThan(0.999);
    }
    await backend.dispose();
  });

  it('writes a manifest with the size and the SHA-256 of every other file', async () => {
    const { files } = JSON.parse(await readFile(join(output, 'vecinity.json'), 'utf8'));
    const names = (await readdir(output, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(Object.keys(files)).toHaveLength(names.length - 1);
    for (const [path, { sizeBytes, sha256 }] of Object.entries<{ sizeBytes: number; sha256: string }>(files)) {
      const bytes = await readFile(join(output, path));
      expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([sizeBytes, sha256]);
    }
  });

  it('writes the same bytes again, and no path of the machine', async () => {
    const second = join(folder, 'second');
    await convert([fixtureLocation(family).base, '--output', second], silent);
    const bytes = await readFile(join(second, 'model.safetensors'));
    expect(bytes.equals(await readFile(join(output, 'model.safetensors')))).toBe(true);
    expect(bytes.subarray(0, 400).toString()).toContain(`"source":"${family}"`);
  });

  it('is told by the calibration texts', async () => {
    const texts = join(folder, 'texts.txt');
    await writeFile(texts, 'one line\n\nanother line of other words\n');
    const other = join(folder, 'other');
    await convert([fixtureLocation(family).base, '--calibrate', texts, '--output', other], silent);
    const bytes = await readFile(join(other, 'model.safetensors'));
    expect(bytes.equals(await readFile(join(output, 'model.safetensors')))).toBe(false);
  });

  it.each([
    [[], /takes one MODEL, got 0/],
    [['a', 'b'], /takes one MODEL, got 2/],
    [['a', '--dtype', 'q4'], /`--dtype` must be q8; got "q4"/],
    [['a', '--colour', 'red'], /--colour/],
    [['a', '--calibrate', '/nowhere/texts.json'], /`--calibrate` names \/nowhere\/texts.json, which cannot be read/],
  ])('refuses %j in one sentence', async (args, message) => {
    await expect(convert(args, silent)).rejects.toThrow(message);
  });

  it('refuses a model that is converted already', async () => {
    await expect(convert([output, '--output', join(folder, 'third')], silent)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('converted already'),
    });
  });

  it('refuses a family that it does not know', async () => {
    const modernBert = fixtureLocation('modernbert-mean').base;
    await expect(convert([modernBert, '--output', join(folder, 'third')], silent)).rejects.toMatchObject({
      code: 'unsupported_task',
    });
  });
});
