/** Arrays far beyond what a field allows cost their own request only: none is read to its end, no answer repeats them. */
import { describe, expect, it } from 'vitest';
import { dialects } from '../../src/api/dialects/all.js';
import { createApi } from './api-client.js';

/** More than a call may have arguments, and each wrong item would be an issue of its own. */
const length = 200_000;
const many = (item: unknown) => Array.from({ length }, () => item);

const routes = dialects.flat().flatMap(({ paths, examples = [] }) => {
  return examples.map((example): [path: string, example: object] => [paths[0] ?? '', example]);
});
const lists = [
  ...['documents', 'texts', 'inputs', 'input', 'labels', 'instances', 'queries', 'tokens', 'ids', 'content'],
  ...['embedding_type', 'embedding_types', 'rank_fields', 'model', 'options', 'keep_alive', 'parameters'],
];

describe('an array of far too many wrong items', () => {
  it.each(routes)('costs %s beside %j no more than a short refusal', async (path, example) => {
    const { post } = createApi();
    for (const field of lists) {
      const response = await post(path, { ...example, [field]: many(null) });
      const said = await response.text();
      expect([response.status < 500, field, said.slice(0, 200)]).toEqual([true, field, said.slice(0, 200)]);
      if (response.status !== 200) expect(said.length).toBeLessThan(1_000);
    }
  });

  it('is refused inside of others, too', async () => {
    const inputs = Array.from({ length: 1_000 }, () => ({ content: Array.from({ length: 1_000 }, () => 1) }));
    const response = await createApi().post('/v2/embed', { inputs });
    expect(response.status).toBe(400);
    expect((await response.json()).message).toMatch(
      /^`inputs\[0\]\.content\[0\]` must be \{"type": "text", "text": string\}/,
    );
  });
});

describe('names of fields that count', () => {
  const documents = Array.from({ length: 2_048 }, () => ({ text: 'a' }));

  it('are few, because every document is searched for each', async () => {
    const response = await createApi().post('/v1/rerank', { query: 'q', documents, rank_fields: many('text') });
    expect([response.status, (await response.json()).error]).toMatchObject([
      400,
      {
        param: 'rank_fields',
        message: '`rank_fields` must be an array of at most 64 names of fields; got an array of 200,000 items.',
      },
    ]);
  });

  it('are not repeated to whose document has none of them', async () => {
    const response = await createApi().post('/v1/rerank', { query: 'q', documents, rank_fields: ['x'.repeat(5_000)] });
    expect((await response.json()).error.message).toBe(
      '`documents[0]` must be a string, or an object with a text in one of `rank_fields`; got an object.',
    );
  });

  it('are texts: what is nested without end is no name', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    const response = await createApi().post('/v1/rerank', `{"query":"q","documents":["a"],"rank_fields":[${deep}]}`);
    expect([response.status, (await response.json()).error.param]).toEqual([400, 'rank_fields[0]']);
  });
});
