/** The package's Node half as users run it: a real engine in threads behind a real server, and the official SDK. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine, LoadProgress } from '../../src/core/engine.js';
import type { RunningServer } from '../../src/edge/index.js';
import { cosine, type EmbeddingGolden, type RerankGolden, readGolden } from './golden.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';

let built: NodePackage;

beforeAll(async () => {
  built = await bundleNodePackage();
});
afterAll(() => built.remove());

describe('a server on Node', () => {
  let engine: Engine;
  let server: RunningServer;

  beforeAll(async () => {
    const { createNodeEngine, createHandler, listen } = built.module;
    engine = await createNodeEngine({ modelsDir: fixtureModels, threads: 2, dtype: 'f32' });
    await engine.load('bert-cls');
    await engine.load('bert-reranker');
    server = await listen(createHandler({ engine }));
  });
  afterAll(async () => {
    await server.close();
    await engine.dispose();
  });

  const post = (path: string, body: unknown) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('tells of a load whole files, each once, and no phase twice', async () => {
    const other = await built.module.createNodeEngine({ modelsDir: fixtureModels, threads: 2 });
    const seen: LoadProgress[] = [];
    await other.load('bert-cls', { onProgress: (progress) => seen.push(progress) }).finally(() => other.dispose());
    const phases = seen.map(({ phase }) => phase);
    expect(phases.filter((phase, at) => phase !== phases[at - 1])).toEqual(['download', 'compile', 'check', 'ready']);
    const { size } = await stat(path.join(fixtureModels, 'bert-cls/model.safetensors'));
    expect(seen.at(-1)?.files['model.safetensors']).toEqual({
      loadedBytes: size,
      totalBytes: size,
      resumedBytes: size,
    });
    expect(seen.length).toBeLessThanOrEqual(Object.keys(seen.at(-1)?.files ?? {}).length + 4);
  });

  it('computes with our own engine in two threads, with relaxed SIMD', () => {
    expect(engine.status().models.map(({ backend }) => backend)).toEqual([
      expect.objectContaining({ details: expect.objectContaining({ level: 'relaxed' }), threads: 2 }),
      expect.objectContaining({ backend: 'wasm', threads: 2, dtype: 'f32' }),
    ]);
  });

  it('gives the openai package the vectors of the reference', async () => {
    const golden = readGolden<EmbeddingGolden>('bert-cls');
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
    const { data } = await client.embeddings.create({ model: 'bert-cls', input: golden.inputs.slice(0, 8) });
    for (const [index, { embedding }] of data.entries()) {
      expect(cosine(embedding, golden.embeddings[index] ?? [])).toBeGreaterThanOrEqual(0.99999);
    }
  });

  it('gives the logits of the reference to a reranker’s callers', async () => {
    const { query, documents, logits } = readGolden<RerankGolden>('bert-reranker');
    const response = await post('/v1/rerank', { query, documents, model: 'bert-reranker', raw_scores: true });
    const { results }: { results: { index: number; relevance_score: number }[] } = await response.json();
    for (const { index, relevance_score } of results) {
      expect(Math.abs(relevance_score - (logits[index] ?? Number.NaN))).toBeLessThanOrEqual(1e-3);
    }
  });

  it('classifies pairs with the scores of the reference', async () => {
    const { query, documents, logits } = readGolden<RerankGolden>('bert-reranker');
    const inputs = documents.map((document) => [query, document]);
    const answer: { score: number }[][] = await (await post('/predict', { model: 'bert-reranker', inputs })).json();
    answer.forEach(([best], index) => {
      expect(best?.score).toBeCloseTo(1 / (1 + Math.exp(-(logits[index] ?? Number.NaN))), 3);
    });
    const response = await post('/predict', { model: 'bert-cls', inputs: 'a' });
    expect([response.status, (await response.json()).error_type]).toEqual([424, 'Backend']);
  });

  it('tokenizes as the reference does, and back', async () => {
    const { inputs, input_ids } = readGolden<EmbeddingGolden>('bert-cls');
    const short = inputs.flatMap((text, index) => ((input_ids[index]?.length ?? 0) < 64 ? [{ text, index }] : []));
    const texts = short.map(({ text }) => text);
    const tokens: { id: number }[][] = await (await post('/tokenize', { model: 'bert-cls', inputs: texts })).json();
    const ids = tokens.map((row) => row.map(({ id }) => id));
    expect(ids).toEqual(short.map(({ index }) => input_ids[index]));
    const again: string[] = await (await post('/decode', { model: 'bert-cls', ids })).json();
    expect(again).toHaveLength(texts.length);
    expect((await post('/decode', { model: 'bert-cls', ids: [[10_000_000]] })).status).toBe(422);
  });

  it('stops computing for a client that has gone', async () => {
    const controller = new AbortController();
    const begun = new Promise<void>((resolve) => engine.onRun(() => resolve()));
    const asked = fetch(`${server.url}/v1/embeddings`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        model: 'bert-cls',
        input: Array.from({ length: 2048 }, (_, i) => `text ${i} `.repeat(40)),
        truncate: true,
      }),
      signal: controller.signal,
    });
    await begun;
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await expect.poll(() => engine.status().queue.inputs).toBe(0);
    expect((await post('/v1/embeddings', { input: 'next' })).status).toBe(200);
  });
});
