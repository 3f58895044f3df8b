/** The vectors of single tokens: two engines agree on them, and their mean is what sentence-transformers computed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { Backend, BackendName, BackendRequest, TokenBatch } from '../../src/backend/backend.js';
import { loadOnnxBackend } from '../../src/backend/onnx/index.js';
import { poolPacked } from '../../src/backend/pooling.js';
import { loadWasmBackend, setThreadFactory } from '../../src/backend/wasm/index.js';
import { cosine, type EmbeddingGolden, type FixtureModel, openFixture, packBatch, readGolden } from './golden.js';

function requestFor({ spec, location }: FixtureModel, backend: BackendName): BackendRequest {
  return { spec, location, backend, device: 'wasm', dtype: 'f32', threads: 1, assetsUrl: null };
}

function rowsOf(values: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: values.length / width }, (_, row) => values.subarray(row * width, (row + 1) * width));
}

beforeAll(async () => {
  setThreadFactory(null);
  await ensureKernels();
});

describe.each(['bert-cls', 'bert-mean-unnormalized', 'xlmr-cls'])('tokens of %s', (family) => {
  const golden = readGolden<EmbeddingGolden>(family);
  let model: FixtureModel;
  let wasm: Backend;
  let onnx: Backend;
  let wasmTokens: Float32Array;

  const batch = (): TokenBatch => ({
    ...packBatch(golden.inputs.map((text) => model.tokenizer.encode(text, { truncate: true }))),
    output: 'tokens',
  });

  beforeAll(async () => {
    model = await openFixture(family);
    wasm = await loadWasmBackend(requestFor(model, 'wasm'), {});
    onnx = await loadOnnxBackend(requestFor(model, 'onnx'), {});
    wasmTokens = await wasm.run(batch());
  });
  afterAll(async () => {
    await wasm.dispose();
    await onnx.dispose();
  });

  it('are one a token, in the order of the batch, and the same in both engines', async () => {
    expect(wasmTokens.length).toBe(golden.input_ids.flat().length * wasm.width);
    const others = rowsOf(await onnx.run(batch()), onnx.width);
    const cosines = rowsOf(wasmTokens, wasm.width).map((row, token) => cosine(row, others[token] ?? []));
    expect(Math.min(...cosines)).toBeGreaterThan(0.99999);
  });

  it('pool to the vectors of the reference', () => {
    const { offsets } = batch();
    const pooled = rowsOf(
      poolPacked({ hidden: wasmTokens, width: wasm.width, offsets }, model.spec.pooling),
      wasm.width,
    );
    const cosines = pooled.map((row, text) => cosine(row, golden.embeddings[text] ?? []));
    expect(Math.min(...cosines)).toBeGreaterThan(0.99999);
  });
});

it.each([
  ['wasm', loadWasmBackend],
  ['onnx', loadOnnxBackend],
] as const)('a reranker gives no tokens in the %s engine', async (name, load) => {
  const model = await openFixture('bert-reranker');
  const backend = await load(requestFor(model, name), {});
  const tokens = { ...packBatch([model.tokenizer.encodePair('a', 'b')]), output: 'tokens' } as const;
  await expect(backend.run(tokens)).rejects.toThrow();
  await backend.dispose();
});
