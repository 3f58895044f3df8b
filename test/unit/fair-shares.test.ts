/** What clients of one queue can rely on beside each other: in virtual time, on the queue itself. */
import { expect, test } from 'vitest';
import { createHandler } from '../../src/api/handler.js';
import { Batcher, type BatcherOptions } from '../../src/core/batcher.js';
import { clientOf, fromWireRequest, withClient } from '../../src/wire/http.js';
import { FakeEngine, fakeModel } from './api-engine.js';
import { macrotask, seeded, text, VirtualRunner, type VirtualRunnerOptions } from './virtual-runner.js';

function setUp(runnerOptions: VirtualRunnerOptions = {}, options: Partial<BatcherOptions> = {}) {
  const runner = new VirtualRunner({ tokensPerMs: 2, ...runnerOptions });
  const batcher = new Batcher({ runner, maxBatchTokens: 4096, maxQueue: 100_000, now: () => runner.now, ...options });
  const submit = (client: string, count: number, length: number, mark: number) =>
    batcher.submit(
      Array.from({ length: count }, () => text(length, mark)),
      { client },
    );
  return { runner, batcher, submit };
}

/** Tokens of the runs so far by the mark of their texts. */
function tokensOf({ runs }: VirtualRunner, mark: number): number {
  let tokens = 0;
  for (const { marks, lengths } of runs) {
    marks.forEach((other, at) => {
      if (other === mark) tokens += lengths[at] ?? 0;
    });
  }
  return tokens;
}

async function steps(runner: VirtualRunner, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await runner.step();
}

test('two bulk jobs of two clients go on at the same speed, whatever their sizes', async () => {
  const { runner, submit } = setUp();
  const jobs = [submit('large', 800, 50, 1), submit('small', 300, 50, 2)];
  await steps(runner, 20);
  expect(Math.abs(tokensOf(runner, 1) - tokensOf(runner, 2))).toBeLessThanOrEqual(800);
  await runner.drain();
  await Promise.all(jobs);
});

test('a client with many jobs gets no more than one with a single job', async () => {
  const { runner, submit } = setUp();
  const jobs = Array.from({ length: 9 }, () => submit('many', 80, 50, 1));
  jobs.push(submit('one', 500, 50, 2));
  await steps(runner, 40);
  expect(Math.abs(tokensOf(runner, 1) - tokensOf(runner, 2))).toBeLessThanOrEqual(800);
  await runner.drain();
  await Promise.all(jobs);
});

test('a query runs next although another client has hundreds of queries before it', async () => {
  const { runner, submit } = setUp();
  const jobs = Array.from({ length: 600 }, () => submit('flood', 1, 10, 1));
  await steps(runner, 2);
  jobs.push(submit('other', 1, 10, 2));
  await runner.step();
  expect(runner.runs.at(-1)?.marks).toContain(2);
  await runner.drain();
  await Promise.all(jobs);
});

test('a flood of queries leaves half of the device to the bulk job of another client', async () => {
  const { runner, submit } = setUp();
  const jobs = [submit('bulk', 500, 50, 2)];
  for (let at = 0; at < 40; at += 1) {
    for (let query = 0; query < 20; query += 1) jobs.push(submit('flood', 1, 50, 1));
    await runner.step();
  }
  expect(tokensOf(runner, 2) / tokensOf(runner, 1)).toBeGreaterThan(0.8);
  await runner.drain();
  await Promise.all(jobs);
});

test('a short query goes first although its client is a run ahead of the others', async () => {
  const { runner, submit } = setUp();
  const jobs = [submit('a', 400, 50, 1), submit('b', 400, 50, 2)];
  const runsNow = () => runner.runs.at(-1)?.marks;
  await steps(runner, 9);
  while (!runsNow()?.includes(1)) await runner.step();
  jobs.push(submit('a', 1, 8, 3));
  await runner.step();
  expect(runsNow()).toContain(3);
  await runner.drain();
  await Promise.all(jobs);
});

test('a client that did nothing for a while has saved nothing up', async () => {
  const { runner, submit } = setUp();
  await Promise.all([submit('late', 1, 8, 3), runner.drain()]);
  const jobs = [submit('early', 900, 50, 1)];
  await steps(runner, 30);
  jobs.push(submit('late', 300, 50, 2));
  const [ofEarly, ofLate] = [tokensOf(runner, 1), tokensOf(runner, 2)];
  await steps(runner, 20);
  const gained = tokensOf(runner, 2) - ofLate - (tokensOf(runner, 1) - ofEarly);
  expect(Math.abs(gained)).toBeLessThanOrEqual(1_200);
  await runner.drain();
  await Promise.all(jobs);
});

test('a client that comes and goes is not first each time', async () => {
  const { runner, submit } = setUp();
  const bulk = submit('bulk', 600, 50, 2);
  for (let at = 0; at < 8; at += 1) {
    let isHere = true;
    const visit = Promise.all([1, 2, 3, 4].map(() => submit('visitor', 8, 50, 1)));
    void visit.then(() => {
      isHere = false;
    });
    while (isHere) await runner.step();
  }
  expect(tokensOf(runner, 2) / tokensOf(runner, 1)).toBeGreaterThan(0.8);
  await runner.drain();
  await bulk;
});

