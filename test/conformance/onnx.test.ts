import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Backend, BackendRequest } from '../../src/backend/backend.js';
import { loadOnnxBackend } from '../../src/backend/onnx/index.js';
import { resolvePrompt } from '../../src/models/prompts.js';
import {
  cosine,
  type EmbeddingGolden,
  type FixtureModel,
  openFixture,
  packBatch,
  type RerankGolden,
  readGolden,
} from './golden.js';

function requestFor({ spec, location }: FixtureModel): BackendRequest {
  return { spec, location, backend: 'onnx', device: 'wasm', dtype: 'auto', threads: 1, assetsUrl: null };
}

function rowsOf(values: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

function norm(vector: ArrayLike<number>): number {
  return Math.hypot(...Array.from(vector));
}

const embedders = ['bert-cls', 'bert-mean-unnormalized', 'modernbert-mean', 'xlmr-cls'];

describe.each(embedders)('the onnx backend with %s', (family) => {
  const golden = readGolden<EmbeddingGolden>(family);
  let model: FixtureModel;
  let backend: Backend;

  beforeAll(async () => {
    model = await openFixture(family);
    backend = await loadOnnxBackend(requestFor(model), {});
  });
  afterAll(() => backend.dispose());

  async function embed(texts: readonly string[], prompt = ''): Promise<Float32Array[]> {
    const encodings = texts.map((text) => model.tokenizer.encode(text, { truncate: true, prompt }));
    return rowsOf(await backend.run(packBatch(encodings)), backend.width);
  }

  it('gives the vector of the reference for every text', async () => {
    for (const [index, text] of golden.inputs.entries()) {
      const [vector = new Float32Array(0)] = await embed([text]);
      const expected = golden.embeddings[index] ?? [];
      expect(vector).toHaveLength(expected.length);
      expect(cosine(vector, expected)).toBeGreaterThanOrEqual(0.99999);
    }
  });

  it('gives the same vector whatever else is in the batch', async () => {
    const together = await embed(golden.inputs);
    for (const [index, text] of golden.inputs.entries()) {
      const [alone = new Float32Array(0)] = await embed([text]);
      expect(cosine(alone, together[index] ?? [])).toBeGreaterThanOrEqual(0.999999);
    }
  });

  it('gives the vectors of the reference for every prompt that the model has', async () => {
    expect(Object.keys(model.spec.prompts)).toEqual(Object.keys(golden.prompted ?? {}));
    for (const [name, expected] of Object.entries(golden.prompted ?? {})) {
      const vectors = await embed(
        golden.inputs.slice(0, expected.length),
        resolvePrompt(model.spec, { promptName: name }),
      );
      expected.forEach((vector, index) => {
        expect(cosine(vectors[index] ?? [], vector)).toBeGreaterThanOrEqual(0.99999);
      });
    }
  });
});

it('the onnx backend keeps the length of the vectors of a model that does not normalize', async () => {
  const golden = readGolden<EmbeddingGolden>('bert-mean-unnormalized');
  const model = await openFixture('bert-mean-unnormalized');
  expect(model.spec.normalize).toBe(false);
  const backend = await loadOnnxBackend(requestFor(model), {});
  const encodings = golden.inputs.map((text) => model.tokenizer.encode(text, { truncate: true }));
  const vectors = rowsOf(await backend.run(packBatch(encodings)), backend.width);
  for (const [index, expected] of golden.embeddings.entries()) {
    expect(norm(vectors[index] ?? [])).toBeCloseTo(norm(expected), 3);
  }
  await backend.dispose();
});

describe.each(['bert-reranker', 'xlmr-reranker'])('the onnx backend with %s', (family) => {
  it('gives the logits of the reference, alone and in a batch', async () => {
    const golden = readGolden<RerankGolden>(family);
    const model = await openFixture(family);
    const backend = await loadOnnxBackend(requestFor(model), {});
    expect(model.spec).toMatchObject({ task: 'rerank', dimensions: 1 });
    const encodings = golden.documents.map((document) => model.tokenizer.encodePair(golden.query, document));
    const together = await backend.run(packBatch(encodings));
    for (const [index, expected] of golden.logits.entries()) {
      const alone = await backend.run(packBatch(encodings.slice(index, index + 1)));
      expect(Math.abs((together[index] ?? Number.NaN) - expected)).toBeLessThanOrEqual(1e-3);
      expect(Math.abs((alone[0] ?? Number.NaN) - expected)).toBeLessThanOrEqual(1e-3);
    }
    await backend.dispose();
  });
});
