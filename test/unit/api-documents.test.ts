/** The API described by itself: an OpenAPI document that is valid, complete and true, and a page without a script. */
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { dialects } from '../../src/api/dialects/all.js';
import type { OpenApiDocument, Operation } from '../../src/api/openapi/document.js';
import type { JsonSchema } from '../../src/api/openapi/json-schema.js';
import type { ApiConfig } from '../../src/config.js';
import { createApi } from './api-client.js';
import { routeOf } from './route-answers.js';

async function read(api: Partial<ApiConfig> = {}): Promise<OpenApiDocument> {
  const response = await createApi(api).get(`${api.routePrefix ?? ''}/openapi.json`);
  expect(response.status).toBe(200);
  return await response.json();
}

const operationsOf = ({ paths }: OpenApiDocument) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );

/** What is no JSON, no object, or has one field that is missing, wrong or empty. */
function badBodies({ requestBody }: Operation): string[] {
  if (requestBody === undefined) return [];
  const good = Object.values(requestBody.content['application/json'].examples).map(({ value }) => value);
  const bad = good.flatMap((body) =>
    Object.keys(body).flatMap((key) => [undefined, {}, [], 7].map((value) => ({ ...body, [key]: value }))),
  );
  return ['\0', '[]', '{}', ...bad.map((body) => JSON.stringify(body))];
}

/** Whether a value is as the schema of an error says. */
function fits(schema: JsonSchema, value: unknown): boolean {
  if (schema.anyOf) return schema.anyOf.some((one) => fits(one, value));
  if (typeof value !== 'object' || value === null) {
    const type = value === null ? 'null' : typeof value === 'number' ? 'integer' : typeof value;
    return [schema.type].flat().includes(type);
  }
  const members = Object.entries(schema.properties ?? {});
  return schema.type === 'object' && members.every(([name, of]) => name in value && fits(of, Reflect.get(value, name)));
}

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const document = await read({ apiKey: 'k' });
    const result = await validator.validate({ ...document });
    expect(result.errors ?? null).toBeNull();
    expect([result.valid, validator.version]).toEqual([true, '3.1']);
  });

  it('names every method of every route once', async () => {
    const mounted = dialects
      .flat()
      .flatMap(({ method, paths }) => paths.map((path) => `${method} ${path.replace(':id{.+}', '{id}')}`));
    const operations = operationsOf(await read());
    expect(operations.map(({ path, method }) => `${method} ${path}`).sort()).toEqual(mounted.sort());
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('describes paths that answer as it says', async () => {
    for (const { path, method, operation } of operationsOf(await read())) {
      const api = createApi();
      const url = path.replace('{id}', 'all-MiniLM-L6-v2');
      const response = await (method === 'GET' ? api.get(url) : api.post(url, '[]'));
      const { description, content } = operation.responses[response.status] ?? { description: '', content: {} };
      expect(description, `${method} ${path} answered ${response.status}`).not.toBe('');
      expect(Object.keys(content)).toEqual([response.headers.get('content-type')?.replace(/;.*/, '')]);
    }
  });

  it.each(['none', 'openai', 'vllm', 'infinity', 'ollama'] as const)(
    'describes every refusal of a bad body, by status and shape (compat: %s)',
    async (compat) => {
      const api = createApi({ compat });
      for (const { path, method, operation } of operationsOf(await read({ compat }))) {
        for (const body of badBodies(operation)) {
          const response = await api.post(path, body);
          const told = `${method} ${path} answered ${response.status} to ${body}`;
          const content = operation.responses[response.status]?.content['application/json'];
          expect(content, told).toBeDefined();
          if (response.status !== 200) expect(fits(content?.schema ?? {}, await response.json()), told).toBe(true);
        }
      }
    },
  );

  it('takes bodies from the validators and errors from the dialects', async () => {
    const { paths } = await read();
    const embeddings = paths['/v1/embeddings']?.post;
    const schema = embeddings?.requestBody?.content['application/json'].schema;
    expect(schema).toMatchObject({ required: ['input'], properties: { dimensions: { anyOf: [{ minimum: 1 }, {}] } } });
    expect(embeddings?.responses[400]?.content['application/json']).toMatchObject({
      schema: { properties: { error: { required: ['message', 'type', 'param', 'code'] } } },
      example: { error: { type: 'invalid_request_error' } },
    });
    const tei = paths['/embed']?.post?.responses[422]?.content['application/json'];
    expect(tei).toMatchObject({ example: { error_type: 'Validation' } });
    expect(paths['/rerank']?.post?.requestBody?.content['application/json'].schema.anyOf).toHaveLength(2);
  });

  it.each([
    [
      '/score',
      [
        ['queries', 'documents'],
        ['queries', 'items'],
        ['data_1', 'data_2'],
        ['text_1', 'text_2'],
      ],
    ],
    ['/v2/embed', [['texts'], ['inputs']]],
    ['/api/pull', [['model'], ['name']]],
  ])('says of which fields a body of %s needs some', async (path, sets) => {
    const schema = (await read()).paths[path]?.post?.requestBody?.content['application/json'].schema;
    expect(schema?.anyOf).toEqual(sets.map((required) => ({ required })));
    expect(schema?.properties).toHaveProperty(sets[0]?.[0] ?? '');
  });

  it('says what a successful answer is, with an example that its own schema allows', async () => {
    const { paths } = await read();
    const answer = paths['/v1/embeddings']?.post?.responses[200]?.content['application/json'];
    expect(answer).toMatchObject({
      schema: { required: ['object', 'data', 'model', 'usage'] },
      example: { data: [{ object: 'embedding', embedding: [0.0625] }], usage: { prompt_tokens: 5 } },
    });
    for (const { path, method, operation } of operationsOf(await read())) {
      for (const [type, { example }] of Object.entries(operation.responses[200]?.content ?? {})) {
        const schema = routeOf(method, path).answers[type];
        expect(schema?.safeParse(example).error, `${method} ${path}`).toBeUndefined();
      }
    }
  });

  it('asks for the key only when there is one, and lies below the prefix', async () => {
    const open = await read();
    expect(open.paths['/v1/embeddings']?.post?.security).toEqual([]);
    expect(open.servers).toEqual([{ url: '/' }]);
    const closed = await read({ apiKey: 'k', routePrefix: '/ai' });
    expect(closed.paths['/v1/embeddings']?.post).toMatchObject({ security: [{ apiKey: [] }], responses: { 401: {} } });
    expect(closed.paths['/health']?.get?.security).toEqual([]);
    expect(closed.servers).toEqual([{ url: '/ai' }]);
  });
});

