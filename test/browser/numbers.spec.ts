/** Every way into the engine gives the same numbers, and they are those of the reference implementation. */
import { expect, test } from '@playwright/test';
import {
  type EmbeddingGolden,
  fetchEmbeddings,
  leaks,
  openEngine,
  type RerankGolden,
  readGolden,
  registerServiceWorker,
  vectorsOf,
  worstCosine,
} from './engine-page.js';

test.afterEach(async ({ context }) => {
  expect(await leaks(context)).toEqual([]);
});

test('client, vecinity.fetch, plain fetch and the openai package agree with each other and with the reference', async ({
  page,
}) => {
  const golden = await readGolden<EmbeddingGolden>('bert-cls');
  await openEngine(page);
  expect(await registerServiceWorker(page)).toMatchObject({ controlled: true, outdated: false });

  const plain = await fetchEmbeddings(page, golden.inputs);
  expect(plain.status).toBe(200);
  const vectors = vectorsOf(plain.body);
  expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
  const tokens = golden.input_ids.reduce((sum, ids) => sum + ids.length, 0);
  expect(plain.body.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });

  const others = await page.evaluate(async (inputs) => {
    const { vecinity } = window;
    const client = new window.subject.OpenAI({
      baseURL: new URL('/v1', location.href).href,
      apiKey: 'none',
      dangerouslyAllowBrowser: true,
    });
    const { fetch } = vecinity;
    const direct = await fetch('/v1/embeddings', {
      method: 'POST',
      body: JSON.stringify({ input: inputs }),
      headers: { 'content-type': 'application/json' },
    });
    const typed = await vecinity.embed(inputs);
    const created = await vecinity.embeddings.create({ input: inputs });
    const openai = await client.embeddings.create({ model: 'bert-cls', input: inputs });
    return {
      typed: typed.map((vector) => [...vector]),
      created: created.data.map(({ embedding }) => [...(embedding as Float32Array)]),
      direct: ((await direct.json()) as { data: { embedding: number[] }[] }).data.map(({ embedding }) => embedding),
      openai: openai.data.map(({ embedding }) => [...embedding]),
    };
  }, golden.inputs);
  for (const [way, embeddings] of Object.entries(others)) expect(embeddings, way).toEqual(vectors);
});

test('one text gives one vector, several give a list', async ({ page }) => {
  await openEngine(page);
  const kinds = await page.evaluate(async () => {
    const one = await window.vecinity.embed('one');
    const two = await window.vecinity.embed(['one', 'two']);
    return [
      one instanceof Float32Array,
      one.length === two[0]?.length,
      two.length,
      [...one].every((x, i) => x === two[0]?.[i]),
    ];
  });
  expect(kinds.slice(0, 3)).toEqual([true, true, 2]);
});

test('rerank sorts documents by the reference scores and gives them back', async ({ page }) => {
  const golden = await readGolden<RerankGolden>('bert-reranker');
  await openEngine(page, { model: 'bert-reranker' });
  const { ranked, raw } = await page.evaluate(
    async ({ query, documents }) => ({
      ranked: await window.vecinity.rerank(query, documents),
      raw: await window.vecinity.rerank(query, documents, { rawScores: true, topN: 2, returnDocuments: false }),
    }),
    golden,
  );
  expect(ranked.map(({ document }) => document)).toEqual(ranked.map(({ index }) => golden.documents[index]));
  for (const { index, score } of ranked) expect(score).toBeCloseTo(golden.scores_sigmoid[index] ?? Number.NaN, 3);
  expect(ranked.map(({ score }) => score)).toEqual(ranked.map(({ score }) => score).toSorted((a, b) => b - a));
  expect(raw).toHaveLength(2);
  for (const { index, score } of raw) expect(score).toBeCloseTo(golden.logits[index] ?? Number.NaN, 3);
});

test('similarity compares texts and vectors by the measure of the model', async ({ page }) => {
  await openEngine(page);
  const { single, matrix, mixed, refusal } = await page.evaluate(async () => {
    const { vecinity } = window;
    return {
      single: await vecinity.similarity('a cat', 'a cat'),
      matrix: await vecinity.similarity(['a cat', 'a dog'], ['a cat', 'a dog', 'a house']),
      mixed: await vecinity.similarity(await vecinity.embed('a cat'), 'a dog'),
      // The cast is the point: plain JavaScript leaves arguments out.
      refusal: await vecinity.similarity('a cat', undefined as unknown as string).catch((error) => error.message),
    };
  });
  expect(refusal).toBe('`b` must be a text, a vector, or a list of them; got undefined.');
  expect(single).toBeCloseTo(1, 5);
  expect(matrix.map((row) => row.length)).toEqual([3, 3]);
  expect(matrix[0]?.[1]).toBeCloseTo(matrix[1]?.[0] ?? Number.NaN, 5);
  expect(mixed).toBeCloseTo(matrix[0]?.[1] ?? Number.NaN, 5);
});

test.describe('onnxruntime on WASM, where a model has no safetensors,', () => {
  const modelsUrl = '/onnx-only/models/';

  for (const model of ['bert-cls', 'bert-mean-unnormalized', 'xlmr-cls', 'modernbert-mean']) {
    test(`gives the reference's vectors of ${model}`, async ({ page }) => {
      const golden = await readGolden<EmbeddingGolden>(model);
      await openEngine(page, { model, modelsUrl });
      const { vectors, backend } = await page.evaluate(
        async (inputs) => ({
          vectors: (await window.vecinity.embed(inputs, { prompt: '', truncate: true })).map((vector) => [...vector]),
          backend: (await window.vecinity.status()).models[0]?.backend?.backend,
        }),
        golden.inputs,
      );
      expect(backend).toBe('onnx');
      expect(worstCosine(vectors, golden.embeddings)).toBeGreaterThanOrEqual(0.99999);
    });
  }

  for (const model of ['bert-reranker', 'xlmr-reranker']) {
    test(`gives the reference's logits of ${model}`, async ({ page }) => {
      const golden = await readGolden<RerankGolden>(model);
      await openEngine(page, { model, modelsUrl });
      const ranked = await page.evaluate(
        ({ query, documents }) => window.vecinity.rerank(query, documents, { rawScores: true }),
        golden,
      );
      expect(ranked).toHaveLength(golden.documents.length);
      for (const { index, score } of ranked) {
        expect(Math.abs(score - (golden.logits[index] ?? Number.NaN))).toBeLessThanOrEqual(1e-3);
      }
    });
  }
});
