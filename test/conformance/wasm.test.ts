import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { Backend, BackendRequest, DtypePreference, TokenBatch } from '../../src/backend/backend.js';
import { loadWasmBackend } from '../../src/backend/wasm/index.js';
import { encode, type ReferenceModel } from '../../src/backend/wasm/reference.js';
import { loadReferenceModel } from '../../src/backend/wasm/reference-model.js';
import type { VecinityError } from '../../src/errors.js';
import {
  cosine,
  type EmbeddingGolden,
  type FixtureModel,
  openFixture,
  type RerankGolden,
  readGolden,
} from './golden.js';

beforeAll(ensureKernels);

function requestFor({ spec, location }: FixtureModel, dtype: DtypePreference): BackendRequest {
  return { spec, location, backend: 'wasm', device: 'wasm', dtype, threads: 1, assetsUrl: null };
}

function pack(inputIds: readonly number[][], typeIds: readonly (number[] | null)[] = []): TokenBatch {
  const offsets = Int32Array.of(0, ...inputIds.map((ids) => ids.length));
  for (let text = 1; text < offsets.length; text++) offsets[text] = (offsets[text] ?? 0) + (offsets[text - 1] ?? 0);
  const types = typeIds.some((ids) => ids !== null)
    ? Int32Array.from(inputIds.flatMap((ids, text) => typeIds[text] ?? ids.map(() => 0)))
    : null;
  return { inputIds: Int32Array.from(inputIds.flat()), typeIds: types, offsets };
}

