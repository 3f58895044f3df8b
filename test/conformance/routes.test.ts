/** Routes in front of a real model: what only a real tokenizer and real vectors can show. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { createHandler, type Handler } from '../../src/api/handler.js';
import { loadWasmBackend, setThreadFactory, supportsModel } from '../../src/backend/wasm/index.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine } from '../../src/core/create-engine.js';
import type { Engine } from '../../src/core/engine.js';
import { openModel } from '../../src/core/open-model.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { cosine } from './golden.js';

const folder = `${join(import.meta.dirname, '../../public/models/all-MiniLM-L6-v2')}/`;
let engine: Engine;
let handler: Handler;

async function post(path: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return await handler(
    new Request(`https://x.example${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
  );
}

async function answerOf(path: string, body: object) {
  const response = await post(path, body);
  expect(response.status).toBe(200);
  return await response.json();
}

beforeAll(async () => {
  await ensureKernels();
  setThreadFactory(null);
  const config = { ...defaultEngineConfig, modelsUrl: null, threads: 1 };
  engine = createEngine({
    config,
    openModel: (name, options) => openModel(name, config, options),
    openBackend: loadWasmBackend,
    probeWebGpu: async () => ({ kind: 'none', adapter: '' }),
    wasmSupports: supportsModel,
    verdicts: createMemoryVerdicts(),
    modelIdOf,
  });
  await engine.load(folder);
  handler = createHandler({ engine });
}, 120_000);
afterAll(() => engine.dispose());

it.each(['/v1-openai/embeddings', '/v1/embeddings', '/compatible-mode/v1/embeddings'])(
  'GPUStack’s published example counts 12 tokens on %s',
  async (path) => {
    const input = 'The food was delicious and the waiter...';
    const { usage } = await answerOf(path, { model: 'bge-small-en-v1.5', input });
    expect(usage).toEqual({ prompt_tokens: 12, total_tokens: 12 });
  },
);

it('strings among token ids stand for their tokens', async () => {
  const [cls, sep] = [101, 102];
  const { data, usage } = await answerOf('/v1/embeddings', { input: [[cls, 'hello', 'world', sep], 'hello world'] });
  expect(usage.prompt_tokens).toBe(8);
  expect(cosine(data[0].embedding, data[1].embedding)).toBeGreaterThan(0.9999);
});

it('token ids of another vocabulary are refused with a hint', async () => {
  const response = await post('/v1/embeddings', { input: [[791, 3691, 100_257]] });
  expect(response.status).toBe(400);
  const { error } = await response.json();
  expect(error).toMatchObject({ code: 'invalid_request', param: 'input' });
  expect(error.message).toMatch(/100257, but ids of .* from 0 to 30521.*tiktoken.*check_embedding_ctx_length=False/);
});

describe('truncate_prompt_tokens', () => {
  it('is what is counted', async () => {
    const input = 'one two three four five six';
    expect((await answerOf('/v1/embeddings', { input, truncate_prompt_tokens: 4 })).usage.prompt_tokens).toBe(4);
    const pair = { text_1: input, text_2: input, truncate_prompt_tokens: 5 };
    expect((await answerOf('/score', pair)).usage.prompt_tokens).toBe(10);
  });
});

it('the metrics tell how large the runs were', async () => {
  await answerOf('/embed', { inputs: ['a', 'b'] });
  const text = await (await handler(new Request('https://x.example/metrics'))).text();
  expect(Number(/te_batch_next_size_count (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
  expect(Number(/te_batch_next_tokens_sum (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
});
