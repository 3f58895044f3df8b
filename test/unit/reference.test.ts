import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { classify, encode, pool, type ReferenceModel } from '../../src/backend/wasm/reference.js';
import { loadReferenceModel } from '../../src/backend/wasm/reference-model.js';
import type { Pooling } from '../../src/models/spec.js';
import { cosine } from '../conformance/golden.js';
import { fixtureFolder, modelFolder } from './model-folder.js';

interface EmbeddingGolden {
  pooling: Pooling;
  normalize: boolean;
  input_ids: number[][];
  embeddings: number[][];
}

interface RerankGolden {
  input_ids: number[][];
  token_type_ids: number[][] | null;
  logits: number[];
}

const embeddingFixtures = [
  'bert-cls',
  'bert-mean-unnormalized',
  'xlmr-cls',
  'roberta-mean',
  'mpnet-mean',
  'distilbert-mean',
];

describe('the reference forward pass', () => {
  it.each(embeddingFixtures)('gives the vectors of sentence-transformers for %s', async (name) => {
    const { model, golden } = await load<EmbeddingGolden>(name);
    const batch = packed(golden.input_ids, null);
    const pooled = pool(encode(model, batch), batch.offsets, golden.pooling);
    const width = model.description.hidden;
    golden.embeddings.forEach((expected, text) => {
      const vector = pooled.subarray(text * width, (text + 1) * width);
      expect(cosine(vector, expected)).toBeGreaterThan(0.999999);
      if (!golden.normalize) expect(distance(vector, expected)).toBeLessThan(1e-4);
    });
  });

  it.each(['bert-reranker', 'xlmr-reranker'])('gives the logits of transformers for %s', async (name) => {
    const { model, golden } = await load<RerankGolden>(name);
    const batch = packed(golden.input_ids, golden.token_type_ids);
    const logits = classify(model, encode(model, batch), batch.offsets);
    golden.logits.forEach((logit, index) => {
      expect(logits[index]).toBeCloseTo(logit, 4);
    });
  });

  it('gives a text the same vector alone and among others', async () => {
    const { model, golden } = await load<EmbeddingGolden>('mpnet-mean');
    const all = packed(golden.input_ids, null);
    const together = pool(encode(model, all), all.offsets, 'mean');
    const alone = packed(golden.input_ids.slice(3, 4), null);
    const single = pool(encode(model, alone), alone.offsets, 'mean');
    expect(cosine(together.subarray(3 * single.length, 4 * single.length), [...single])).toBeGreaterThan(0.9999999);
  });

  it('shows every intermediate tensor to a tap', async () => {
    const { model, golden } = await load<EmbeddingGolden>('bert-cls');
    const names: string[] = [];
    encode(model, packed(golden.input_ids.slice(0, 1), null), { tap: (name) => names.push(name) });
    expect(names).toHaveLength(1 + 3 * 7);
    expect(names).toContain('layer.2.attention');
    expect(names).toContain('encoder.layer.1.output.dense.input');
  });
});

async function load<Golden>(name: string): Promise<{ model: ReferenceModel; golden: Golden }> {
  const folder = fixtureFolder(name);
  const golden = JSON.parse(await readFile(`${folder}golden.json`, 'utf8')) as Golden;
  const config = JSON.parse(await readFile(`${folder}config.json`, 'utf8')) as Record<string, unknown>;
  const model = await loadReferenceModel(modelFolder(folder), config);
  if (model === null) throw new Error(`The fixture ${name} is not a model that the engine knows.`);
  return { model, golden };
}

function packed(texts: number[][], types: number[][] | null) {
  const offsets = new Int32Array(texts.length + 1);
  texts.forEach((ids, index) => {
    offsets[index + 1] = (offsets[index] as number) + ids.length;
  });
  return {
    inputIds: Int32Array.from(texts.flat()),
    typeIds: types === null ? null : Int32Array.from(types.flat()),
    offsets,
  };
}

function distance(a: Float32Array, b: number[]): number {
  return Math.max(...b.map((y, index) => Math.abs(y - (a[index] as number))));
}