describe('the page of /docs', () => {
  it('shows every operation, without a script or anything from elsewhere', async () => {
    const response = await createApi().get('/docs');
    const html = await response.text();
    for (const { path, method } of operationsOf(await read())) {
      expect(html).toContain(`<summary><code>${method} ${path}</code>`);
    }
    expect(html).not.toMatch(/<script|style=|https?:/);
    expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'self';/);
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual(['docs.css', 'openapi.json']);
  });

  it('has its own style sheet beside it', async () => {
    const response = await createApi({ routePrefix: '/ai' }).get('/ai/docs.css');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/css; charset=utf-8']);
  });

  it('says what a field takes, with words that are not markup', async () => {
    const html = await (await createApi({ apiKey: 'k' }).get('/docs')).text();
    expect(html).toContain('<td><code>dimensions</code></td><td>integer ≥ 1 or null</td>');
    expect(html).toContain('<td><code>input</code></td><td>string or array of 1 or more × (integer ≥ 0 or string)');
    expect(html).toContain('<p>Needs <code>texts</code>, or <code>inputs</code>.</p>');
    expect(html).toContain('<code>text_1</code> with <code>text_2</code>.</p>');
    expect(html).toContain('<h2>Answer</h2>');
    expect(html).toContain('&quot;relevance_score&quot;: 0.875');
    expect(html).toContain('<code>Authorization: Bearer &lt;key&gt;</code>');
  });
});
