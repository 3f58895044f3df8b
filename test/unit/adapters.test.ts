/** The adapters inside the real libraries, on an engine without a model: what is asked, what comes back, what fails how. */
import { quantize_embeddings, Tensor as TransformersTensor } from '@huggingface/transformers';
import { Document } from '@langchain/core/documents';
import { FakeVectorStore } from '@langchain/core/utils/testing';
import { Document as IndexedDocument, MetadataMode } from '@llamaindex/core/schema';
import { APICallError, createProviderRegistry, embed, embedMany, NoSuchModelError, rerank } from 'ai';
import { describe, expect, it } from 'vitest';
import { createVecinityProvider } from '../../src/adapters/ai-sdk.js';
import type { Calls } from '../../src/adapters/engine-calls.js';
import * as langchain from '../../src/adapters/langchain.js';
import * as llamaindex from '../../src/adapters/llamaindex.js';
import { pipeline, Tensor } from '../../src/adapters/pipeline.js';
import { VecinityError } from '../../src/errors.js';
import { FakeEngine, fakeEmbedding } from './api-engine.js';

const vectorOf = (text: string, dimensions = 4) => [...fakeEmbedding(text, dimensions)];
const full = () => new VecinityError('overloaded', 'The queue is full.', { retryAfterMs: 1 });

/** Refuses the first request, as a full queue does. */
function busyOnce(): FakeEngine {
  const engine = new FakeEngine();
  engine.before = () => {
    if (engine.embedRequests.length === 1) throw full();
  };
  return engine;
}

