/** Which model answers a request that names none while models load and fail: by the engine itself, and by the API. */
import { describe, expect, test } from 'vitest';
import { createEmbeddings } from '../../src/api/embeddings.js';
import { createHandler } from '../../src/api/handler.js';
import { createRerank } from '../../src/api/rerank.js';
import { defaultApiConfig } from '../../src/config.js';
import type { EngineParts } from '../../src/core/create-engine.js';
import type { Engine } from '../../src/core/engine.js';
import { VecinityError } from '../../src/errors.js';
import { fakeSpec } from './fake-backend.js';
import { codeOf, embedRequest, letterTokenizer, rerankRequest, setUp } from './letter-engine.js';
import { macrotask } from './virtual-runner.js';

const tasks: Record<string, 'embedding' | 'rerank'> = { embedder: 'embedding', other: 'embedding', ranker: 'rerank' };

/** Models whose configuration comes, or fails to come, when the test says so. */
function slow() {
  const gates = new Map<string, (error: VecinityError | null) => void>();
  const openModel: EngineParts['openModel'] = async (name) => {
    const error = await new Promise<VecinityError | null>((resolve) => gates.set(name, resolve));
    if (error) throw error;
    const task = tasks[name] ?? 'embedding';
    const spec = fakeSpec({ id: name, repository: `test/${name}`, task, dimensions: task === 'rerank' ? 1 : 4 });
    const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
    return { spec, location, tokenizer: Promise.resolve(letterTokenizer(spec)) };
  };
  const { engine } = setUp({ parts: { openModel } });
  const begin = (...names: string[]) => names.map((name) => codeOf(engine.load(name)));
  const fails = (name: string) => gates.get(name)?.(new VecinityError('download_failed', `${name} is not there`));
  return { engine, begin, fails, comes: (name: string) => gates.get(name)?.(null) };
}

const ways: [string, (engine: Engine) => { embed: () => Promise<unknown>; rerank: () => Promise<unknown> }][] = [
  [
    'the engine',
    (engine) => ({ embed: () => engine.embed(embedRequest()), rerank: () => engine.rerank(rerankRequest()) }),
  ],
  [
    'the API',
    (engine) => {
      const context = { engine, api: defaultApiConfig };
      return {
        embed: () => createEmbeddings({ input: 'a' }, context),
        rerank: () => createRerank({ query: 'q', documents: ['a'] }, context),
      };
    },
  ],
];

describe.each(ways)('asked through %s', (_, open) => {
  test('a request for embeddings is told why their model failed, not sent to the reranker that still loads', async () => {
    const { engine, begin, fails, comes } = slow();
    begin('embedder', 'ranker');
    await macrotask();
    fails('embedder');
    await macrotask();
    const asked = open(engine).embed();
    const told = expect(asked).rejects.toMatchObject({ code: 'download_failed', message: 'embedder is not there' });
    await macrotask();
    comes('ranker');
    await told;
  });

  test('a request that waits for a model which fails goes on to the next one that can do it', async () => {
    const { engine, begin, fails, comes } = slow();
    begin('embedder', 'ranker', 'other');
    const asked = open(engine).embed();
    await macrotask();
    comes('ranker');
    await macrotask();
    fails('embedder');
    await macrotask();
    comes('other');
    expect(await asked).toMatchObject({ model: 'other' });
  });

  test('a request for embeddings waits for what turns out to be a reranker, then for the model behind it', async () => {
    const { engine, begin, comes } = slow();
    begin('ranker', 'embedder');
    const asked = open(engine).embed();
    await macrotask();
    comes('ranker');
    await macrotask();
    comes('embedder');
    expect(await asked).toMatchObject({ model: 'embedder' });
  });

  test('documents are ranked by the reranker, wherever it stands', async () => {
    const { engine, begin, comes } = slow();
    const loads = begin('embedder', 'ranker');
    await macrotask();
    for (const name of ['embedder', 'ranker']) comes(name);
    await Promise.all(loads);
    expect(await open(engine).rerank()).toMatchObject({ model: 'ranker' });
  });

  test('a request whose models all failed is told of the first one', async () => {
    const { engine, begin, fails } = slow();
    begin('embedder', 'ranker');
    const asked = open(engine).embed();
    const told = expect(asked).rejects.toMatchObject({ message: 'embedder is not there' });
    await macrotask();
    fails('embedder');
    await macrotask();
    fails('ranker');
    await told;
  });

  test('a request whose only model is unloaded while it waits says that there is none', async () => {
    const { engine, begin } = slow();
    begin('embedder');
    const asked = open(engine).embed();
    const told = expect(asked).rejects.toMatchObject({ code: 'model_not_loaded' });
    await macrotask();
    await engine.unload('embedder');
    await told;
  });
});

test('a caller that gives up while nothing is known of the models is let go at once', async () => {
  const { engine, begin } = slow();
  begin('embedder');
  const controller = new AbortController();
  const own = codeOf(engine.embed(embedRequest({ signal: controller.signal })));
  const byApi = codeOf(createEmbeddings({ input: 'a' }, { engine, api: defaultApiConfig, signal: controller.signal }));
  await macrotask();
  controller.abort();
  expect([await own, await byApi]).toEqual(['aborted', 'aborted']);
});

test.each([
  ['/', { inputs: 'a' }],
  ['/invocations', { input: 'a' }],
])('the route %s, which looks at the model first, tells of the failure too', async (path, body) => {
  const { engine, begin, fails, comes } = slow();
  const handle = createHandler({ engine, api: defaultApiConfig });
  begin('embedder', 'ranker');
  await macrotask();
  fails('embedder');
  await macrotask();
  const asked = handle(
    new Request(`http://localhost${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
  await macrotask();
  comes('ranker');
  const answer = await asked;
  expect([answer.status, await answer.text()]).toEqual([502, expect.stringContaining('embedder is not there')]);
});
