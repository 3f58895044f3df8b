import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { DtypePreference } from '../../src/backend/backend.js';
import { linearGroups } from '../../src/backend/wasm/architectures.js';
import { quantizeChannel } from '../../src/backend/wasm/channel.js';
import { loadWasmBackend } from '../../src/backend/wasm/index.js';
import { loadReferenceModel } from '../../src/backend/wasm/reference-model.js';
import { type TensorToWrite, writeSafetensors } from '../../src/models/safetensors-writer.js';
import { cosine, type EmbeddingGolden, fixtureLocation, openFixture, openModel, readGolden } from './golden.js';

const family = 'bert-cls';
const golden = readGolden<EmbeddingGolden>(family);
let folder: string;

beforeAll(ensureKernels);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vecinity-converted-'));
  await cp(fixtureLocation(family).base, folder, { recursive: true });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Smooth = (linear: string, k: number) => number;

/** The fixture in the converted layout: linears as I8 with scales and multipliers, the word table as I8 rows. */
async function convert(smooth: Smooth, change: (tensors: TensorToWrite[]) => TensorToWrite[] = (same) => same) {
  const { files, spec } = await openFixture(family);
  const model = await loadReferenceModel(files, spec.config);
  if (model === null) throw new Error('the fixture is unknown');
  const { description, weights } = model;
  const linears = description.layers.flatMap((layer) => linearGroups(layer).flat());
  const tensors: TensorToWrite[] = [];
  for (const [name, values] of weights) {
    const linear = linears.find((candidate) => name === `${candidate}.weight`);
    const rows = linear !== undefined || name === description.wordEmbeddings;
    const width =
      name.includes('.output.dense') && !name.includes('attention') ? description.intermediate : description.hidden;
    if (!rows) {
      const table = name.endsWith('embeddings.weight');
      const shape = table ? [values.length / description.hidden, description.hidden] : [values.length];
      tensors.push({ name, dtype: 'F32', shape, data: values });
      continue;
    }
    const multipliers = Float32Array.from({ length: width }, (_, k) => (linear === undefined ? 1 : smooth(linear, k)));
    const count = values.length / width;
    const codes = new Int8Array(values.length);
    const scales = new Float32Array(count);
    for (let row = 0; row < count; row++) {
      const weight = values.slice(row * width, (row + 1) * width).map((value, k) => value / (multipliers[k] ?? 1));
      const channel = quantizeChannel(weight, 'quad');
      codes.set(channel.codes, row * width);
      scales[row] = channel.scale;
    }
    tensors.push({ name, dtype: 'I8', shape: [count, width], data: codes });
    tensors.push({ name: `${name}_scale`, dtype: 'F32', shape: [count], data: scales });
    if (linear !== undefined)
      tensors.push({ name: `${linear}.smooth`, dtype: 'F32', shape: [width], data: multipliers });
  }
  await writeFile(join(folder, 'model.safetensors'), writeSafetensors(change(tensors), { format: 'vecinity-q8' }));
}

async function load(dtype: DtypePreference) {
  const location = { ...fixtureLocation(family), base: `${folder}/` };
  const { spec } = await openModel(family, location);
  return loadWasmBackend({ spec, location, backend: 'wasm', device: 'wasm', dtype, threads: 1, assetsUrl: null }, {});
}

/** Multipliers from 0.5 to 2 that differ from column to column and from input to input. */
const uneven: Smooth = (linear, k) => 0.5 + ((k * 7 + (/query|key|value/.test(linear) ? 0 : linear.length)) % 16) / 10;

describe('a converted file', () => {
  it.each(['q8', 'f32'] as const)(
    'gives the vectors of the original in %s, its inputs multiplied back',
    async (dtype) => {
      await convert(uneven);
      const backend = await load(dtype);
      expect(backend.info.details.file).toContain('converted');
      for (const [text, ids] of golden.input_ids.entries()) {
        const batch = { inputIds: Int32Array.from(ids), typeIds: null, offsets: Int32Array.of(0, ids.length) };
        expect(cosine(await backend.run(batch), golden.embeddings[text] ?? [])).toBeGreaterThanOrEqual(0.998);
      }
      await backend.dispose();
    },
  );

  it('is refused when query and key are smoothed differently, because they share one input', async () => {
    await convert((linear, k) => 1 + (linear.includes('key') ? k : 0) / 100);
    await expect(load('q8')).rejects.toMatchObject({ code: 'model_file_invalid', message: /smooth/ });
  });

  it('is refused when a scale is missing for some channels', async () => {
    await convert(uneven, (tensors) =>
      tensors.map((tensor) =>
        tensor.name.endsWith('up.weight_scale') || tensor.name.endsWith('intermediate.dense.weight_scale')
          ? { ...tensor, shape: [1], data: new Float32Array(1) }
          : tensor,
      ),
    );
    await expect(load('q8')).rejects.toMatchObject({ code: 'model_file_invalid', message: /weight_scale/ });
  });

  it('is refused when an 8-bit tensor has no scale at all', async () => {
    await convert(uneven, (tensors) =>
      tensors.filter(({ name }) => !name.endsWith('layer.0.output.dense.weight_scale')),
    );
    await expect(load('q8')).rejects.toMatchObject({ code: 'model_file_invalid', message: /weight_scale/ });
  });
});
