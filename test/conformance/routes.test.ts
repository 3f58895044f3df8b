/** Routes in front of a real model: what only a real tokenizer and real vectors can show. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { createHandler, type Handler } from '../../src/api/handler.js';
import { loadWasmBackend, setThreadFactory } from '../../src/backend/wasm/index.js';
import { supportsModel } from '../../src/backend/wasm/supports.js';
import { defaultEngineConfig } from '../../src/config.js';
import { createEngine } from '../../src/core/create-engine.js';
import type { Engine } from '../../src/core/engine.js';
import { openModel } from '../../src/core/open-model.js';
import { modelIdOf } from '../../src/models/resolve.js';
import { createMemoryVerdicts } from '../../src/storage/verdicts.js';
import { readAnswer, routeOf } from '../unit/route-answers.js';
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
  await readAnswer(routeOf('POST', path), response.clone());
  return await response.json();
}

function mean(rows: readonly number[][]): number[] {
  const [first = []] = rows;
  return first.map((_, column) => rows.reduce((sum, row) => sum + (row[column] ?? 0), 0) / rows.length);
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

describe('token vectors', () => {
  const inputs = ['a long text about the sea', 'short'];

  it('come for every token, in the order of the inputs, and their mean is the embedding', async () => {
    const answer: number[][][] = await answerOf('/embed_all', { inputs });
    const tokens: unknown[][] = await answerOf('/tokenize', { inputs });
    expect(answer.map(({ length }) => length)).toEqual(tokens.map(({ length }) => length));
    const pooled: number[][] = await answerOf('/embed', { inputs });
    const cosines = answer.map((rows, input) => cosine(mean(rows), pooled[input] ?? []));
    expect(Math.min(...cosines)).toBeGreaterThan(0.99999);
  });

  it('are cut as they are asked to be', async () => {
    const options = { inputs: ['one two three four'], truncation_direction: 'left', prompt_name: null };
    expect((await answerOf('/embed_all', options))[0]).toHaveLength(6);
  });

  it('of too many tokens are refused before they are computed', async () => {
    const response = await post('/embed_all', { inputs: Array(200).fill('word '.repeat(300)) });
    expect(response.status).toBe(422);
    expect((await response.json()).error).toMatch(/more than 21845 tokens/);
  });
});

describe('late_chunking', () => {
  const input = ['Berlin is the capital of Germany.', 'The city has four million people.'];

  it('gives each input the mean of its own tokens in the context of all', async () => {
    const { data, usage } = await answerOf('/v1/embeddings', { input, late_chunking: true });
    const [whole = []]: number[][][] = await answerOf('/embed_all', { inputs: input.join(' ') });
    expect(usage.prompt_tokens).toBe(whole.length);
    const [first = []]: unknown[][] = await answerOf('/tokenize', { inputs: input[0], add_special_tokens: false });
    const cut = 1 + first.length;
    const wanted = [mean(whole.slice(1, cut)), mean(whole.slice(cut, -1))];
    const cosines = wanted.map((vector, at) => cosine(vector, data[at].embedding));
    expect(Math.min(...cosines)).toBeGreaterThan(0.99999);
    const plain = await answerOf('/v1/embeddings', { input });
    expect(cosine(plain.data[1].embedding, data[1].embedding)).toBeLessThan(0.99);
  });

  it.each([
    [{ input: ['a', ''] }, 400, /input\[1\] has no tokens/],
    [{ input: Array(300).fill('word'), truncate: true }, 400, /302 tokens/],
  ])('refuses %j', async (body, status, message) => {
    const response = await post('/v1/embeddings', { ...body, late_chunking: true });
    expect(response.status).toBe(status);
    expect((await response.json()).error.message).toMatch(message);
  });
});

it('the metrics tell how large the runs were', async () => {
  await answerOf('/embed', { inputs: ['a', 'b'] });
  const text = await (await handler(new Request('https://x.example/metrics'))).text();
  expect(Number(/te_batch_next_size_count (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
  expect(Number(/te_batch_next_tokens_sum (\d+)/.exec(text)?.[1])).toBeGreaterThan(0);
});
