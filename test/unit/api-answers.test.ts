/** Every successful answer has the schema that the OpenAPI document gives for it, and the document's examples are good. */
import { describe, expect, it } from 'vitest';
import type { ApiConfig } from '../../src/config.js';
import { createApi } from './api-client.js';
import { FakeEngine, fakeModel } from './api-engine.js';
import { readAnswer, routeOf, routes } from './route-answers.js';

const models = () => [fakeModel('all-MiniLM-L6-v2', 'embedding'), fakeModel('reranker', 'rerank')];
const createFull = (api: Partial<ApiConfig> = {}) => createApi(api, new FakeEngine(models()));
const posts = routes.flatMap(({ method, paths, examples = [] }) =>
  method === 'POST' ? paths.flatMap((path) => examples.map((example) => [path, example] as const)) : [],
);
const gets = routes.flatMap(({ method, paths }) => (method === 'GET' ? paths : []));

describe('the example of a body', () => {
  it('is there for every form of every body', () => {
    const forms = routes.filter(({ body, examples = [] }) => body !== null && examples.length === 0);
    expect(forms.map(({ paths }) => paths)).toEqual([]);
  });

  // The fake engine has no model with a sparse head; neither has any that can be loaded.
  it.each(posts.filter(([path]) => path !== '/embed_sparse'))('of POST %s is answered: %j', async (path, example) => {
    const response = await createFull().post(path, example);
    expect(response.status, await response.clone().text()).toBe(200);
    await readAnswer(routeOf('POST', path), response);
  });
});

describe('the answer of', () => {
  it.each(gets)('GET %s has the schema of its route', async (path) => {
    const response = await createFull().get(path.replace(':id{.+}', 'all-MiniLM-L6-v2'));
    expect(response.status).toBe(200);
    await readAnswer(routeOf('GET', path), response);
  });

  it('GET /info has it while a model loads, and when one failed', async () => {
    const files = { 'model.onnx': { loadedBytes: 1, totalBytes: 2, resumedBytes: 0 } };
    const bytes = { loadedBytes: 1, totalBytes: 2, resumedBytes: 0, bytesPerSecond: 1, remainingMs: 1_000 };
    const progress = { type: 'load' as const, model: 'm', phase: 'download' as const, ...bytes, files };
    const loading = { ...fakeModel('m', 'embedding', { state: 'loading' }), progress };
    const engine = new FakeEngine([loading, fakeModel('f', 'embedding', { state: 'failed' })]);
    await readAnswer(routeOf('GET', '/info'), await createApi({}, engine).get('/info'));
  });

  it.each<[string, object, Partial<ApiConfig>]>([
    ['/v1/embeddings', { input: 'a', encoding_format: 'base64' }, {}],
    ['/v1/embeddings', { input: 'a', encoding_format: 'bytes' }, {}],
    ['/v1/embeddings', { input: 'a', dimensions: 8, embedding_type: ['float', 'int8', 'binary', 'base64'] }, {}],
    ['/v1/rerank', { query: 'a', documents: ['b'], return_documents: false }, {}],
    ['/v1/rerank', { query: 'a', documents: ['b'], return_documents: true }, { compat: 'infinity' }],
    ['/classify', { input: ['a'] }, { compat: 'infinity' }],
    ['/v2/embed', { texts: ['a'], embedding_types: ['uint8', 'base64'] }, {}],
    ['/rerank', { query: 'a', texts: ['b'], return_text: true }, {}],
    ['/predict', { inputs: 'a' }, {}],
    ['/pooling', { input: 'a', task: 'token_embed' }, {}],
    ['/tokenize', { prompt: 'a', return_token_strs: true }, {}],
    ['/tokenize', { content: 'a', with_pieces: true }, {}],
    ['/api/embed', { input: [] }, {}],
    ['/api/embeddings', { prompt: '' }, {}],
    ['/api/pull', { model: 'all-MiniLM-L6-v2' }, {}],
  ])('POST %s to %j has the schema of its route', async (path, body, api) => {
    const response = await createFull(api).post(path, body);
    expect(response.status).toBe(200);
    await readAnswer(routeOf('POST', path), response);
  });

  it('another shape would be noticed', async () => {
    const route = routeOf('POST', '/embed');
    await expect(readAnswer(route, Response.json([[1, 'a']]))).rejects.toThrow('does not declare');
    await expect(readAnswer(routeOf('GET', '/version'), Response.json({ version: '1', more: 1 }))).rejects.toThrow(
      'unrecognized_keys',
    );
  });
});