function rowsOf(values: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

async function referenceOf({ files, spec }: FixtureModel): Promise<ReferenceModel> {
  const reference = await loadReferenceModel(files, spec.config);
  if (reference === null) throw new Error(`the reference does not know ${spec.id}`);
  return reference;
}

const embedders = ['bert-cls', 'bert-mean-unnormalized', 'xlmr-cls', 'roberta-mean', 'mpnet-mean', 'distilbert-mean'];

describe.each(embedders)('the WASM engine with %s', (family) => {
  const golden = readGolden<EmbeddingGolden>(family);
  let model: FixtureModel;
  let exact: Backend;
  let coarse: Backend;

  beforeAll(async () => {
    model = await openFixture(family);
    exact = await loadWasmBackend(requestFor(model, 'f32'), {});
    coarse = await loadWasmBackend(requestFor(model, 'auto'), {});
  });
  afterAll(async () => {
    await exact.dispose();
    await coarse.dispose();
  });

  it('gives the vectors of sentence-transformers in f32', async () => {
    expect(exact.info.dtype).toBe('f32');
    const vectors = rowsOf(await exact.run(pack(golden.input_ids)), exact.width);
    vectors.forEach((vector, text) => {
      const expected = golden.embeddings[text] ?? [];
      expect(cosine(vector, expected)).toBeGreaterThanOrEqual(0.999998);
      if (!golden.normalize) expect(Math.hypot(...vector) / Math.hypot(...expected)).toBeCloseTo(1, 4);
    });
  });

  it('stays close to them in 8 bits, its default', async () => {
    expect(coarse.info.dtype).toBe('q8');
    const vectors = rowsOf(await coarse.run(pack(golden.input_ids)), coarse.width);
    vectors.forEach((vector, text) => {
      expect(cosine(vector, golden.embeddings[text] ?? [])).toBeGreaterThanOrEqual(0.998);
    });
  });

  it.each(['f32', 'q8'] as const)('gives a text the same vector alone and in any company in %s', async (dtype) => {
    const backend = dtype === 'f32' ? exact : coarse;
    const together = rowsOf(await backend.run(pack(golden.input_ids)), backend.width);
    const reversed = rowsOf(await backend.run(pack([...golden.input_ids].reverse())), backend.width).reverse();
    for (const [text, ids] of golden.input_ids.entries()) {
      const alone = await backend.run(pack([ids]));
      expect(Array.from(together[text] ?? [])).toEqual(Array.from(alone));
      expect(Array.from(reversed[text] ?? [])).toEqual(Array.from(alone));
    }
  });

  it('agrees with the plain reference at every length up to the longest', async () => {
    const reference = await referenceOf(model);
    const { maxTokens, vocabSize } = reference.description;
    for (const tokens of [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 127, maxTokens]) {
      const ids = Array.from({ length: tokens }, (_, i) => 5 + ((i * 37) % (vocabSize - 5)));
      const expected = encode(reference, pack([ids]));
      const width = reference.description.hidden;
      const actual = await exact.run(pack([ids]));
      const pooled = Float32Array.from({ length: width }, (_, column) => {
        if (model.spec.pooling === 'cls') return expected[column] ?? 0;
        let sum = 0;
        for (let token = 0; token < tokens; token++) sum += expected[token * width + column] ?? 0;
        return sum / tokens;
      });
      expect(cosine(actual, pooled)).toBeGreaterThanOrEqual(0.999995);
    }
  });
});

describe.each(['bert-reranker', 'xlmr-reranker'])('the WASM engine with %s', (family) => {
  const golden = readGolden<RerankGolden>(family);

  it('gives the logits of transformers, one by one and together', async () => {
    const backend = await loadWasmBackend(requestFor(await openFixture(family), 'f32'), {});
    const together = await backend.run(pack(golden.input_ids, golden.token_type_ids));
    expect(backend.width).toBe(1);
    for (const [index, ids] of golden.input_ids.entries()) {
      const alone = await backend.run(pack([ids], [golden.token_type_ids[index] ?? null]));
      expect(Math.abs((together[index] ?? 0) - (golden.logits[index] ?? 1e9))).toBeLessThan(1e-3);
      expect(alone[0]).toBe(together[index]);
    }
    await backend.dispose();
  });
});

describe.each(['bert-cls', 'xlmr-cls', 'mpnet-mean'])(
  'the WASM engine with %s that reads one token of a text',
  (family) => {
    it.each([
      ['cls', 'f32'],
      ['cls', 'q8'],
      ['last_token', 'f32'],
      ['last_token', 'q8'],
    ] as const)('gives it for %s the vector in %s that it has among all tokens', async (pooling, dtype) => {
      const model = await openFixture(family);
      const backend = await loadWasmBackend(requestFor({ ...model, spec: { ...model.spec, pooling } }, dtype), {});
      const texts = [1, 70, 2, 9, 33, 5].map((tokens) =>
        Array.from({ length: tokens }, (_, i) => 5 + ((i * 37) % 500)),
      );
      const batch = pack(texts);
      const vectors = rowsOf(await backend.run(batch), backend.width);
      const tokens = rowsOf(await backend.run({ ...batch, output: 'tokens' }), backend.width);
      vectors.forEach((vector, text) => {
        const token = pooling === 'cls' ? (batch.offsets[text] ?? 0) : (batch.offsets[text + 1] ?? 0) - 1;
        expect(vector).toEqual(tokens[token]);
      });
      await backend.dispose();
    });
  },
);

describe('the WASM engine', () => {
  it('leaves a prompt out of the mean where the model wants that', async () => {
    const model = await openFixture('bert-mean-unnormalized');
    const backend = await loadWasmBackend(requestFor(model, 'f32'), {});
    const reference = await referenceOf(model);
    const batch = pack([[2, 40, 50, 60, 3]]);
    const hidden = encode(reference, batch);
    const width = backend.width;
    const expected = Array.from({ length: width }, (_, column) => {
      let sum = 0;
      for (let token = 2; token < 5; token++) sum += hidden[token * width + column] ?? 0;
      return sum / 3;
    });
    const actual = await backend.run({ ...batch, skippedTokens: Int32Array.of(2) });
    expect(cosine(actual, expected)).toBeGreaterThan(0.99999);
    await backend.dispose();
  });

  it('shows the intermediate tensors that the reference shows', async () => {
    const model = await openFixture('bert-cls');
    const backend = await loadWasmBackend(requestFor(model, 'f32'), {});
    const reference = await referenceOf(model);
    const batch = pack([[2, 40, 50, 60, 70, 3]]);
    const expected = new Map<string, Float32Array>();
    encode(reference, batch, { tap: (name, values) => expected.set(name, values.slice()) });
    const actual = new Map<string, Float32Array>();
    backend.tap = (name, values) => actual.set(name, values);
    await backend.run(batch);
    expect(actual.size).toBeGreaterThanOrEqual(1 + 2 * reference.description.layers.length);
    for (const [name, values] of actual) {
      expect(cosine(values, expected.get(name) ?? []), name).toBeGreaterThan(0.99999);
    }
    await backend.dispose();
  });

  it.each([
    ['a token id that the model does not have', { inputIds: Int32Array.of(2, 99_999) }],
    ['a negative token id', { inputIds: Int32Array.of(2, -1) }],
    ['a text without tokens', { offsets: Int32Array.of(0, 0, 2) }],
    ['offsets that end too early', { offsets: Int32Array.of(0, 1) }],
    ['a type id that the model does not have', { typeIds: Int32Array.of(0, 7) }],
  ])('refuses %s and serves the next batch', async (_, change) => {
    const backend = await loadWasmBackend(requestFor(await openFixture('bert-cls'), 'q8'), {});
    const good = pack([[2, 3]]);
    const code = await backend.run({ ...good, ...change }).then(
      () => null,
      (error: VecinityError) => error.code,
    );
    expect(code).toBe('backend_failed');
    await expect(backend.run(good)).resolves.toHaveLength(backend.width);
    await backend.dispose();
  });

  it('refuses a model of a family that it does not know', async () => {
    const model = await openFixture('modernbert-mean');
    await expect(loadWasmBackend(requestFor(model, 'auto'), {})).rejects.toMatchObject({ code: 'device_unavailable' });
  });

  it('answers nothing after it was disposed', async () => {
    const backend = await loadWasmBackend(requestFor(await openFixture('bert-cls'), 'q8'), {});
    await backend.dispose();
    await expect(backend.run(pack([[2, 3]]))).rejects.toMatchObject({ code: 'disposed' });
  });
});
