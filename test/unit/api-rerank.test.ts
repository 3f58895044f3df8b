import { describe, expect, it } from 'vitest';
import { createRerank } from '../../src/api/rerank.js';
import { defaultApiConfig } from '../../src/config.js';
import { createApi, errorOf } from './api-client.js';
import { FakeEngine, fakeModel } from './api-engine.js';

const path = '/v1/rerank';
/** The fake engine's logit of a document is its length less 3. */
const documents = ['a', 'ccccc', 'bbb', 'dd', 'ee'];
const sigmoid = (logit: number) => Math.fround(1 / (1 + Math.exp(-logit)));

const reranker = (api = {}) => createApi(api, new FakeEngine([fakeModel('bge-reranker-base', 'rerank')]));

describe('POST /v1/rerank', () => {
  it.each(['/v1/rerank', '/rerank', '/v1-openai/rerank'])('answers on %s, best document first', async (route) => {
    const response = await reranker().post(route, { model: 'any', query: 'q', documents });
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^rerank-[0-9a-f]{32}$/),
      model: 'bge-reranker-base',
      results: [
        { index: 1, relevance_score: sigmoid(2), document: { text: 'ccccc' } },
        { index: 2, relevance_score: sigmoid(0), document: { text: 'bbb' } },
        { index: 3, relevance_score: sigmoid(-1), document: { text: 'dd' } },
        { index: 4, relevance_score: sigmoid(-1), document: { text: 'ee' } },
        { index: 0, relevance_score: sigmoid(-2), document: { text: 'a' } },
      ],
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    expect(response.headers.get('x-inference-time')).toBe('30.5');
    expect(response.headers.get('x-truncated-inputs')).toBe('1');
  });

  it('takes query and documents as objects with a text', async () => {
    const { post, engine } = reranker();
    await post(path, { query: { text: 'q' }, documents: [{ text: 'a', title: 't' }, 'b', ''] });
    expect(engine.rerankRequests[0]).toMatchObject({ query: 'q', documents: ['a', 'b', ''] });
  });

  it.each([
    [1, [1]],
    [2, [1, 2]],
    [99, [1, 2, 3, 4, 0]],
    [null, [1, 2, 3, 4, 0]],
  ])('gives the best of the documents for top_n %s', async (top_n, expected) => {
    const body = await (await reranker().post(path, { query: 'q', documents, top_n })).json();
    expect(body.results.map(({ index }: { index: number }) => index)).toEqual(expected);
  });

  it('leaves the documents out when return_documents is false', async () => {
    const body = await (
      await reranker().post(path, { query: 'q', documents: ['abcd'], return_documents: false })
    ).json();
    expect(body.results).toEqual([{ index: 0, relevance_score: sigmoid(1) }]);
  });

  it.each([
    [{}, 'sigmoid', 'sigmoid'],
    [{}, 'none', 'none'],
    [{ raw_scores: true }, 'sigmoid', 'none'],
    [{ raw_scores: false }, 'none', 'sigmoid'],
    [{ use_activation: false }, 'sigmoid', 'none'],
    [{ use_activation: true }, 'none', 'sigmoid'],
    [{ use_activation: null, raw_scores: null }, 'none', 'none'],
  ] as const)('%o under the option %s asks for %s', async (fields, scoreActivation, expected) => {
    const { post, engine } = reranker({ scoreActivation });
    await post(path, { query: 'q', documents, ...fields });
    expect(engine.rerankRequests[0]?.scoreActivation).toBe(expected);
  });

  it('gives raw logits, which may be negative, when they are asked for', async () => {
    const body = await (await reranker().post(path, { query: 'q', documents: ['a'], raw_scores: true })).json();
    expect(body.results[0].relevance_score).toBe(-2);
  });

  it('cuts documents unless it is told not to, to the length that was asked for', async () => {
    const { post, engine } = reranker();
    await post(path, { query: 'q', documents });
    await post(path, { query: 'q', documents, truncate: false, max_tokens_per_doc: 5 });
    expect(engine.rerankRequests[0]).toMatchObject({ truncate: true, maxTokensPerDocument: null });
    expect(engine.rerankRequests[1]).toMatchObject({ truncate: false, maxTokensPerDocument: 5 });
  });

  it('is the same through the typed API', async () => {
    const engine = new FakeEngine();
    const { signal } = new AbortController();
    const response = await createRerank({ query: 'q', documents }, { engine, api: defaultApiConfig, signal });
    expect(response.results[0]).toEqual({ index: 1, relevance_score: sigmoid(2), document: { text: 'ccccc' } });
    expect(engine.rerankRequests[0]?.signal).toBe(signal);
  });
});

