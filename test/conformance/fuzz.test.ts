/**
 * Every route of the OpenAPI document with bodies made from its own schema, against a real engine: nothing fails on
 * our side, every refusal says why, and the request after it is answered.
 */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialects } from '../../src/api/dialects/all.js';
import { type OpenApiDocument, toOpenApi } from '../../src/api/openapi/document.js';
import type { JsonSchema } from '../../src/api/openapi/json-schema.js';
import { defaultApiConfig } from '../../src/config.js';
import type { Engine } from '../../src/core/engine.js';
import { readAnswer, routeOf } from '../unit/route-answers.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';
import { bodyOf } from './schema-arbitrary.js';

const origin = 'http://localhost';
const seed = 20_260_101;
const runs = 60;
const models = ['bert-cls', 'bert-reranker'];
const fields = {
  model: fc.constantFrom(...models, null),
  name: fc.constantFrom(...models),
  prompt_name: fc.constantFrom(null, 'query'),
  input_type: fc.constantFrom('search_query', 'document'),
  task: fc.constantFrom('retrieval.query', 'classification'),
  instances: fc.array(fc.record({ inputs: fc.string() }), { minLength: 1, maxLength: 3 }),
};

/** What a good body is answered with where neither model can do what the route is for. */
const usual: Readonly<Record<string, number>> = { '/embed_sparse': 424 };

const document: OpenApiDocument = await toOpenApi(dialects.flat(), defaultApiConfig);
const posts = Object.entries(document.paths).flatMap(([path, { post }]): [string, JsonSchema][] => {
  const schema = post?.requestBody?.content['application/json'].schema;
  return schema ? [[path, schema]] : [];
});
const gets = Object.keys(document.paths).filter((path) => document.paths[path]?.get);

let built: NodePackage;
let engine: Engine;
let handler: (request: Request) => Promise<Response>;

beforeAll(async () => {
  built = await bundleNodePackage();
  engine = await built.module.createNodeEngine({ modelsDir: fixtureModels, threads: 1, dtype: 'f32', hubUrl: origin });
  for (const model of models) await engine.load(model);
  handler = built.module.createHandler({ engine });
});
afterAll(async () => {
  await engine.dispose();
  await built.remove();
});

const post = (path: string, body: BodyInit, headers: Record<string, string> = {}) =>
  handler(
    new Request(origin + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }),
  );

/** A refusal names a field, in backticks or as its subject; the body as a whole; the model; or the address. */
const reason =
  /`[\w.[\]-]+`|^(?:input|dimensions|query|documents?|(?:max|truncate_prompt)_tokens)\b|^The request body |^The (?:model|method) |^There is no route /;

/** Fails unless the answer has its route's schema, or is no failure of ours and names what is wrong when it refuses. */
async function judge(response: Response, [method, address]: [method: string, address: string]): Promise<number> {
  if (response.status === 200) {
    await readAnswer(routeOf(method, new URL(address, origin).pathname), response);
    return 200;
  }
  const answer = await response.text();
  expect(response.status, answer).toBeLessThan(500);
  const isJson = response.headers.get('content-type') === 'application/json';
  const parsed: unknown = isJson ? JSON.parse(answer) : answer;
  if (response.status >= 400) expect(messageOf(parsed)).toMatch(reason);
  return response.status;
}

/** The sentence of an error in any dialect. */
function messageOf(body: unknown): string {
  if (typeof body !== 'object' || body === null) throw new Error(`an error has the body ${JSON.stringify(body)}`);
  const { error, message } = body as { error?: string | { message: string }; message?: string };
  return message ?? (typeof error === 'string' ? error : (error?.message ?? ''));
}

async function isAlive(): Promise<void> {
  const response = await post('/v1/embeddings', JSON.stringify({ model: 'bert-cls', input: 'next' }));
  expect(response.status, await response.clone().text()).toBe(200);
}

describe('bodies made from the schema of', () => {
  it.each(posts)('%s are answered or refused with a reason', async (path, schema) => {
    const statuses = new Set<number>();
    const property = fc.asyncProperty(bodyOf(schema, fields), async (body) => {
      statuses.add(await judge(await post(path, JSON.stringify(body)), ['POST', path]));
    });
    await fc.assert(property, { seed, numRuns: runs });
    await isAlive();
    expect([...statuses].some((status) => status >= 400)).toBe(true);
    expect(statuses).toContain(usual[path] ?? 200);
  });

  it('reads every route that takes a body', () => {
    expect(posts.length).toBeGreaterThanOrEqual(dialects.flat().filter(({ body }) => body !== null).length);
  });
});

describe('bodies that are no JSON object', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((array) => array.slice().buffer),
    fc.constantFrom('', '{', '[[', '"a"', 'null', '\ufeff{}', '{"input":"a"', '[1e999]', '['.repeat(100_000)),
    fc.json({ maxDepth: 4 }),
  );

  it.each(posts)('are refused by %s with a reason', async (path) => {
    const property = fc.asyncProperty(
      bytes,
      async (body) => void (await judge(await post(path, body), ['POST', path])),
    );
    await fc.assert(property, { seed, numRuns: 20 });
    await isAlive();
  });
});

describe('addresses', () => {
  const segment = fc.oneof(fc.webSegment(), fc.constantFrom('%', '%E0%A4%A', '%00', '..', '%2e%2e', 'bert-cls', ' '));

  it.each(gets)('GET %s answers whatever the query and the id are', async (path) => {
    const property = fc.asyncProperty(segment, fc.webQueryParameters(), async (id, query) => {
      const address = `${origin}${path.replace('{id}', id)}?${query}`;
      await judge(await handler(new Request(address)), ['GET', address]);
    });
    await fc.assert(property, { seed, numRuns: runs });
    await isAlive();
  });

  it('that no route has are a 404 or 405 that says so', async () => {
    const methods = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH');
    const property = fc.asyncProperty(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      methods,
      async (path, method) => {
        const address = `${origin}/no/${path.join('/')}`;
        await judge(await handler(new Request(address, { method })), [method, address]);
      },
    );
    await fc.assert(property, { seed, numRuns: 100 });
  });
});
