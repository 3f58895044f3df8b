/** The whole core on real model files, from text to vectors and scores, against what the Python libraries computed. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadWasmBackend, setThreadFactory } from '../../src/backend/wasm/index.js';
import { supportsModel } from '../../src/backend/wasm/supports.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine } from '../../src/core/create-engine.js';
import { openModel } from '../../src/core/open-model.js';
import { cosine } from '../../src/core/similarity.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { type EmbeddingGolden, fixtureLocation, type RerankGolden, readGolden } from '../conformance/golden.js';

const config = { ...defaultEngineConfig, modelsUrl: null, threads: 1 };
const engine = createEngine({
  config,
  openModel: (name, options) => openModel(name, config, options),
  openBackend: loadWasmBackend,
  probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
  wasmSupports: supportsModel,
  verdicts: createMemoryVerdicts(),
  modelIdOf,
});

beforeAll(() => {
  setThreadFactory(null);
});

afterAll(() => engine.dispose());

test.each(['bert-cls', 'xlmr-cls', 'roberta-mean', 'distilbert-mean'])(
  '%s gives the golden vectors and counts the golden tokens',
  async (family) => {
    const { inputs, embeddings, input_ids: ids } = readGolden<EmbeddingGolden>(family);
    const model = fixtureLocation(family).base;
    const status = await engine.load(model, { dtype: 'f32' });
    expect(status.backend).toMatchObject({ backend: 'wasm', device: 'wasm', dtype: 'f32' });
    const none = { promptName: null, prompt: '', dimensions: null, normalize: null, maxTokens: null };
    const result = await engine.embed({ model, inputs, ...none, truncate: true, truncateSide: 'right' });
    const width = result.dimensions;
    const rows = embeddings.map((row, i) => cosine(row, result.embeddings.subarray(i * width, (i + 1) * width)));
    expect(Math.min(...rows)).toBeGreaterThanOrEqual(0.99999);
    expect(result.usage.promptTokens).toBe(ids.flat().length);
  },
);

test.each(['bert-reranker', 'xlmr-reranker'])('%s gives the golden logits', async (family) => {
  const { query, documents, logits } = readGolden<RerankGolden>(family);
  const model = fixtureLocation(family).base;
  await engine.load(model, { dtype: 'f32' });
  const limits = { maxTokensPerDocument: null, truncate: true };
  const { scores } = await engine.rerank({ model, query, documents, scoreActivation: 'none', ...limits });
  logits.forEach((logit, i) => void expect(Math.abs((scores[i] ?? Number.NaN) - logit)).toBeLessThan(1e-3));
});