describe('the AI SDK', () => {
  it('embeds with the options of the model and of the call', async () => {
    const engine = new FakeEngine();
    const model = createVecinityProvider(engine).embeddingModel('m', { promptName: 'query' });
    const { embedding, usage } = await embed({
      model,
      value: 'one',
      providerOptions: { vecinity: { dimensions: 8, truncate: true } },
    });
    expect(embedding).toEqual(vectorOf('one', 8));
    expect(usage).toEqual({ tokens: 5 });
    expect(engine.embedRequests[0]).toMatchObject({ promptName: 'query', dimensions: 8, truncate: true });
  });

  it('embeds more texts than one call takes, in order', async () => {
    const engine = new FakeEngine();
    const values = Array.from({ length: 2_050 }, (_, at) => 'x'.repeat((at % 9) + 1));
    const { embeddings } = await embedMany({ model: createVecinityProvider(engine).embeddingModel('m'), values });
    expect(embeddings).toEqual(values.map((value) => vectorOf(value)));
    expect(engine.embedRequests.map(({ inputs }) => inputs.length)).toEqual([2_048, 2]);
  });

  it('ranks texts and objects', async () => {
    const model = createVecinityProvider(new FakeEngine()).rerankingModel('m');
    const texts = await rerank({ model, query: 'q', documents: ['a', 'longest one', 'longer'], topN: 2 });
    expect(texts.ranking.map(({ originalIndex, document }) => [originalIndex, document])).toEqual([
      [1, 'longest one'],
      [2, 'longer'],
    ]);
    const objects = await rerank({ model, query: 'q', documents: [{ n: 1 }, { name: 'long' }] });
    expect(objects.rerankedDocuments).toEqual([{ name: 'long' }, { n: 1 }]);
  });

  it('tries again when the queue was full, and fails with the SDK’s error when it stays full', async () => {
    const model = createVecinityProvider(busyOnce()).embeddingModel('m');
    expect((await embed({ model, value: 'one' })).embedding).toEqual(vectorOf('one'));
    const failed = embed({
      model: createVecinityProvider(busyOnce()).embeddingModel('m'),
      value: 'one',
      maxRetries: 0,
    });
    await expect(failed).rejects.toSatisfy(APICallError.isInstance);
    await expect(failed).rejects.toMatchObject({ statusCode: 429, isRetryable: true, data: { code: 'overloaded' } });
  });

  it('does not repeat a request that is wrong, and names what is wrong', async () => {
    const engine = new FakeEngine();
    const model = createVecinityProvider(engine).embeddingModel('m', { dimensions: 0 });
    await expect(embed({ model, value: 'one' })).rejects.toMatchObject({
      statusCode: 400,
      isRetryable: false,
      data: { code: 'invalid_request', param: 'dimensions' },
    });
    expect(engine.embedRequests).toEqual([]);
  });

  it('ends a call with the reason of its signal', async () => {
    const engine = new FakeEngine();
    const controller = new AbortController();
    engine.before = ({ signal }) => {
      controller.abort();
      throw new VecinityError('aborted', String(signal?.aborted));
    };
    const model = createVecinityProvider(engine).embeddingModel('m');
    await expect(embed({ model, value: 'one', abortSignal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(engine.embedRequests).toHaveLength(1);
  });

  it('is found by name in a registry, and has no model that writes text', async () => {
    const provider = createVecinityProvider(new FakeEngine());
    const registry = createProviderRegistry({ vecinity: provider });
    const { embedding } = await embed({ model: registry.embeddingModel('vecinity:m'), value: 'one' });
    expect(embedding).toEqual(vectorOf('one'));
    expect(() => registry.languageModel('vecinity:m')).toThrow(NoSuchModelError);
  });
});

describe('LangChain', () => {
  it('fills a vector store and finds in it, each side with its prompt', async () => {
    const engine = new FakeEngine();
    const embeddings = new langchain.VecinityEmbeddings({
      source: engine,
      dimensions: 8,
      queryPromptName: 'query',
      documentPromptName: 'passage',
    });
    const store = await FakeVectorStore.fromTexts(['a', 'twelve chars', 'more'], [{}, {}, {}], embeddings);
    const [found] = await store.similaritySearch('TWELVE CHARS', 1);
    expect(found?.pageContent).toBe('twelve chars');
    expect(engine.embedRequests.map(({ promptName }) => promptName)).toEqual(['passage', 'query']);
    expect(await embeddings.embedDocuments([])).toEqual([]);
  });

  it('retries as LangChain does', async () => {
    const retried = new langchain.VecinityEmbeddings({ source: busyOnce(), maxRetries: 1 });
    expect(await retried.embedQuery('one')).toEqual(vectorOf('one'));
    const once = new langchain.VecinityEmbeddings({ source: busyOnce(), maxRetries: 0 });
    await expect(once.embedQuery('one')).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('compresses documents to the best ones and leaves the given ones alone', async () => {
    const documents = ['a', 'longest one', 'longer'].map(
      (pageContent) => new Document({ pageContent, id: pageContent }),
    );
    const compressor = new langchain.VecinityRerank({ source: new FakeEngine(), topN: 2, rawScores: true });
    const kept = await compressor.compressDocuments(documents, 'q');
    expect(kept.map(({ id, metadata }) => [id, metadata])).toEqual([
      ['longest one', { relevanceScore: 8 }],
      ['longer', { relevanceScore: 3 }],
    ]);
    expect(documents.map(({ metadata }) => metadata)).toEqual([{}, {}, {}]);
    expect(await compressor.compressDocuments([], 'q')).toEqual([]);
  });
});

describe('LlamaIndex', () => {
  it('embeds nodes in batches and a query, each side with its prompt', async () => {
    const engine = new FakeEngine();
    const embedding = new llamaindex.VecinityEmbedding({
      source: engine,
      embedBatchSize: 2,
      queryPromptName: 'query',
      documentPromptName: 'passage',
    });
    const nodes = await embedding(['a', 'bb', 'ccc'].map((text) => new IndexedDocument({ text })));
    expect(nodes.map((node) => node.embedding)).toEqual(['a', 'bb', 'ccc'].map((text) => vectorOf(text)));
    expect(await embedding.getQueryEmbedding({ type: 'text', text: 'one' })).toEqual(vectorOf('one'));
    expect(await embedding.getTextEmbedding('two')).toEqual(vectorOf('two'));
    expect(engine.embedRequests.map(({ promptName, inputs }) => [promptName, inputs.length])).toEqual([
      ['passage', 2],
      ['passage', 1],
      ['query', 1],
      ['passage', 1],
    ]);
  });

  it('sorts nodes by how well they fit the query', async () => {
    const nodes = ['a', 'longest one', 'longer'].map((text) => ({ node: new IndexedDocument({ text }), score: 0 }));
    const reranker = new llamaindex.VecinityRerank({ source: new FakeEngine(), topN: 2, rawScores: true });
    const kept = await reranker.postprocessNodes(nodes, [{ type: 'text', text: 'q' }]);
    expect(kept.map(({ node, score }) => [node.getContent(MetadataMode.NONE), score])).toEqual([
      ['longest one', 8],
      ['longer', 3],
    ]);
    await expect(reranker.postprocessNodes(nodes)).rejects.toMatchObject({ param: 'query' });
  });
});

describe('a pipeline', () => {
  const load = (engine = new FakeEngine()) => pipeline('feature-extraction', 'm', { source: engine });

  it('gives the numbers of Transformers.js’s tensor, for one text and for many', async () => {
    const extract = await load();
    const texts = ['a', 'bb', 'ccc'];
    const output = await extract(texts, { pooling: 'mean', normalize: true });
    const data = Float32Array.from(texts.flatMap((text) => vectorOf(text)));
    const peer = new TransformersTensor('float32', data, [3, 4]);
    expect(output.tolist()).toEqual(peer.tolist());
    expect([output.type, output.dims, output.size]).toEqual([peer.type, peer.dims, peer.size]);
    expect(output.data).toEqual(peer.data);
    expect((await extract('a')).dims).toEqual([1, 4]);
  });

  it.each(['binary', 'ubinary'] as const)('packs signs as Transformers.js does: %s', async (precision) => {
    const wide = Float32Array.from({ length: 32 }, (_, at) => Math.sin(at * 3));
    const calls: Calls = { ...(await callsGiving(wide, 16)) };
    const extract = await pipeline('feature-extraction', 'm', { source: calls });
    const output = await extract(['a', 'b'], { quantize: true, precision });
    const peer = quantize_embeddings(new TransformersTensor('float32', wide, [2, 16]), precision);
    expect([output.type, [...output.dims], output.data]).toEqual([peer.type, peer.dims, peer.data]);
  });

  it('asks for what Transformers.js does by default: no prompt, long texts cut, nothing normalised', async () => {
    const engine = new FakeEngine();
    await (await load(engine))('a');
    expect(engine.embedRequests[0]).toMatchObject({ model: 'm', prompt: '', truncate: true, normalize: false });
  });

  it('loads and unloads its model', async () => {
    const engine = new FakeEngine();
    const extract = await load(engine);
    await extract.dispose();
    expect([engine.loads, engine.unloads]).toEqual([['m'], ['m']]);
  });

  it('refuses a pooling that is not the model’s, and any other task', async () => {
    const extract = await load();
    await expect(extract('a', { pooling: 'none' })).rejects.toMatchObject({ param: 'pooling' });
    await expect(extract('a', { pooling: 'first_token' })).rejects.toMatchObject({ param: 'pooling' });
    // A caller without types can name any task.
    const other = pipeline('text-generation' as 'feature-extraction', 'm', { source: new FakeEngine() });
    await expect(other).rejects.toMatchObject({ code: 'unsupported_task' });
  });

  it('makes no tensor of rows that differ in width', () => {
    expect(() => Tensor.fromRows([[1], [1, 2]], 'float')).toThrow(VecinityError);
  });
});

/** A source whose engine gives these vectors, whatever it is asked. */
async function callsGiving(data: Float32Array<ArrayBuffer>, dimensions: number): Promise<Calls> {
  const engine = new FakeEngine();
  const { toCalls } = await import('../../src/adapters/engine-calls.js');
  const embedOne = engine.embed.bind(engine);
  engine.embed = async (request) => ({ ...(await embedOne(request)), embeddings: data, dimensions });
  return toCalls(engine);
}
