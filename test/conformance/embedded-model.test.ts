/** The model that comes with the project, against a quarter of the vectors that sentence-transformers computed in f32. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { loadWasmBackend, type WasmBackend } from '../../src/backend/wasm/index.js';
import { cosine, type FixtureModel, openModel, packBatch } from './golden.js';

interface Golden {
  texts: string[];
  input_ids: number[][];
  embeddings: number[][];
}

const id = 'all-MiniLM-L6-v2';
const root = join(import.meta.dirname, '../..');
const golden: Golden = JSON.parse(readFileSync(join(root, `test/fixtures/goldens/${id}.json`), 'utf8'));
const location = { kind: 'folder', base: `${join(root, 'public/models', id)}/`, headers: {}, cache: false } as const;
let model: FixtureModel;
let backend: WasmBackend;

beforeAll(async () => {
  await ensureKernels();
  model = await openModel(id, location);
  backend = await loadWasmBackend(
    { spec: model.spec, location, backend: 'wasm', device: 'wasm', dtype: 'auto', threads: 1, assetsUrl: null },
    {},
  );
}, 60_000);
afterAll(() => backend.dispose());

describe('the embedded model', () => {
  it('gives the token ids of the reference', () => {
    const ids = golden.texts.map((text) => [...model.tokenizer.encode(text, { truncate: true }).inputIds]);
    expect(ids).toEqual(golden.input_ids);
  });

  it('gives vectors with a mean cosine of 0.9993 and a least of 0.998 in 8 bits', async () => {
    expect(backend.info.dtype).toBe('q8');
    const batch = packBatch(golden.texts.map((text) => model.tokenizer.encode(text, { truncate: true })));
    const vectors = await backend.run(batch);
    const cosines = golden.embeddings.map((embedding, text) =>
      cosine(vectors.subarray(text * backend.width, (text + 1) * backend.width), embedding),
    );
    expect(Math.min(...cosines)).toBeGreaterThan(0.998);
    expect(cosines.reduce((sum, value) => sum + value, 0) / cosines.length).toBeGreaterThan(0.9993);
  }, 60_000);
});