describe('bad rerank requests', () => {
  const query = 'a string that is not empty, or {"text": string}';
  const many = 'an array of 1 to 2,048 documents, each a string or {"text": string}';
  const one = 'a string or {"text": string}';
  it.each([
    ['no query', { documents }, 'query', `\`query\` is required: ${query}.`],
    ['an empty query', { query: '', documents }, 'query', `\`query\` must be ${query}; got an empty string.`],
    ['a number as query', { query: 3, documents }, 'query', `\`query\` must be ${query}; got number 3.`],
    ['no documents', { query: 'q' }, 'documents', `\`documents\` is required: ${many}.`],
    ['an empty list', { query: 'q', documents: [] }, 'documents', `\`documents\` must be ${many}; got an empty array.`],
    [
      'a string as documents',
      { query: 'q', documents: 'a' },
      'documents',
      `\`documents\` must be ${many}; got string "a".`,
    ],
    [
      '2,049 documents',
      { query: 'q', documents: Array(2049).fill('a') },
      'documents',
      `\`documents\` must be ${many}; got an array of 2,049 items.`,
    ],
    [
      'a number as document',
      { query: 'q', documents: ['a', 7] },
      'documents[1]',
      `\`documents[1]\` must be ${one}; got number 7.`,
    ],
    [
      'an object without a text',
      { query: 'q', documents: [{ body: 'a' }] },
      'documents[0]',
      `\`documents[0]\` must be ${one}; got an object.`,
    ],
    [
      'a number as text',
      { query: 'q', documents: [{ text: 1 }] },
      'documents[0]',
      `\`documents[0]\` must be ${one}; got an object.`,
    ],
    [
      'top_n of 0',
      { query: 'q', documents, top_n: 0 },
      'top_n',
      '`top_n` must be an integer of at least 1; got number 0.',
    ],
    [
      'a negative top_n',
      { query: 'q', documents, top_n: -1 },
      'top_n',
      '`top_n` must be an integer of at least 1; got number -1.',
    ],
    [
      'a word as raw_scores',
      { query: 'q', documents, raw_scores: 'yes' },
      'raw_scores',
      '`raw_scores` must be true or false; got string "yes".',
    ],
    [
      'max_tokens_per_doc of 0',
      { query: 'q', documents, max_tokens_per_doc: 0 },
      'max_tokens_per_doc',
      '`max_tokens_per_doc` must be an integer of at least 1; got number 0.',
    ],
  ])('%s is named', async (_, body, param, message) => {
    const error = await errorOf(await reranker().post(path, body));
    expect(error).toEqual({ status: 400, type: 'invalid_request_error', code: 'invalid_request', param, message });
  });
});

describe('Cohere’s rank_fields', () => {
  const documents = [{ title: 'a', text: 'b', year: 5 }, 'c'];

  it('are the lines of a document, in their order', async () => {
    const { post, engine } = createApi();
    const body = { query: 'q', documents, rank_fields: ['text', 'year', 'title'] };
    const { results } = await (await post('/v1/rerank', body)).json();
    expect(engine.rerankRequests[0]?.documents).toEqual(['b\na', 'c']);
    expect(results[0].document).toEqual({ text: 'b\na' });
  });

  it.each([
    [{ rank_fields: ['author'] }, 'documents[0]'],
    [{ rank_fields: [7] }, 'documents[0]'],
    [{ rank_fields: 'title' }, 'rank_fields'],
    [{ rank_fields: [], documents: [{ title: 'a' }] }, 'documents[0]'],
  ])('%j is refused', async (wish, param) => {
    const response = await createApi().post('/v1/rerank', { query: 'q', documents, ...wish });
    expect([response.status, (await response.json()).error.param]).toEqual([400, param]);
  });
});

describe('Cohere’s max_chunks_per_doc', () => {
  it('may be a hundred thousand, each of one token', async () => {
    const { post, engine } = reranker();
    const wish = { max_chunks_per_doc: 1_000_000, max_tokens_per_doc: 1 };
    await post('/v1/rerank', { query: 'q', documents: ['x'.repeat(100_000)], ...wish });
    expect(engine.rerankRequests[0]?.documents).toHaveLength(100_000);
  });

  // The fake engine has a token a letter, reads 256 with the query, and scores a text by its length.
  const body = { query: 'q', documents: ['short', 'x'.repeat(600)], raw_scores: true };

  it.each([
    [{ max_chunks_per_doc: 1 }, [5, 600]],
    [{ max_chunks_per_doc: 2 }, [5, 251, 251]],
    [{ max_chunks_per_doc: 9 }, [5, 251, 251, 98]],
    [{ max_chunks_per_doc: 9, max_tokens_per_doc: 250 }, [5, 250, 250, 100]],
  ])('%j reads texts of %j tokens', async (wish, lengths) => {
    const { post, engine } = reranker();
    await post('/v1/rerank', { ...body, ...wish });
    expect(engine.rerankRequests[0]?.documents.map(({ length }) => length)).toEqual(lengths);
  });

  it('gives a document the score of its best chunk', async () => {
    const { results } = await (await reranker().post('/v1/rerank', { ...body, max_chunks_per_doc: 9 })).json();
    expect(results.map(({ index, relevance_score }: Record<string, number>) => [index, relevance_score])).toEqual([
      [1, 248],
      [0, 2],
    ]);
  });
});
