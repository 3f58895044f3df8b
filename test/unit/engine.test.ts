/** What an engine answers to requests, and how they end. */
import { expect, test } from 'vitest';
import type { BackendRequest, TokenBatch } from '../../src/backend/backend.js';
import type { EmbedRequest, JobProgress } from '../../src/core/engine.js';
import type { Tokenizer } from '../../src/core/tokenizer.js';
import { VecinityError } from '../../src/errors.js';
import { deferred } from './deferred.js';
import { fakeBackend, fakeSpec } from './fake-backend.js';
import {
  codeOf,
  embedRequest,
  expectClose,
  letterTokenizer,
  loaded,
  rawVector,
  rerankRequest,
  setUp,
  unit,
} from './letter-engine.js';

test('texts become normalised rows in their order, with the tokens that were embedded', async () => {
  const { engine } = await loaded();
  const result = await engine.embed(embedRequest({ inputs: ['hello', 'a', [5, 6, 7]] }));
  expect(result).toMatchObject({
    model: 'fake',
    count: 3,
    dimensions: 4,
    usage: { promptTokens: 7 + 3 + 3 },
    truncated: 0,
  });
  expectClose(result.embeddings.subarray(0, 8), [...unit(rawVector('hello')), ...unit(rawVector('a'))]);
  expect(result.embeddings.buffer.byteLength).toBe(12 * 4);
});

test('two thousand texts come back in order, and progress ends at the total', async () => {
  const { engine } = await loaded();
  const inputs = Array.from(
    { length: 2048 },
    (_, i) => 'abcdefghij'.slice(0, 1 + (i % 10)) + String.fromCodePoint(200 + (i % 97)),
  );
  const seen: JobProgress[] = [];
  const { embeddings } = await engine.embed(embedRequest({ inputs, onProgress: (progress) => seen.push(progress) }));
  for (const i of [0, 1, 777, 1500, 2047])
    expectClose(embeddings.subarray(i * 4, i * 4 + 4), unit(rawVector(inputs[i] ?? '')));
  expect(seen.at(-1)).toEqual({ done: 2048, total: 2048 });
});

test('normalize follows the model unless the request says otherwise', async () => {
  const { engine } = await loaded({ specs: { raw: { normalize: false }, unit: {} } });
  const embed = async (model: string, normalize: boolean | null) =>
    (await engine.embed(embedRequest({ model, inputs: ['xyz'], normalize }))).embeddings;
  expectClose(await embed('raw', null), rawVector('xyz'));
  expectClose(await embed('raw', true), unit(rawVector('xyz')));
  expectClose(await embed('unit', false), rawVector('xyz'));
});

test('dimensions cuts and normalises again', async () => {
  const { engine } = await loaded();
  const result = await engine.embed(embedRequest({ inputs: ['ab', 'cd'], dimensions: 3 }));
  expect(result.dimensions).toBe(3);
  expectClose(result.embeddings, [...unit(rawVector('ab').slice(0, 3)), ...unit(rawVector('cd').slice(0, 3))]);
});

test('what is cut is normalised even for a model that does not normalise, unless the request forbids it', async () => {
  const { engine } = await loaded({ specs: { raw: { normalize: false } } });
  const cut = await engine.embed(embedRequest({ inputs: ['ab'], dimensions: 2 }));
  expectClose(cut.embeddings, unit(rawVector('ab').slice(0, 2)));
  const kept = await engine.embed(embedRequest({ inputs: ['ab'], dimensions: 2, normalize: false }));
  expectClose(kept.embeddings, rawVector('ab').slice(0, 2));
});

test.each([0, 5, 1.5, -1])('dimensions %d is refused with what is allowed', async (dimensions) => {
  const { engine } = await loaded();
  expect(await codeOf(engine.embed(embedRequest({ dimensions })))).toBe('invalid_request dimensions');
});

