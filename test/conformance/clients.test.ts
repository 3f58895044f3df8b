/** Clients that people have already, unmodified, against a real engine behind a server on loopback. */
import { createRequire } from 'node:module';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { CohereRerank } from '@langchain/cohere';
import { Document } from '@langchain/core/documents';
import { OpenAIEmbeddings } from '@langchain/openai';
import { APICallError, embed, embedMany } from 'ai';
import { BadRequestError, RateLimitError } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Engine } from '../../src/core/engine.js';
import type { RunningServer } from '../../src/edge/index.js';
import { cosine, type EmbeddingGolden, type RerankGolden, readGolden } from './golden.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';
import { findPython, runPython } from './python.js';

const model = 'bert-cls';
const golden = readGolden<EmbeddingGolden>(model);
const texts = golden.inputs.slice(0, 4);
/** The version of Cohere's own package that LangChain brings. */
const { CohereClient } = createRequire(import.meta.resolve('@langchain/cohere'))('cohere-ai');

let built: NodePackage;
let engine: Engine;
let server: RunningServer;
/** So many of the next calls are refused, as by a full queue. */
let refusals = 0;

beforeAll(async () => {
  built = await bundleNodePackage();
  const { createNodeEngine, createHandler, listen, VecinityError } = built.module;
  engine = await createNodeEngine({ modelsDir: fixtureModels, threads: 1, dtype: 'f32' });
  await engine.load(model);
  await engine.load('bert-reranker');
  const gate = new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return (...given: unknown[]) => {
        if ((name !== 'embed' && name !== 'rerank') || refusals === 0) return member.apply(target, given);
        refusals -= 1;
        throw new VecinityError('overloaded', 'The queue is full.', { retryAfterMs: 1 });
      };
    },
  });
  server = await listen(createHandler({ engine: gate }));
});
afterAll(async () => {
  await server.close();
  await engine.dispose();
  await built.remove();
});
beforeEach(() => {
  refusals = 0;
});

function expectGolden(vectors: readonly (readonly number[])[]): void {
  expect(vectors).toHaveLength(texts.length);
  for (const [index, vector] of vectors.entries()) {
    expect(cosine(vector, golden.embeddings[index] ?? [])).toBeGreaterThanOrEqual(0.99999);
  }
}

describe('@langchain/openai', () => {
  const client = (options: Partial<ConstructorParameters<typeof OpenAIEmbeddings>[0]> = {}) =>
    new OpenAIEmbeddings({ model, apiKey: 'none', configuration: { baseURL: `${server.url}/v1` }, ...options });

  it('embeds documents and queries, as floats and as base64', async () => {
    expectGolden(await client().embedDocuments(texts));
    const floats = await client({ encodingFormat: 'float' }).embedQuery(texts[0] ?? '');
    // The package hands base64 on as it came when it is asked for by name.
    const packed = String(await client({ encodingFormat: 'base64' }).embedQuery(texts[0] ?? ''));
    expect([...new Float32Array(Uint8Array.from(Buffer.from(packed, 'base64')).buffer)]).toEqual(floats);
  });

  it('cuts vectors to fewer dimensions', async () => {
    expect(await client({ dimensions: 16 }).embedQuery('a')).toHaveLength(16);
  });

  it('comes back after a 429, and raises its own error when it may not', async () => {
    refusals = 1;
    expect(await client({ maxRetries: 1 }).embedQuery('a')).toHaveLength(golden.embeddings[0]?.length ?? 0);
    refusals = 1;
    await expect(client({ maxRetries: 0 }).embedQuery('a')).rejects.toBeInstanceOf(RateLimitError);
  });

  it('raises BadRequestError for a wrong request', async () => {
    const wrong = client({ dimensions: 10_000 }).embedQuery('a');
    await expect(wrong).rejects.toBeInstanceOf(BadRequestError);
    await expect(wrong).rejects.toMatchObject({ status: 400, param: 'dimensions' });
  });
});

