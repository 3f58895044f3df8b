/** TEI's native routes, with the official `@huggingface/inference` package where it can say it, and raw. */
import { InferenceClient } from '@huggingface/inference';
import { describe, expect, it } from 'vitest';
import { cosine } from '../../src/core/similarity.js';
import { VecinityError } from '../../src/errors.js';
import { createApi } from './api-client.js';
import { FakeEngine, fakeEmbedding, fakeModel } from './api-engine.js';
import { serveApi } from './api-server.js';

const ranker = () => new FakeEngine([fakeModel('ranker', 'rerank', { spec: { dimensions: 1 } })]);

describe('the @huggingface/inference package', () => {
  it('extracts features at the root, one text or several', async () => {
    const { url } = await serveApi();
    const client = new InferenceClient('hf_none', { endpointUrl: url });
    expect(await client.featureExtraction({ inputs: 'one' })).toEqual([[...fakeEmbedding('one', 4)]]);
    expect(await client.featureExtraction({ inputs: ['one', 'three'] })).toHaveLength(2);
  });
});

describe('POST /embed', () => {
  it.each(['/embed', '/', '/invocations'])('is a bare array of vectors on %s', async (path) => {
    const response = await createApi().post(path, { inputs: ['one', [101, 7]] });
    expect(await response.json()).toEqual([[...fakeEmbedding('one', 4)], [...fakeEmbedding([101, 7], 4)]]);
    expect(response.headers.get('x-inference-time')).toBe('30.5');
  });

  it.each([
    [{}, { truncate: true, truncateSide: 'right', normalize: true, dimensions: null, promptName: null }],
    [
      { truncate: false, normalize: false, dimensions: 2 },
      { truncate: false, normalize: false, dimensions: 2 },
    ],
    [
      { truncation_direction: 'Left', prompt_name: 'query' },
      { truncateSide: 'left', promptName: 'query' },
    ],
  ])('with %j asks the engine for %j', async (options, wanted) => {
    const { post, engine } = createApi();
    await post('/embed', { inputs: 'a', ...options });
    expect(engine.embedRequests[0]).toMatchObject(wanted);
  });

  it.each([
    [{ inputs: [] }, 400, 'Empty'],
    [{}, 422, 'Validation'],
    [{ inputs: 'a', dimensions: 0 }, 422, 'Validation'],
    [{ inputs: Array(2049).fill('a') }, 422, 'Validation'],
  ])('refuses %j flatly with %i %s', async (body, status, kind) => {
    const response = await createApi().post('/embed', body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: expect.any(String), error_type: kind });
  });

  it.each([
    ['context_length_exceeded', 422, 'Validation'],
    ['unsupported_task', 424, 'Backend'],
    ['backend_failed', 424, 'Backend'],
    ['overloaded', 429, 'Overloaded'],
    ['worker_died', 503, 'Unhealthy'],
  ] as const)('says %s as %i %s', async (code, status, kind) => {
    const { post, engine } = createApi();
    engine.before = () => {
      throw new VecinityError(code, 'why');
    };
    const response = await post('/embed', { inputs: 'a' });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: 'why', error_type: kind });
  });
});

describe('POST /rerank', () => {
  const body = { query: 'q', texts: ['a', 'longest one', 'longer'] };

  it('is a bare array, best first, when the body has texts', async () => {
    const answer = await (await createApi({}, ranker()).post('/rerank', { ...body, raw_scores: true })).json();
    expect(answer).toEqual([
      { index: 1, score: 8 },
      { index: 2, score: 3 },
      { index: 0, score: -2 },
    ]);
  });

  it('returns texts when asked, and is the model’s own task at the root', async () => {
    const { post } = createApi({}, ranker());
    for (const path of ['/rerank', '/']) {
      const [best] = await (await post(path, { ...body, return_text: true })).json();
      expect(best).toEqual({ index: 1, score: expect.closeTo(1, 2), text: 'longest one' });
    }
  });

  it('is the other APIs’ object when the body has documents, in their errors too', async () => {
    const { post } = createApi({}, ranker());
    expect((await (await post('/rerank', { query: 'q', documents: ['a'] })).json()).results).toHaveLength(1);
    expect((await (await post('/rerank', { documents: 5 })).json()).error.type).toBe('invalid_request_error');
    expect((await (await post('/rerank', { texts: 5 })).json()).error_type).toBe('Validation');
    expect((await (await post('/rerank', { texts: [], query: 'q' })).json()).error_type).toBe('Empty');
  });

  it('is not meant by a body whose texts are null beside documents', async () => {
    const { post } = createApi({}, ranker());
    const both = await post('/rerank', { query: 'q', texts: null, documents: ['a'] });
    expect([both.status, (await both.json()).results?.length]).toEqual([200, 1]);
    expect((await (await post('/rerank', { query: 'q', texts: null })).json()).error_type).toBe('Validation');
  });
});