test('a model that declares widths is cut to those only', async () => {
  const { engine } = await loaded({ specs: { doll: { matryoshkaDimensions: [2, 4] } } });
  expect((await engine.embed(embedRequest({ dimensions: 2 }))).dimensions).toBe(2);
  expect(await codeOf(engine.embed(embedRequest({ dimensions: 3 })))).toBe('invalid_request dimensions');
});

test('prompts go before the input: by text, by name, by default, or not at all', async () => {
  const { engine } = await loaded({
    specs: { fake: { prompts: { query: 'q:', passage: 'p:' }, defaultPromptName: 'passage' } },
  });
  const embed = async (changes: Partial<EmbedRequest>) =>
    (await engine.embed(embedRequest({ inputs: ['x'], ...changes }))).embeddings;
  expectClose(await embed({}), unit(rawVector('p:x')));
  expectClose(await embed({ promptName: 'query' }), unit(rawVector('q:x')));
  expectClose(await embed({ promptName: 'query', prompt: 'z' }), unit(rawVector('zx')));
  expectClose(await embed({ prompt: '' }), unit(rawVector('x')));
  expect(await codeOf(embed({ promptName: 'nope' }))).toBe('invalid_request prompt_name');
});

test('a long input is cut on the chosen side and counted, or refused', async () => {
  const { engine } = await loaded();
  const long = 'abcdefghijklmnopqrst';
  const right = await engine.embed(embedRequest({ inputs: [long, 'a'], truncate: true }));
  expect(right).toMatchObject({ truncated: 1, usage: { promptTokens: 16 + 3 } });
  expectClose(right.embeddings.subarray(0, 4), unit(rawVector(long.slice(0, 14))));
  const left = await engine.embed(embedRequest({ inputs: [long], truncate: true, truncateSide: 'left', maxTokens: 6 }));
  expectClose(left.embeddings, unit(rawVector('qrst')));
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a', long] })))).toBe('context_length_exceeded input');
  expect(await codeOf(engine.embed(embedRequest()))).toBe('ok');
});

test('empty lists are refused with the name of the parameter', async () => {
  const { engine } = await loaded();
  expect(await codeOf(engine.embed(embedRequest({ inputs: [] })))).toBe('invalid_request inputs');
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a', []] })))).toBe('invalid_request input');
  expect(await codeOf(engine.rerank(rerankRequest({ documents: [] })))).toBe('invalid_request documents');
});

const reranker = { ranker: { task: 'rerank', dimensions: 1 } } as const;

test('a cross-encoder scores pairs by the sigmoid or by the raw logit', async () => {
  const { engine } = await loaded({ specs: reranker });
  const raw = await engine.rerank(rerankRequest({ scoreActivation: 'none' }));
  expectClose(
    raw.scores,
    ['q\u0003a', 'q\u0003b'].flatMap((pair) => rawVector(pair, 1)),
  );
  const scores = (await engine.rerank(rerankRequest())).scores;
  expectClose(
    scores,
    [...raw.scores].map((logit) => 1 / (1 + Math.exp(-logit))),
  );
  expect(raw).toMatchObject({ model: 'ranker', usage: { promptTokens: 10 }, truncated: 0 });
});

test('a reranker makes no embeddings, and a classifier with several labels does not rerank', async () => {
  const { engine } = await loaded({ specs: { ...reranker, labels: { task: 'rerank', dimensions: 3 } } });
  expect(await codeOf(engine.embed(embedRequest()))).toBe('unsupported_task model');
  expect(await codeOf(engine.rerank(rerankRequest({ model: 'labels' })))).toBe('unsupported_task model');
});

test('a bi-encoder reranks by cosine with its prompts for queries and documents', async () => {
  const { engine } = await loaded({ specs: { fake: { prompts: { query: 'q:', passage: 'p:' } } } });
  const { scores, usage } = await engine.rerank(rerankRequest({ query: 'x', documents: ['x', 'yz'] }));
  const query = unit(rawVector('q:x'));
  const cosines = ['p:x', 'p:yz'].map((text) =>
    unit(rawVector(text)).reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0),
  );
  expectClose(scores, cosines);
  expect(usage.promptTokens).toBe(5 + 5 + 6);
});

