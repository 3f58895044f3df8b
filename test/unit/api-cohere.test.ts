/** Cohere's routes, with the official `cohere-ai` package where it can say it, and raw. */
import { CohereClient, CohereClientV2, CohereError } from 'cohere-ai';
import { describe, expect, it } from 'vitest';
import { createApi } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';
import { serveApi } from './api-server.js';

const path = '/v2/embed';
const body = { model: 'embed-v4.0', input_type: 'search_document', texts: ['one', 'three'] };
const clientOf = (url: string) => new CohereClientV2({ token: 'sk-right', baseUrl: url, maxRetries: 0 });

describe('the cohere-ai package', () => {
  it('gets embeddings of every type', async () => {
    const { url } = await serveApi({ apiKey: 'sk-right' });
    const answer = await clientOf(url).embed({
      model: 'embed-v4.0',
      inputType: 'search_query',
      texts: ['one', 'three'],
      outputDimension: 16,
      embeddingTypes: ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'],
    });
    const one = [...fakeEmbedding('one', 16)];
    expect(answer.embeddings.float?.[0]).toEqual(one);
    expect(answer.embeddings.int8?.[0]).toHaveLength(16);
    expect(answer.embeddings.uint8?.[0]).toEqual(answer.embeddings.int8?.[0]?.map((code) => code + 128));
    expect(answer.embeddings.binary?.[1]).toEqual(answer.embeddings.ubinary?.[1]?.map((bits) => bits - 128));
    expect(answer.embeddings.base64?.[0]).toBe(Buffer.from(Float32Array.from(one).buffer).toString('base64'));
    expect(answer.texts).toEqual(['one', 'three']);
    expect(answer.meta).toMatchObject({ billedUnits: { inputTokens: 12 }, tokens: { inputTokens: 12 } });
  });

  it('gets places and scores without documents', async () => {
    const { url } = await serveApi({ apiKey: 'sk-right' });
    const answer = await clientOf(url).rerank({
      model: 'rerank-v3.5',
      query: 'q',
      documents: ['a', 'longest one', 'longer'],
      topN: 2,
    });
    expect(answer.results.map(({ index }) => index)).toEqual([1, 2]);
    expect(Object.keys(answer.results[0] ?? {})).toEqual(['index', 'relevanceScore']);
  });

  it('raises its own error with our words', async () => {
    const { url } = await serveApi({ apiKey: 'sk-other' });
    const failed = clientOf(url).rerank({ model: 'm', query: 'q', documents: ['a'] });
    await expect(failed).rejects.toBeInstanceOf(CohereError);
    await expect(failed).rejects.toMatchObject({
      statusCode: 401,
      body: { message: expect.stringContaining('API key is wrong') },
    });
  });
});

