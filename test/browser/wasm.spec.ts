/** The WASM engine where it is fastest: relaxed SIMD and threads, which Node 20 does not have. From the sources. */
import { expect, type Page, test } from '@playwright/test';
import type { TokenBatch } from '../../src/backend/backend.js';
import { type EmbeddingGolden, type RerankGolden, readGolden, worstCosine } from './engine-page.js';
import type { Question } from './pages/wasm-engine.js';

test.use({ baseURL: 'http://localhost:4174' });

test.beforeEach(async ({ page }) => {
  await page.goto('/wasm.html');
  await page.waitForFunction(() => 'askEngine' in window);
});

interface Answer {
  info: { dtype: string; threads: number; details: Record<string, string> };
  width: number;
  results: number[][];
}

async function ask<T>(page: Page, question: Question): Promise<T> {
  // The page answers with what the question's branch of `wasm-engine.ts` returns.
  return (await page.evaluate((asked) => window.askEngine(asked), question)) as T;
}

function pack(texts: readonly number[][], typeIds: readonly number[][] | null = null): TokenBatch {
  const offsets = [0];
  for (const ids of texts) offsets.push((offsets.at(-1) ?? 0) + ids.length);
  const types = typeIds === null ? null : Int32Array.from(typeIds.flat());
  return { inputIds: Int32Array.from(texts.flat()), typeIds: types, offsets: Int32Array.from(offsets) };
}

function rowsOf(values: readonly number[], width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}

test('every form of every product is exact, and all kernels agree with plain arithmetic', async ({ page }) => {
  const forms = ['quad', 'pair', 'single', 'add', 'w16', 'i16', 'f32'] as const;
  expect(await ask(page, { ask: 'kernels', forms: [...forms] })).toEqual({ level: 'relaxed', wrong: [] });
});

test('all forms are exact here, and the longest sums are taken unless the add-dot is one instruction', async ({
  page,
}) => {
  const found = await ask<{ form: string; exactForm: string; exact: string[]; addsWide: boolean }>(page, {
    ask: 'form',
  });
  expect(found.exact).toEqual(['quad', 'pair', 'single', 'add']);
  expect(found.form).toBe(found.addsWide ? 'add' : 'quad');
  expect(found.exactForm).toBe(process.arch === 'x64' ? 'w16' : 'f32');
});

for (const family of [
  'bert-cls',
  'bert-mean-unnormalized',
  'xlmr-cls',
  'roberta-mean',
  'mpnet-mean',
  'distilbert-mean',
]) {
  test(`${family} gives the vectors of sentence-transformers, in f32 and in 8 bits`, async ({ page }) => {
    const golden = await readGolden<EmbeddingGolden>(family);
    const batches = [pack(golden.input_ids)];
    for (const [dtype, least] of [
      ['f32', 0.999998],
      ['q8', 0.998],
    ] as const) {
      const { results, width, info } = await ask<Answer>(page, {
        ask: 'run',
        model: family,
        dtype,
        threads: 1,
        batches,
      });
      expect(info.details.level).toBe('relaxed');
      expect(worstCosine(rowsOf(results[0] ?? [], width), golden.embeddings)).toBeGreaterThanOrEqual(least);
    }
  });
}

for (const family of ['bert-reranker', 'xlmr-reranker']) {
  test(`${family} gives the logits of transformers`, async ({ page }) => {
    const golden = await readGolden<
      RerankGolden & { input_ids: number[][]; token_type_ids: number[][]; logits: number[] }
    >(family);
    const types = golden.token_type_ids.every(Array.isArray) ? golden.token_type_ids : null;
    const batches = [pack(golden.input_ids, types)];
    const { results } = await ask<Answer>(page, { ask: 'run', model: family, dtype: 'f32', threads: 2, batches });
    golden.logits.forEach((logit, index) => {
      expect(Math.abs((results[0]?.[index] ?? 1e9) - logit)).toBeLessThan(1e-3);
    });
  });
}

test('threads change no bit of a vector, whether texts are shared out, one text is split, or runs overlap', async ({
  page,
}) => {
  const golden = await readGolden<EmbeddingGolden>('xlmr-cls');
  const long = Array.from({ length: 500 }, (_, i) => 5 + ((i * 37) % 1_700));
  const texts = [...golden.input_ids, long, ...golden.input_ids];
  const batches = [pack(texts), pack([long]), pack([long.slice(0, 49)]), pack([long.slice(0, 8)]), pack(texts)];
  for (const dtype of ['f32', 'q8'] as const) {
    const one = await ask<Answer>(page, { ask: 'run', model: 'xlmr-cls', dtype, threads: 1, batches });
    const three = await ask<Answer>(page, { ask: 'run', model: 'xlmr-cls', dtype, threads: 3, batches });
    expect(three.info.threads).toBe(3);
    expect(three.info.details.memory).toBe('shared');
    const shared = rowsOf(three.results[0] ?? [], three.width);
    expect(three.results[1]).toEqual(shared[golden.input_ids.length]);
    expect(three.results).toEqual(one.results);
    expect(three.results.at(-1)).toEqual(three.results[0]);
    const overlap = { ask: 'run', model: 'xlmr-cls', dtype, threads: 3, overlap: true, batches } as const;
    expect((await ask<Answer>(page, overlap)).results).toEqual(one.results);
  }
});