test("a bi-encoder's query must fit whole; documents are cut or refused", async () => {
  const { engine } = await loaded();
  const long = 'a'.repeat(20);
  expect(await codeOf(engine.rerank(rerankRequest({ query: long })))).toBe('context_length_exceeded query');
  expect(await codeOf(engine.rerank(rerankRequest({ documents: [long], truncate: false })))).toBe(
    'context_length_exceeded documents',
  );
  const cut = await engine.rerank(rerankRequest({ documents: [long], truncate: false, maxTokensPerDocument: 5 }));
  expect(cut).toMatchObject({ truncated: 1, usage: { promptTokens: 3 + 7 } });
});

test('a request that is aborted while it runs rejects at once and harms nobody', async () => {
  const hung = deferred<void>();
  const running = deferred<void>();
  let runs = 0;
  const backend = fakeBackend({
    onRun: async (_, values) => {
      if (runs++ === 1) {
        running.resolve();
        await hung.promise;
      }
      return values;
    },
  });
  const { engine } = await loaded({ openBackend: async () => backend });
  const controller = new AbortController();
  const aborted = codeOf(engine.embed(embedRequest({ signal: controller.signal })));
  const kept = codeOf(engine.embed(embedRequest({ inputs: ['b'] })));
  await running.promise;
  controller.abort();
  expect(await aborted).toBe('aborted');
  hung.resolve();
  expect(await kept).toBe('ok');
});

test('a device that is lost in the middle of a job is replaced and the job answered', async () => {
  let opened = 0;
  const openBackend = async () => {
    const mortal = opened++ === 0;
    let runs = 0;
    return fakeBackend({
      onRun: (_, values) => {
        if (mortal && runs++ === 1) throw new VecinityError('worker_died', 'The compute worker died.');
        return values;
      },
    });
  };
  const { engine } = await loaded({ openBackend });
  const result = await engine.embed(embedRequest({ inputs: ['hello'] }));
  expectClose(result.embeddings, unit(rawVector('hello')));
  expect(opened).toBe(2);
  expect(engine.status().models[0]).toMatchObject({
    ...{ state: 'ready', error: null, recoveries: 1, progress: { phase: 'ready' } },
    tried: [{}, {}, { ok: true }, { ok: false, reason: 'The compute worker died.' }, { ok: true }],
  });
});

test('a device whose replacement computes wrong numbers is left for the next one, and no text gets them', async () => {
  const opened: string[] = [];
  const openBackend = async ({ backend, device }: BackendRequest) => {
    const place = opened.push(backend);
    return fakeBackend({
      info: { backend, device },
      onRun: (batch, values) => {
        if (place === 1 && batch.offsets.length === 2)
          throw new VecinityError('worker_died', 'The process was killed.');
        return place === 2 ? values.reverse() : values;
      },
    });
  };
  const { engine } = await loaded({ openBackend, parts: { wasmSupports: () => true } });
  const { embeddings } = await engine.embed(embedRequest({ inputs: ['hello'] }));
  expectClose(embeddings, unit(rawVector('hello')));
  expect(opened).toEqual(['wasm', 'wasm', 'onnx']);
  expect(engine.status().models[0]).toMatchObject({
    ...{ state: 'ready', recoveries: 1, backend: { backend: 'onnx' } },
    tried: [
      {},
      { backend: 'wasm', ok: true },
      { backend: 'wasm', ok: false, reason: 'The process was killed.' },
      { backend: 'wasm', ok: false, reason: expect.stringMatching(/^The check text came out wrong: cosine/) },
      { backend: 'onnx', ok: true },
    ],
  });
});