describe('POST /v2/embed', () => {
  it('gives floats when no type is named, in Cohere’s frame', async () => {
    const answer = await (await createApi().post(path, body)).json();
    expect(Object.keys(answer)).toEqual(['id', 'embeddings', 'texts', 'meta']);
    expect(answer.embeddings).toEqual({ float: [[...fakeEmbedding('one', 4)], [...fakeEmbedding('three', 4)]] });
  });

  it.each([
    [{}, true, 'right'],
    [{ truncate: 'END' }, true, 'right'],
    [{ truncate: 'START' }, true, 'left'],
    [{ truncate: 'NONE' }, false, 'right'],
  ])('with %j truncates: %s, on the %s', async (option, truncate, truncateSide) => {
    const { post, engine } = createApi();
    await post(path, { ...body, ...option, max_tokens: 7, output_dimension: 2 });
    const wanted = { truncate, truncateSide, maxTokens: 7, dimensions: 2, promptName: 'passage' };
    expect(engine.embedRequests[0]).toMatchObject(wanted);
  });

  it('takes texts as parts of a content', async () => {
    const { post, engine } = createApi();
    const inputs = [
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ];
    expect((await post(path, { model: 'm', inputs })).status).toBe(200);
    expect(engine.embedRequests[0]?.inputs).toEqual(['a\nb']);
  });

  it.each([
    [{ texts: undefined }, '`texts` is required'],
    [{ texts: [] }, '`texts` must be an array of 1 to 2,048 strings; got an empty array'],
    [{ embedding_types: ['int4'] }, '`embedding_types[0]` must be one of "float", "int8"'],
    [{ embedding_types: [] }, '`embedding_types` must be an array of 1 to 6 of "float"'],
    [{ truncate: 'MIDDLE' }, '`truncate` must be one of "NONE", "START", "END"'],
    [{ input_type: 'image' }, '`input_type` must be one of'],
    [{ output_dimension: 4, embedding_types: ['binary'] }, '`output_dimension` must be a multiple of 8'],
    [
      { texts: undefined, inputs: 'a' },
      '`inputs` must be an array of 1 to 2,048 {"content": array of texts}; got string',
    ],
    [{ texts: undefined, inputs: ['a'] }, '`inputs[0]` must be {"content": array of texts}; got string "a"'],
    [{ texts: undefined, inputs: [{ content: [] }] }, '`inputs[0].content` must be an array of 1 to 2,048 {"type"'],
    [{ texts: undefined, inputs: [{ content: [{ type: 'image_url' }] }] }, 'the word "text"'],
  ])('refuses %j in both Cohere’s and OpenAI’s words', async (change, message) => {
    const response = await createApi().post(path, { ...body, ...change });
    const answer = await response.json();
    expect(response.status).toBe(400);
    expect(answer.message).toContain(message);
    expect(answer.error.message).toBe(answer.message);
  });

  it('writes the largest codes and widths there are', async () => {
    const types = ['int8', 'uint8', 'ubinary', 'binary'];
    const request = { ...body, output_dimension: 1024, embedding_types: types };
    const { embeddings } = await (await createApi().post(path, request)).json();
    expect(Math.max(...embeddings.int8[0].map(Math.abs))).toBe(127);
    expect(embeddings.ubinary[0]).toHaveLength(128);
    const bits = (embeddings.ubinary[0] as number[]).flatMap((byte) => [...byte.toString(2).padStart(8, '0')]);
    expect(bits.map(Number)).toEqual([...fakeEmbedding('one', 1024)].map((value) => Number(value > 0)));
  });
});

it('8-bit codes keep the direction of a vector', async () => {
  const { embeddings } = await (
    await createApi().post(path, { ...body, output_dimension: 384, embedding_types: ['float', 'int8'] })
  ).json();
  const [float, int8]: [number[], number[]] = [embeddings.float[0], embeddings.int8[0]];
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
  expect(dot(float, int8) / Math.sqrt(dot(float, float) * dot(int8, int8))).toBeGreaterThan(0.9999);
});

it('POST /v2/rerank prefers a reranker and cuts documents where it is told to', async () => {
  const engine = new FakeEngine([fakeModel('embedder', 'embedding'), fakeModel('ranker', 'rerank')]);
  const { post } = createApi({}, engine);
  await post('/v2/rerank', { model: 'rerank-v3.5', query: 'q', documents: ['a'], max_tokens_per_doc: 9 });
  expect(engine.rerankRequests[0]).toMatchObject({ model: 'ranker', maxTokensPerDocument: 9, truncate: true });
});

describe('/v1/embed', () => {
  it('answers bare vectors to the first version of the package', async () => {
    const { url } = await serveApi();
    const client = new CohereClient({ token: 'none', baseUrl: url, maxRetries: 0 });
    const answer = await client.embed({
      model: 'embed-english-v3.0',
      texts: ['one', 'three'],
      inputType: 'search_query',
    });
    expect(answer).toMatchObject({
      responseType: 'embeddings_floats',
      embeddings: [[...fakeEmbedding('one', 4)], [...fakeEmbedding('three', 4)]],
      texts: ['one', 'three'],
    });
  });

  it('answers vectors by type where the request names types', async () => {
    const { post } = createApi();
    const answer = await (await post('/v1/embed', { texts: ['one'], embedding_types: ['float', 'int8'] })).json();
    expect(answer).toMatchObject({ response_type: 'embeddings_by_type', meta: { api_version: { version: '1' } } });
    expect(answer.embeddings.float).toEqual([[...fakeEmbedding('one', 4)]]);
    expect(Object.keys(answer.embeddings)).toEqual(['float', 'int8']);
  });
});