describe('@langchain/cohere', () => {
  it('reranks documents with the scores of the reference', async () => {
    const { query, documents, logits } = readGolden<RerankGolden>('bert-reranker');
    const reranker = new CohereRerank({
      model: 'bert-reranker',
      topN: 3,
      client: new CohereClient({ token: 'none', environment: server.url }),
    });
    const given = documents.map((pageContent, at) => new Document({ pageContent, metadata: { at } }));
    const kept = await reranker.compressDocuments(given, query);
    const scores = logits.map((logit) => 1 / (1 + Math.exp(-logit)));
    const best = [...scores].sort((a, b) => b - a).slice(0, 3);
    expect(kept).toHaveLength(3);
    for (const [place, { metadata }] of kept.entries()) {
      expect(metadata.relevanceScore).toBeCloseTo(best[place] ?? Number.NaN, 3);
      expect(metadata.relevanceScore).toBeCloseTo(scores[metadata.at] ?? Number.NaN, 3);
    }
  });
});

describe('the AI SDK with an OpenAI-compatible provider', () => {
  const named = () => createOpenAICompatible({ name: 'vecinity', baseURL: `${server.url}/v1` }).embeddingModel(model);

  it('embeds many texts and counts their tokens', async () => {
    const { embeddings, usage } = await embedMany({ model: named(), values: texts });
    expectGolden(embeddings);
    expect(usage.tokens).toBe(golden.input_ids.slice(0, texts.length).flat().length);
  });

  it('cuts vectors to fewer dimensions', async () => {
    const options = { vecinity: { dimensions: 16 } };
    expect((await embed({ model: named(), value: 'a', providerOptions: options })).embedding).toHaveLength(16);
  });

  it('comes back after a 429, and raises its own error when it may not', async () => {
    refusals = 1;
    expect((await embed({ model: named(), value: 'a' })).embedding).not.toEqual([]);
    refusals = 1;
    const refused = embed({ model: named(), value: 'a', maxRetries: 0 });
    await expect(refused).rejects.toSatisfy(APICallError.isInstance);
    await expect(refused).rejects.toMatchObject({ statusCode: 429, isRetryable: true });
  });

  it('raises an error with our words for a wrong request', async () => {
    const wrong = embed({ model: named(), value: 'a', providerOptions: { vecinity: { dimensions: 10_000 } } });
    await expect(wrong).rejects.toMatchObject({
      statusCode: 400,
      isRetryable: false,
      message: expect.stringContaining('dimensions'),
    });
  });

  it('cancels what the server computes', async () => {
    const controller = new AbortController();
    const begun = new Promise<void>((resolve) => engine.onRun(() => resolve()));
    // So many that they take many runs.
    const values = Array.from({ length: 2_000 }, (_, at) => `text ${at} `.repeat(20));
    const asked = embedMany({ model: named(), values, abortSignal: controller.signal });
    await begun;
    controller.abort();
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(() => engine.status().queue.inputs).toBe(0);
  });
});

/** What the `voyageai` clients send and read, without them. */
describe('calls in the form of voyageai', () => {
  const post = async (path: string, body: object) => {
    const response = await fetch(`${server.url}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer pa-none' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };

  it('embeds with `input_type`, `truncation` and an `encoding_format` that is null', async () => {
    const { body } = await post('embeddings', {
      model,
      input: texts,
      input_type: 'document',
      truncation: true,
      encoding_format: null,
    });
    expectGolden(body.data.map(({ embedding }: { embedding: number[] }) => embedding));
    expect(body.usage.total_tokens).toBe(golden.input_ids.slice(0, texts.length).flat().length);
  });

  it('refuses an input type that the API does not have', async () => {
    const { status, body } = await post('embeddings', { model, input: 'a', input_type: 'no such type' });
    expect([status, body.error.param]).toEqual([400, 'input_type']);
  });
});

describe('openai for Python', () => {
  it('gets vectors, errors and retries, where Python has the package', async () => {
    const python = await findPython('openai');
    console.log(`openai for Python: ${python.version ? `run, ${python.version}` : `absent: ${python.reason}`}`);
    expect(python.version ?? python.reason).not.toBe('');
    if (!python.version) return;
    refusals = 1;
    const report = await runPython('test/conformance/openai-client.py', [
      `${server.url}/v1`,
      model,
      JSON.stringify(texts),
    ]);
    expectGolden(report.vectors);
    expect(report.vectors).toEqual(report.floats);
    expect(report).toMatchObject({
      dimensions: 16,
      error: 'BadRequestError',
      param: 'dimensions',
      models: [model, 'bert-reranker'],
    });
    expect(report.tokens).toBe(golden.input_ids.slice(0, texts.length).flat().length);
  });
});