test('what a client got before the device was idle does not count later', async () => {
  const { runner, submit } = setUp();
  await Promise.all([submit('early', 400, 50, 3), runner.drain()]);
  const jobs = [submit('early', 400, 50, 1), submit('late', 400, 50, 2)];
  await steps(runner, 20);
  expect(Math.abs(tokensOf(runner, 1) - tokensOf(runner, 2))).toBeLessThanOrEqual(800);
  await runner.drain();
  await Promise.all(jobs);
});

test('of clients that had as much, the one with the shorter job goes first', async () => {
  const { runner, submit } = setUp();
  const jobs = [submit('first', 1, 50, 1), submit('long', 40, 50, 2), submit('short', 20, 50, 3)];
  await steps(runner, 1);
  expect(runner.runs.at(-1)?.marks[0]).toBe(3);
  await runner.drain();
  await Promise.all(jobs);
});

test('a client whose inputs all run already leaves the queue to those that wait', async () => {
  const { runner, submit } = setUp({}, { maxQueue: 100 });
  const jobs = [submit('served', 1, 50, 1), submit('waiting', 60, 50, 2), submit('waiting', 40, 50, 2)];
  await runner.drain();
  expect(await Promise.allSettled(jobs)).toMatchObject(jobs.map(() => ({ status: 'fulfilled' })));
});

test('a client that floods fills its own part of the queue and no more', async () => {
  const { runner, batcher, submit } = setUp({}, { maxQueue: 100 });
  const jobs = [submit('flood', 100, 50, 1)];
  await macrotask();
  const refused = await submit('flood', 20, 50, 1).catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code: 'overloaded', message: expect.stringContaining('of at most 100 inputs') });
  jobs.push(submit('other', 20, 50, 2), submit('other', 30, 50, 2));
  const own = await submit('other', 1, 50, 2).catch((thrown: unknown) => thrown);
  expect(own).toMatchObject({
    code: 'overloaded',
    message: '50 of at most 50 inputs are waiting (2 clients share a queue of 100); 1 more do not fit.',
  });
  const flooder = await submit('flood', 1, 50, 1).catch((thrown: unknown) => thrown);
  expect(flooder).toMatchObject({ message: expect.stringContaining('of at most 50 inputs are waiting (2 clients') });
  jobs.push(submit('third', 33, 50, 3));
  expect(batcher.statistics.inputs).toBeGreaterThan(100);
  await runner.drain();
  await Promise.all(jobs);
});

/** Two clients that always have work, of all kinds, on a random device: how far one got ahead of the other. */
async function lead(seed: number): Promise<{ ahead: number; largestRun: number }> {
  const random = seeded(seed);
  const upTo = (most: number) => 1 + Math.floor(random() * most);
  const { runner, submit } = setUp({ padded: random() < 0.5, lanes: upTo(3), tokensPerMs: 0.5 + random() * 4 });
  const pending: Promise<unknown>[] = [];
  const kinds = [upTo(3), upTo(3)];
  const fed = [0, 0];
  const feed = (mark: number) => {
    const isBulk = random() < (kinds[mark] ?? 0) / 3;
    const [count, length] = [isBulk ? upTo(80) : upTo(3), upTo(60)];
    fed[mark] = (fed[mark] ?? 0) + count * length;
    pending.push(submit(`client ${mark}`, count, length, mark));
  };
  const refill = () => {
    for (const mark of [0, 1]) while ((fed[mark] ?? 0) < tokensOf(runner, mark) + 8_000) feed(mark);
  };
  let ahead = 0;
  for (let at = 0; at < 12; at += 1) {
    refill();
    await runner.step();
    ahead = Math.max(ahead, Math.abs(tokensOf(runner, 0) - tokensOf(runner, 1)));
  }
  const largestRun = Math.max(...runner.runs.map(({ lengths }) => lengths.reduce((sum, length) => sum + length, 0)));
  await runner.drain();
  await Promise.all(pending);
  return { ahead, largestRun };
}

test('in hundreds of random schedules no client gets more than a few runs ahead of one that waits', async () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const { ahead, largestRun } = await lead(seed);
    expect(ahead, `seed ${seed}`).toBeLessThanOrEqual(5 * largestRun);
  }
}, 60_000);

test('the queue learns whose request came over HTTP, and nothing from the world outside', async () => {
  const engine = new FakeEngine([fakeModel('embedder', 'embedding'), fakeModel('ranker', 'rerank')]);
  const post = (handler: (request: Request) => Promise<Response>, path: string, body: unknown) => {
    const bytes = new TextEncoder().encode(JSON.stringify(body)).buffer;
    const headers: [string, string][] = [['content-type', 'application/json']];
    const wire = withClient({ method: 'POST', url: `http://x${path}`, headers, body: bytes }, 'a tab');
    return handler(fromWireRequest(wire, new AbortController().signal));
  };
  const inside = createHandler({ engine, api: { modelPolicy: 'strict' }, clientOf });
  await post(inside, '/v1/embeddings', { model: 'embedder', input: 'text' });
  await post(inside, '/v1/rerank', { model: 'ranker', query: 'text', documents: ['text'] });
  await post(createHandler({ engine }), '/v1/embeddings', { model: 'embedder', input: 'text' });
  expect(engine.embedRequests.map(({ client }) => client)).toEqual(['a tab', undefined]);
  expect(engine.rerankRequests.map(({ client }) => client)).toEqual(['a tab']);
});

test('a request keeps the name that it has', () => {
  const wire = { method: 'GET', url: 'http://x/', headers: [], body: null };
  const named = withClient(withClient(wire, 'caller'), 'server');
  expect(clientOf(fromWireRequest(named, new AbortController().signal))).toBe('caller');
});