it('POST /similarity is the cosine of one sentence with each of the others', async () => {
  const inputs = { source_sentence: 'one', sentences: ['one', 'something else'] };
  const answer = await (await createApi().post('/similarity', { inputs, parameters: { truncate: false } })).json();
  expect(answer[0]).toBeCloseTo(1, 6);
  expect(answer[1]).toBeCloseTo(cosine(fakeEmbedding('one', 4), fakeEmbedding('something else', 4)), 6);
});

it('POST /similarity says what its parameters must be', async () => {
  const inputs = { source_sentence: 'one', sentences: ['one'] };
  const answer = await (await createApi().post('/similarity', { inputs, parameters: 5 })).json();
  expect(answer).toEqual({ error: '`parameters` must be an object; got number 5.', error_type: 'Validation' });
});

describe('POST /predict', () => {
  const { post, engine } = createApi({}, ranker());
  const positive = [
    { score: 0.875, label: 'positive' },
    { score: 0.125, label: 'negative' },
  ];
  const negative = [
    { score: 0.75, label: 'negative' },
    { score: 0.25, label: 'positive' },
  ];

  it.each([
    ['a', ['a'], negative],
    [['a', 'b'], [['a', 'b']], negative],
    [
      [['a'], ['b', 'c']],
      ['a', ['b', 'c']],
      [negative, positive],
    ],
  ])('reads %j as %j', async (inputs, wanted, answer) => {
    expect(await (await post('/predict', { inputs, raw_scores: true })).json()).toEqual(answer);
    expect(engine.classifyRequests.at(-1)).toMatchObject({ inputs: wanted, activation: 'none', truncate: true });
  });

  it.each([
    [['a', 'b', 'c'], 422],
    [[], 400],
    [5, 422],
    [[['a', 'b', 'c']], 422],
  ])('refuses %j', async (inputs, status) => {
    expect((await post('/predict', { inputs })).status).toBe(status);
  });
});

describe('tokens', () => {
  const { post, engine } = createApi();

  it('are told with their places, special ones without', async () => {
    const [tokens] = await (await post('/tokenize', { inputs: 'hi' })).json();
    expect(tokens).toEqual([
      { id: 1, text: '[CLS]', special: true, start: null, stop: null },
      { id: 104, text: 'h', special: false, start: 0, stop: 1 },
      { id: 105, text: 'i', special: false, start: 1, stop: 2 },
      { id: 1, text: '[SEP]', special: true, start: null, stop: null },
    ]);
    await post('/tokenize', { inputs: ['a', 'b'], add_special_tokens: false, prompt_name: 'query' });
    expect(engine.tokenizeRequests.at(-1)).toMatchObject({
      texts: ['a', 'b'],
      addSpecialTokens: false,
      promptName: 'query',
    });
  });

  it.each([
    [{ ids: [1, 104, 105] }, ['hi']],
    [{ ids: [[104], [105]] }, ['h', 'i']],
    [{ ids: [1, 104], skip_special_tokens: false }, ['\u0001h']],
  ])('come back as text: %j', async (body, answer) => {
    expect(await (await post('/decode', body)).json()).toEqual(answer);
  });

  it.each([{ ids: [] }, { ids: ['a'] }, { ids: [[1], 2] }, {}])('of %j are refused', async (body) => {
    expect((await post('/decode', body)).status).toBe(422);
  });
});