test('a model whose device is lost and comes back nowhere has failed, says why, and is ready again when it comes back', async () => {
  let lost = false;
  let left = true;
  const openBackend = async () => {
    if (!left) throw new VecinityError('device_unavailable', 'There is no device.');
    return fakeBackend({
      onRun: (_, values) => {
        if (lost) throw new VecinityError('worker_died', 'The compute worker died.');
        return values;
      },
    });
  };
  const { engine } = await loaded({ openBackend });
  lost = true;
  left = false;
  expect(await codeOf(engine.embed(embedRequest()))).toBe('device_unavailable');
  expect(engine.status().models[0]).toMatchObject({ state: 'failed', error: { code: 'device_unavailable' } });
  lost = false;
  left = true;
  expect(await codeOf(engine.embed(embedRequest()))).toBe('ok');
  expect(engine.status().models[0]).toMatchObject({ state: 'ready', error: null, recoveries: 1 });
});

test('an input that kills two workers is answered with engine_crashed and the next request works', async () => {
  let opened = 0;
  const poison = 'z'.codePointAt(0) ?? 0;
  const openBackend = async () => {
    opened += 1;
    return fakeBackend({
      onRun: (batch, values) => {
        if (batch.inputIds.includes(poison) && batch.inputIds.length < 10)
          throw new VecinityError('worker_died', 'dead');
        return values;
      },
    });
  };
  const { engine } = await loaded({ openBackend });
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['z'] })))).toBe('engine_crashed');
  expect(await codeOf(engine.embed(embedRequest({ inputs: ['a'] })))).toBe('ok');
  expect(opened).toBe(3);
});

test('tokenizing a long job lets the event loop run in between', async () => {
  let time = 0;
  const tokenizer = letterTokenizer(fakeSpec());
  const slow: Tokenizer = {
    ...tokenizer,
    encode: (text, options) => {
      time += 1;
      return tokenizer.encode(text, options);
    },
  };
  const spec = fakeSpec();
  const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
  const { engine, backends } = setUp({
    parts: { now: () => time, openModel: async () => ({ spec, location, tokenizer: Promise.resolve(slow) }) },
  });
  await engine.load('fake');
  const before = time;
  const turns = [before];
  const tick = () => {
    turns.push(time);
    if (time < before + 100) setImmediate(tick);
  };
  setImmediate(tick);
  const { timing } = await engine.embed(embedRequest({ inputs: new Array(100).fill('ab') }));
  expect(timing.tokenizeMs).toBe(100);
  expect(turns.length).toBeGreaterThan(5);
  const steps = turns.slice(1).map((at, i) => at - (turns[i] ?? 0));
  expect(Math.max(...steps)).toBeLessThanOrEqual(20);
  expect(backends[0]?.batches.length).toBeGreaterThan(2);
});

test('vectors of more tokens than one answer can hold are refused before they are computed', async () => {
  const width = 2 ** 21;
  const runs: number[] = [];
  const openBackend = async () => ({
    ...fakeBackend(),
    width,
    run: async ({ inputIds, offsets }: TokenBatch) => {
      runs.push(inputIds.length);
      const values = new Float32Array((offsets.length - 1) * width);
      // Each text another vector.
      offsets.subarray(1).forEach((_, text) => void values.fill(text + 1, text * width, text * width + 1));
      return values;
    },
  });
  const { engine } = await loaded({ openBackend });
  const checked = runs.length;
  await expect(engine.embedTokens(embedRequest({ inputs: ['ab', 'c'] }))).rejects.toMatchObject({
    ...{ code: 'invalid_request', param: 'input' },
    message: expect.stringContaining('more than 4 tokens'),
  });
  expect(runs).toHaveLength(checked);
});

test('a request with more tokens than it may have in all is refused in OpenAI’s words, and the next is answered', async () => {
  const { engine } = await loaded();
  const inputs = ['hello', 'world'];
  await expect(engine.embed(embedRequest({ inputs, maxTotalTokens: 13 }))).rejects.toMatchObject({
    ...{ code: 'invalid_request', param: 'input' },
    message: expect.stringMatching(/Requested at least 14 tokens, max 13 tokens per request/),
  });
  expect(await engine.embed(embedRequest({ inputs, maxTotalTokens: 14 }))).toMatchObject({ count: 2 });
});
