/** Weights in other shapes than one small file: shards with an index, and a position table for very long texts. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { TokenBatch } from '../../src/backend/backend.js';
import { describeModel } from '../../src/backend/wasm/architectures.js';
import { bindNames } from '../../src/backend/wasm/bound-names.js';
import { scratchBytes } from '../../src/backend/wasm/computer.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import { loadWasmBackend, setThreadFactory, type WasmBackend } from '../../src/backend/wasm/index.js';
import { encode } from '../../src/backend/wasm/reference.js';
import { loadReferenceModel } from '../../src/backend/wasm/reference-model.js';
import { cutSlices } from '../../src/backend/wasm/slices.js';
import { planWeights } from '../../src/backend/wasm/weights.js';
import { openSafetensors, type Safetensors } from '../../src/models/safetensors.js';
import { type TensorToWrite, writeSafetensors } from '../../src/models/safetensors-writer.js';
import { cosine, fixtureLocation, openFixture, openModel } from './golden.js';

let temporary: string;

beforeAll(async () => {
  setThreadFactory(null);
  await ensureKernels();
  temporary = await mkdtemp(join(tmpdir(), 'vecinity-weights-'));
});
afterAll(async () => {
  await rm(temporary, { recursive: true, force: true });
});

/** A copy of a fixture without its weights; `config` overrides some of its config.json. */
async function copyFixture(family: string, config: Record<string, unknown> = {}): Promise<string> {
  const folder = join(temporary, family);
  const { base } = fixtureLocation(family);
  await mkdir(folder);
  await cp(base, folder, { recursive: true, filter: (path) => !/model\.safetensors$|onnx/.test(path) });
  const original = JSON.parse(await readFile(join(base, 'config.json'), 'utf8'));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...original, ...config }));
  return folder;
}

async function readTensors(family: string): Promise<TensorToWrite[]> {
  const weights = (await openSafetensors((await openFixture(family)).files)) as Safetensors;
  const tensors: TensorToWrite[] = [];
  for (const { name, dtype, shape } of weights.tensors.values()) {
    tensors.push({ name, dtype, shape, data: await weights.read(name) });
  }
  return tensors;
}

async function load(folder: string, dtype: 'f32' | 'q8'): Promise<WasmBackend> {
  const location = { kind: 'folder' as const, base: `${folder}/`, headers: {}, cache: false };
  const { spec } = await openModel('copy', location);
  return await loadWasmBackend(
    { spec, location, backend: 'wasm', device: 'wasm', dtype, threads: 1, assetsUrl: null },
    {},
  );
}

/** The same tokens again after every `period`. */
const period = 512;

function textOf(tokens: number): TokenBatch {
  const inputIds = Int32Array.from({ length: tokens }, (_, i) => 5 + (((i % period) * 37) % 1_700));
  return { inputIds, typeIds: null, offsets: Int32Array.of(0, tokens) };
}

describe('weights in three shards with an index', () => {
  it.each(['f32', 'q8'] as const)('give the very vectors of the single file in %s', async (dtype) => {
    const family = dtype === 'f32' ? 'roberta-mean' : 'distilbert-mean';
    const folder = await copyFixture(family);
    const tensors = await readTensors(family);
    const map: Record<string, string> = {};
    for (let shard = 0; shard < 3; shard++) {
      const file = `model-0000${shard + 1}-of-00003.safetensors`;
      // Neighbours in the model lie in different files: a linear's bias comes long before or after its weight.
      const part = tensors.filter((_, index) => index % 3 === shard);
      for (const { name } of part) map[name] = file;
      await writeFile(join(folder, file), writeSafetensors(part));
    }
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }));
    const sharded = await load(folder, dtype);
    const whole = await load(fixtureLocation(family).base, dtype);
    expect(await sharded.run(textOf(40))).toEqual(await whole.run(textOf(40)));
    await sharded.dispose();
    await whole.dispose();
  });
});

describe('texts of 8,192 tokens', () => {
  const longest = 8_192;
  let folder: string;

  beforeAll(async () => {
    folder = await copyFixture('xlmr-cls', { max_position_embeddings: longest + 2, num_hidden_layers: 1 });
    for (const file of ['sentence_bert_config.json', 'tokenizer_config.json']) {
      const limits = { max_seq_length: longest, model_max_length: longest };
      const config = JSON.parse(await readFile(join(folder, file), 'utf8'));
      await writeFile(join(folder, file), JSON.stringify({ ...config, ...limits }));
    }
    const tensors = (await readTensors('xlmr-cls')).map((tensor) => {
      if (!tensor.name.endsWith('position_embeddings.weight')) return tensor;
      const width = tensor.shape[1] as number;
      const values = tensor.data as Float32Array;
      const data = new Float32Array((longest + 2) * width);
      // Text positions begin at row 2 and repeat themselves as the texts do.
      for (let row = 0; row < longest + 2; row++) {
        const from = (row < 2 ? row : 2 + ((row - 2) % period)) * width;
        data.set(values.subarray(from, from + width), row * width);
      }
      return { ...tensor, shape: [longest + 2, width], data };
    });
    await writeFile(join(folder, 'model.safetensors'), writeSafetensors(tensors));
  });

  // Attention that meets all keys sixteen times weighs their values as if it met them once.
  it('that say the same sixteen times have the vector that the plain reference gives when it is said once', async () => {
    const location = { kind: 'folder' as const, base: `${folder}/`, headers: {}, cache: false };
    const { files, spec } = await openModel('long', location);
    const reference = await loadReferenceModel(files, spec.config);
    if (reference === null) throw new Error('the reference does not know the model');
    const expected = encode(reference, textOf(period)).subarray(0, reference.description.hidden);
    for (const [dtype, least] of [
      ['f32', 0.999998],
      ['q8', 0.998],
    ] as const) {
      const backend = await load(folder, dtype);
      expect(cosine(await backend.run(textOf(longest)), expected)).toBeGreaterThanOrEqual(least);
      await backend.dispose();
    }
  });

  it('take working memory that grows with their length and not with its square', async () => {
    const location = { kind: 'folder' as const, base: `${folder}/`, headers: {}, cache: false };
    const { files, spec } = await openModel('long', location);
    const file = (await openSafetensors(files)) as Safetensors;
    const described = describeModel(spec.config);
    if (described === null) throw new Error('the engine does not know the model');
    const description = bindNames(described, (name) => file.tensors.has(name));
    const heap = new Heap(createMemory(false));
    const kernels = { pack: () => 0 };
    const { plan } = planWeights(file, {
      description,
      heap,
      kernels,
      precision: { form: 'w16', block: 128, attention: 'floats' },
    });
    const bytesOf = (tokens: number): number => scratchBytes(plan, cutSlices(description, textOf(tokens), 1), 1);
    const step = bytesOf(longest) - bytesOf(longest / 2);
    expect(step / (bytesOf(longest / 2) - bytesOf(longest / 4))).toBeCloseTo(2, 1);
    expect(bytesOf(longest)).toBeLessThan(longest * plan.stride * 4 * 8);
  });
});