it('GET /info has TEI’s fields beside ours', async () => {
  const info = await (await createApi({}, ranker()).get('/info')).json();
  expect(info).toMatchObject({
    model_id: 'sentence-transformers/ranker',
    model_dtype: 'float32',
    model_type: { reranker: { id2label: { 0: 'LABEL_0' } } },
    max_input_length: 256,
    max_client_batch_size: 2048,
    max_batch_tokens: 16_384,
    device: 'wasm',
  });
});

describe('POST /vertex', () => {
  it('answers every instance as the model’s own task, and adds their tokens up', async () => {
    const response = await createApi().post('/vertex', { instances: [{ inputs: 'one' }, { inputs: ['a', 'b'] }] });
    expect(await response.json()).toEqual({
      predictions: [[[...fakeEmbedding('one', 4)]], [[...fakeEmbedding('a', 4)], [...fakeEmbedding('b', 4)]]],
    });
    expect(response.headers.get('x-compute-tokens')).toBe('11');
    expect(response.headers.get('x-inference-time')).toBe('30.5');
  });

  it('reranks with a reranker and classifies with a classifier', async () => {
    const instances = [{ query: 'q', texts: ['a'] }];
    const { predictions } = await (await createApi({}, ranker()).post('/vertex', { instances })).json();
    expect(predictions).toEqual([[{ index: 0, score: expect.closeTo(0.1192) }]]);
    const classifier = new FakeEngine([fakeModel('moods', 'rerank', { spec: { dimensions: 2 } })]);
    const labels = await (await createApi({}, classifier).post('/vertex', { instances: [{ inputs: 'a' }] })).json();
    expect(labels.predictions[0][0]).toEqual({ label: 'negative', score: 0.75 });
  });

  it.each([
    [{ instances: [] }, /`instances` must be an array of 1 to 2,048 objects/],
    [{ instances: ['a'] }, /`instances\[0\]` must be an object, a request of the model's own task; got string "a"/],
    [{ instances: [{ inputs: 'a' }, {}] }, /^`instances\[1\]`: `inputs` is required/],
  ])('refuses %j', async (body, message) => {
    const response = await createApi().post('/vertex', body);
    expect(response.status).toBe(422);
    expect(await response.json()).toEqual({ error: expect.stringMatching(message), error_type: 'Validation' });
  });
});

describe('POST /embed_all', () => {
  it('is an array of token vectors an input', async () => {
    const { post, engine } = createApi();
    const response = await post('/embed_all', {
      inputs: ['ab', [7]],
      truncation_direction: 'left',
      prompt_name: 'query',
    });
    const tokens = ['a', 'b'].map((letter) => [...fakeEmbedding([letter], 4)]);
    expect(await response.json()).toEqual([tokens, [[...fakeEmbedding([7], 4)]]]);
    expect(engine.tokensRequests[0]).toMatchObject({ truncate: true, truncateSide: 'left', promptName: 'query' });
    expect(response.headers.get('x-inference-time')).toBe('30.5');
  });

  it('refuses an empty list flatly', async () => {
    const response = await createApi().post('/embed_all', { inputs: [] });
    expect([response.status, (await response.json()).error_type]).toEqual([400, 'Empty']);
  });
});

it('POST /embed_sparse is a 424 for a model without a sparse head, as in TEI', async () => {
  const response = await createApi().post('/embed_sparse', { inputs: 'a' });
  expect(response.status).toBe(424);
  const error = expect.stringContaining('is not an embedding model with SPLADE pooling');
  expect(await response.json()).toEqual({ error, error_type: 'Backend' });
  expect((await createApi().post('/embed_sparse', {})).status).toBe(422);
});

describe('GET /metrics', () => {
  it('has every name before anything has happened', async () => {
    const text = await (await createApi().get('/metrics')).text();
    const names = text.split('\n').flatMap((line) => /^# TYPE (te_\w+)/.exec(line)?.[1] ?? []);
    const durations = (of: string) =>
      ['', 'tokenization_', 'queue_', 'inference_'].map((part) => `te_${of}_${part}duration`);
    expect(new Set(names)).toEqual(
      new Set([
        ...['te_queue_size', 'te_batch_next_size', 'te_batch_next_tokens', 'te_request_input_length'],
        ...['te_request_count', 'te_request_success', 'te_request_failure'],
        ...['te_embed_count', 'te_embed_success', 'te_predict_count', 'te_predict_success'],
        ...durations('request'),
        ...durations('embed'),
        ...durations('predict'),
      ]),
    );
    expect(text).toContain('te_request_count{method="single"} 0');
    expect(text).toContain('te_request_failure{err="overloaded"} 0');
    expect(text).toContain('te_request_duration_count 0');
  });

  it('has the sizes of the runs', async () => {
    const { get, engine } = createApi();
    for (const listen of engine.runListeners) listen({ texts: 3, tokens: 40 });
    const text = await (await get('/metrics')).text();
    expect(text).toContain('te_batch_next_size_bucket{le="2"} 0\nte_batch_next_size_bucket{le="4"} 1');
    expect(text).toContain('te_batch_next_tokens_sum 40');
  });

  it('counts under TEI’s names, failures by their kind, and needs no key', async () => {
    const { post, get, engine } = createApi();
    await post('/embed', { inputs: ['a', 'b', 'c'] });
    await post('/embed', { inputs: 'a' });
    engine.before = () => {
      throw new VecinityError('overloaded', 'full');
    };
    await post('/rerank', { query: 'q', documents: ['a', 'b'] });
    const text = await (await get('/metrics')).text();
    const lines = [
      'te_queue_size 3',
      'te_request_count{method="batch"} 2',
      'te_request_count{method="single"} 1',
      'te_request_success{method="batch"} 1',
      'te_request_failure{err="overloaded"} 1',
      'te_embed_count 4',
      'te_embed_success 4',
      'te_predict_count 2',
      'te_embed_inference_duration_bucket{le="0.025"} 0',
      'te_embed_inference_duration_bucket{le="0.05"} 2',
      'te_embed_inference_duration_bucket{le="+Inf"} 2',
      'te_request_duration_count 2',
      'vecinity_http_requests_total{path="/embed",method="POST",status="200"} 2',
      'vecinity_model{model="all-MiniLM-L6-v2",state="ready",device="wasm",dtype="f32"} 1',
      'vecinity_recoveries_total{model="all-MiniLM-L6-v2"} 0',
    ];
    expect(text.split('\n')).toEqual(expect.arrayContaining(lines));
    expect((await createApi({ apiKey: 'k' }).get('/metrics')).headers.get('content-type')).toMatch(/version=0\.0\.4/);
  });
});

describe('what a request has cost', () => {
  it.each<[string, object, string, string]>([
    ['/embed', { inputs: ['ab', [1, 2]] }, '2', '8'],
    ['/rerank', { query: 'ab', texts: ['abc'] }, '5', '7'],
    ['/predict', { inputs: [['ab', 'c']] }, '3', '9'],
    ['/tokenize', { inputs: ['ab', 'c'] }, '3', '7'],
    ['/tokenize', { prompt: 'ab' }, '2', '4'],
    ['/tokenize', { content: 'ab' }, '2', '2'],
    ['/decode', { ids: [97, 98] }, '2', '2'],
    ['/detokenize', { tokens: [97, 98] }, '2', '2'],
    ['/score', { text_1: ['a', 'b'], text_2: ['ab', 'c'] }, '5', '14'],
    ['/vertex', { instances: [{ inputs: 'ab' }, { inputs: 'c' }] }, '3', '7'],
  ])('is told of %s in its headers', async (path, body, characters, tokens) => {
    const { headers } = await createApi().post(path, body);
    const names = ['x-compute-type', 'x-compute-characters', 'x-compute-tokens'];
    expect(names.map((name) => headers.get(name))).toEqual(['cpu', characters, tokens]);
    for (const name of ['compute', 'total', 'tokenization', 'queue', 'inference']) {
      expect(headers.get(`x-${name}-time`), name).toMatch(/^\d+(?:\.\d+)?$/);
    }
  });
});
