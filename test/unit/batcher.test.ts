import { expect, test } from 'vitest';
import { Batcher, type BatcherOptions } from '../../src/core/batcher.js';
import type { JobProgress } from '../../src/core/engine.js';
import { VecinityError } from '../../src/errors.js';
import { deferred } from './deferred.js';
import { fakeBackend } from './fake-backend.js';
import {
  macrotask,
  type RecordedRun,
  seeded,
  text,
  VirtualRunner,
  type VirtualRunnerOptions,
} from './virtual-runner.js';

function setUp(runnerOptions: VirtualRunnerOptions = {}, options: Partial<BatcherOptions> = {}) {
  const runner = new VirtualRunner(runnerOptions);
  const batcher = new Batcher({ runner, maxBatchTokens: 4096, maxQueue: 1000, now: () => runner.now, ...options });
  return { runner, batcher };
}

function texts(count: number, length: number, mark: number) {
  return Array.from({ length: count }, () => text(length, mark));
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(
    () => 'ok',
    (thrown: unknown) => (thrown instanceof VecinityError ? thrown.code : 'not ours'),
  );
}

function amplification(run: RecordedRun): number {
  const real = run.lengths.reduce((sum, length) => sum + length, 0);
  return (Math.max(...run.lengths) * run.lengths.length) / real;
}

test('rows come back in the order of the inputs although runs are sorted by length', async () => {
  const { runner, batcher } = setUp();
  const lengths = [5, 90, 17, 3, 64, 17];
  const result = batcher.submit(lengths.map((length, i) => text(length, 100 + i)));
  await runner.drain();
  expect([...(await result).values]).toEqual(lengths.flatMap((length, i) => [100 + i, length]));
  expect(runner.runs[0]?.lengths).toEqual([90, 64, 17, 17, 5, 3]);
});

test('a run of a padded backend is charged longest times count and padded by a quarter at most', async () => {
  const { runner, batcher } = setUp({ padded: true }, { maxBatchTokens: 300 });
  const result = batcher.submit([100, 90, 85, 40, 38, 12, 4, 4].map((length) => text(length, 1)));
  await runner.drain();
  await result;
  expect(runner.runs.map((run) => run.lengths)).toEqual([[100, 90, 85], [40, 38], [12], [4, 4]]);
});

test('a text longer than the budget runs alone', async () => {
  const { runner, batcher } = setUp({}, { maxBatchTokens: 50 });
  const result = batcher.submit([text(200, 1), text(30, 2), text(20, 3)]);
  await runner.drain();
  await result;
  expect(runner.runs.map((run) => run.lengths)).toEqual([[200], [30, 20]]);
});

test('runs shrink to about 200 ms on a slow device and grow on a fast one', async () => {
  for (const tokensPerMs of [0.5, 2, 15]) {
    const { runner, batcher } = setUp({ tokensPerMs });
    const result = batcher.submit(texts(800, 16, 1));
    await runner.drain();
    await result;
    const [, ...measured] = runner.runs.map((run) => run.endedAt - run.startedAt);
    expect(Math.max(...measured)).toBeLessThanOrEqual(200);
    if (tokensPerMs < 15) expect(measured[0]).toBeGreaterThan(150);
    else expect(runner.runs[1]?.lengths.length).toBe(187);
  }
});

test('a short query overtakes the next run of a bulk job', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 2 });
  const bulk = batcher.submit(texts(100, 50, 1));
  const query = batcher.submit([text(8, 2)]);
  await runner.step();
  await runner.step();
  expect(runner.runs[1]?.marks).toEqual([2]);
  await query;
  await runner.drain();
  await bulk;
});

test('a stream of short queries does not starve a bulk job', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 2 });
  const bulk = batcher.submit(texts(60, 50, 1));
  const queries: Promise<unknown>[] = [];
  for (let i = 0; i < 60; i++) {
    queries.push(batcher.submit(texts(8, 60, 2)));
    await runner.step();
  }
  await bulk;
  const bulkRuns = runner.runs.flatMap((run, i) => (run.marks.includes(1) ? [i] : []));
  const between = bulkRuns.slice(1).map((at, i) => at - (bulkRuns[i] ?? 0) - 1);
  expect(between.length).toBeGreaterThan(4);
  expect(Math.max(...between)).toBe(4);
  await runner.drain();
  await Promise.all(queries);
});

test('small jobs that wait together share a run, and bulk does not join them', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 2 });
  const jobs = [batcher.submit(texts(200, 50, 1))];
  for (let i = 0; i < 5; i++) jobs.push(batcher.submit([text(10, 20 + i)]));
  await runner.step();
  expect(runner.runs[1]?.marks.toSorted((a, b) => a - b)).toEqual([20, 21, 22, 23, 24]);
  await runner.drain();
  await Promise.all(jobs);
});

test('every lane gets a share of a job and is refilled as soon as it is free', async () => {
  const { runner, batcher } = setUp({ lanes: 3 });
  const result = batcher.submit(texts(60, 30, 1));
  expect(runner.inFlight).toBe(3);
  await runner.step();
  expect(runner.inFlight).toBe(3);
  await runner.drain();
  await result;
});

test('a job that does not fit is refused whole with the time until it will', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 1 }, { maxQueue: 100, maxBatchTokens: 100 });
  const first = batcher.submit(texts(10, 10, 1));
  await runner.drain();
  await first;
  const bulk = batcher.submit(texts(100, 10, 1));
  const refused = await batcher.submit(texts(11, 10, 2)).catch((thrown: unknown) => thrown);
  expect(refused).toMatchObject({ code: 'overloaded', status: 429, retryAfterMs: 110 });
  const accepted = batcher.submit(texts(10, 10, 2));
  await runner.drain();
  await Promise.all([bulk, accepted]);
  expect(runner.runs.flatMap((run) => run.marks).filter((mark) => mark === 2)).toHaveLength(10);
});

test('nobody is sent away for more than a minute, however slow the runs before seemed', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 0.001 }, { maxQueue: 100 });
  const first = batcher.submit(texts(1, 10, 1));
  await runner.drain();
  await first;
  const bulk = batcher.submit(texts(100, 10, 1));
  await expect(batcher.submit(texts(100, 10, 2))).rejects.toMatchObject({ code: 'overloaded', retryAfterMs: 60_000 });
  await runner.drain();
  await bulk;
});

test('a job larger than the queue is taken when nothing waits', async () => {
  const { runner, batcher } = setUp({}, { maxQueue: 4 });
  const result = batcher.submit(texts(50, 10, 1));
  await runner.drain();
  expect((await result).values).toHaveLength(100);
});

test('an aborted job leaves the queue at once and frees its places', async () => {
  const { runner, batcher } = setUp({}, { maxQueue: 10, maxBatchTokens: 10 });
  const running = batcher.submit([text(10, 1)]);
  const controller = new AbortController();
  const waiting = batcher.submit(texts(10, 10, 2), { signal: controller.signal });
  expect(batcher.statistics).toEqual({ inputs: 10, tokens: 100 });
  controller.abort();
  expect(await codeOf(waiting)).toBe('aborted');
  expect(batcher.statistics).toEqual({ inputs: 0, tokens: 0 });
  const next = batcher.submit(texts(10, 10, 3));
  await runner.drain();
  await Promise.all([running, next]);
  expect(runner.runs.flatMap((run) => run.marks)).not.toContain(2);
});

test('abort while running rejects at once and does not disturb the job beside it', async () => {
  const { runner, batcher } = setUp();
  const blocker = batcher.submit([text(10, 1)]);
  const controller = new AbortController();
  const aborted = batcher.submit([text(10, 2)], { signal: controller.signal });
  const kept = batcher.submit([text(10, 3)]);
  await runner.step();
  expect(runner.runs[1]?.marks).toHaveLength(2);
  controller.abort(new Error('closed the tab'));
  expect(await codeOf(aborted)).toBe('aborted');
  await runner.drain();
  await blocker;
  expect([...(await kept).values]).toEqual([3, 10]);
});

test('a signal that has fired already is refused before anything is queued', async () => {
  const { batcher } = setUp();
  expect(await codeOf(batcher.submit([text(5, 1)], { signal: AbortSignal.abort() }))).toBe('aborted');
  expect(batcher.statistics.inputs).toBe(0);
});

test('a failed run is split until only the guilty job ends with the error', async () => {
  const failure = (run: RecordedRun) => {
    if (run.marks.includes(66)) throw new VecinityError('backend_failed', 'bad token');
  };
  const { runner, batcher } = setUp({ failure });
  const blocker = batcher.submit([text(10, 1)]);
  const jobs = [2, 66, 3].map((mark) => codeOf(batcher.submit([text(10, mark), text(9, mark)])));
  await runner.drain();
  await blocker;
  expect(await Promise.all(jobs)).toEqual(['ok', 'backend_failed', 'ok']);
  expect(runner.inFlight).toBe(0);
});

test.each(['backend_failed', 'out_of_memory'] as const)(
  'a job that is too much in one run is rescued by halves after %s',
  async (code) => {
    const failure = (run: RecordedRun) => {
      if (run.lengths.length > 4) throw new VecinityError(code, 'out of memory');
    };
    const { runner, batcher } = setUp({ failure });
    const result = batcher.submit(texts(16, 10, 5));
    await runner.drain();
    expect((await result).values).toHaveLength(32);
  },
);

test.each([
  ['out_of_memory', 1, 'ok'],
  ['out_of_memory', 2, 'out_of_memory'],
  ['backend_failed', 1, 'backend_failed'],
] as const)(
  'a single text that ends with %s (%i times) is tried again alone if memory is all it lacked',
  async (code, times, end) => {
    let failed = 0;
    const failure = (run: RecordedRun) => {
      if (run.marks.includes(66) && failed++ < times) throw new VecinityError(code, 'no room');
    };
    const { runner, batcher } = setUp({ lanes: 2, failure });
    const jobs = [codeOf(batcher.submit([text(10, 66)])), codeOf(batcher.submit([text(400, 2)]))];
    await runner.drain();
    expect(await Promise.all(jobs)).toEqual([end, 'ok']);
    const lone =
      code === 'out_of_memory'
        ? [
            [66, 1],
            [66, 1],
          ]
        : [[66, 1]];
    expect(runner.runs.filter(({ marks }) => marks.includes(66)).map(({ beside }) => [66, beside])).toEqual(lone);
  },
);

test('the job that kills two workers is answered with engine_crashed, its neighbours in other lanes succeed', async () => {
  let dead = false;
  const failure = (run: RecordedRun) => {
    dead = run.marks.includes(66) || (dead && run.beside > 1);
    if (dead) throw new VecinityError('worker_died', 'gone');
  };
  const { runner, batcher } = setUp({ lanes: 3, failure });
  const jobs = [2, 66, 3].map((mark) => codeOf(batcher.submit([text(10, mark)])));
  await runner.drain();
  expect(await Promise.all(jobs)).toEqual(['ok', 'engine_crashed', 'ok']);
  expect(runner.runs.filter((run) => run.marks.includes(66))).toHaveLength(2);
});

test('what a worker died of is run again only when nothing else runs any more', async () => {
  const failure = (run: RecordedRun) => {
    if (run.marks.includes(66) && run.startedAt === 0) throw new VecinityError('worker_died', 'gone');
  };
  const { runner, batcher } = setUp({ lanes: 2, failure });
  const jobs = [codeOf(batcher.submit([text(10, 66)])), codeOf(batcher.submit([text(400, 2)]))];
  await runner.step();
  expect(runner.inFlight).toBe(1);
  await runner.drain();
  expect(await Promise.all(jobs)).toEqual(['ok', 'ok']);
  expect(runner.runs.map(({ marks, beside }) => [marks, beside])).toEqual([
    [[66], 1],
    [[2], 2],
    [[66], 1],
  ]);
});

test('a job is dealt out to all lanes that are idle, unless it is too small for that', async () => {
  const { runner, batcher } = setUp({ lanes: 2, tokensPerMs: 100 });
  const warmUp = batcher.submit(texts(1, 100, 1));
  await runner.drain();
  await warmUp;
  const large = batcher.submit(texts(40, 50, 2));
  // A lane takes its part of what waits at that moment.
  expect(runner.runs.slice(1).map(({ marks }) => marks.length)).toEqual([20, 10]);
  await runner.drain();
  await large;
  const small = batcher.submit(texts(5, 50, 3));
  expect(runner.runs.filter(({ marks }) => marks.includes(3)).map(({ marks }) => marks.length)).toEqual([5]);
  await runner.drain();
  await small;
});

test('a job that is called off is not tried again', async () => {
  const failure = (run: RecordedRun) => {
    if (run.marks.length > 2) throw new VecinityError('backend_failed', 'too many');
  };
  const { runner, batcher } = setUp({ failure });
  const controller = new AbortController();
  const job = codeOf(batcher.submit(texts(4, 10, 5), { signal: controller.signal }));
  await runner.step();
  expect(runner.runs.map(({ marks }) => marks.length)).toEqual([4, 2]);
  controller.abort();
  await runner.drain();
  expect(await job).toBe('aborted');
  expect(runner.runs).toHaveLength(2);
});

test('an error that no retry can mend ends the jobs of its run and nothing else', async () => {
  let failed = false;
  const failure = () => {
    if (failed) return;
    failed = true;
    throw new VecinityError('device_unavailable', 'no device is left');
  };
  const { runner, batcher } = setUp({ failure });
  const jobs = [1, 2].map((mark) => codeOf(batcher.submit([text(10, mark)])));
  await runner.drain();
  expect(await Promise.all(jobs)).toEqual(['device_unavailable', 'ok']);
  expect(runner.runs).toHaveLength(2);
});

test('a backend that answers with the wrong number of values has failed', async () => {
  const runner = { width: 2, padded: false, lanes: 1, run: async () => new Float32Array(3) };
  const batcher = new Batcher({ runner, maxBatchTokens: 100, maxQueue: 10 });
  expect(await codeOf(batcher.submit([text(5, 1)]))).toBe('backend_failed');
});

test('progress counts up to the total, and a callback that throws ends its own job only', async () => {
  const { runner, batcher } = setUp({}, { maxBatchTokens: 40 });
  const seen: JobProgress[] = [];
  const watched = batcher.submit(texts(10, 10, 1), { onProgress: (progress) => seen.push(progress) });
  const onProgress = () => {
    throw new Error('from the caller');
  };
  const broken = codeOf(batcher.submit(texts(10, 10, 2), { onProgress }));
  await runner.drain();
  await watched;
  expect(seen.map((progress) => progress.done)).toEqual([4, 8, 10]);
  expect(await broken).toBe('internal_error');
});

test('texts may come piece by piece, and runs begin with the first of them', async () => {
  const { runner, batcher } = setUp();
  const job = batcher.open(6);
  job.add([text(10, 0), text(20, 1)]);
  expect(runner.inFlight).toBe(1);
  await runner.drain();
  job.add([text(30, 2), text(40, 3), text(5, 4)]);
  job.add([text(6, 5)]);
  await runner.drain();
  expect([...(await job.result).values]).toEqual([0, 10, 1, 20, 2, 30, 3, 40, 4, 5, 5, 6]);
});

test('times of a job are its wait and its runs', async () => {
  const { runner, batcher } = setUp({ tokensPerMs: 1 });
  const first = batcher.submit([text(100, 1)]);
  const second = batcher.submit([text(30, 2)]);
  await runner.drain();
  expect(await first).toMatchObject({ queueMs: 0, inferenceMs: 100 });
  expect(await second).toMatchObject({ queueMs: 100, inferenceMs: 30 });
});

test('dispose rejects what waits and what runs, and refuses what comes later', async () => {
  const { runner, batcher } = setUp();
  const jobs = [1, 2].map((mark) => codeOf(batcher.submit([text(10, mark)])));
  batcher.dispose();
  expect(await Promise.all(jobs)).toEqual(['disposed', 'disposed']);
  expect(await codeOf(batcher.submit([text(10, 3)]))).toBe('disposed');
  await runner.drain();
  expect(runner.runs).toHaveLength(1);
});

interface Submitted {
  lengths: number[];
  mark: number;
  poison: 'none' | 'input' | 'killer';
  controller: AbortController;
  ends: string[];
  rows: number[] | null;
  pending: Promise<void>;
}

/** One random schedule: jobs of all sizes come, some are aborted, some poisoned, on a random backend. */
async function playSchedule(seed: number) {
  const random = seeded(seed);
  const upTo = (max: number) => 1 + Math.floor(random() * max);
  const kinds = new Map<number, Submitted>();
  const failure = (run: RecordedRun) => {
    const poisons = run.marks.map((mark) => kinds.get(mark)?.poison);
    if (poisons.includes('killer')) throw new VecinityError('worker_died', 'killed');
    if (poisons.includes('input')) throw new VecinityError('backend_failed', 'poisoned');
  };
  const maxBatchTokens = 16 + upTo(600);
  const options = { padded: random() < 0.6, lanes: upTo(4), tokensPerMs: 0.2 + random() * 5, failure };
  const { runner, batcher } = setUp(options, { maxBatchTokens, maxQueue: 20 + upTo(100) });
  const submitted: Submitted[] = [];
  const submit = (mark: number) => {
    const longest = random() < 0.3 ? 300 : 30;
    const lengths = Array.from({ length: random() < 0.3 ? upTo(60) : upTo(3) }, () => upTo(longest));
    const poison = random() < 0.05 ? 'input' : random() < 0.03 ? 'killer' : 'none';
    const controller = new AbortController();
    const job: Submitted = { lengths, mark, poison, controller, ends: [], rows: null, pending: Promise.resolve() };
    kinds.set(mark, job);
    submitted.push(job);
    job.pending = batcher
      .submit(
        lengths.map((length) => text(length, mark)),
        { signal: controller.signal },
      )
      .then(
        (result) => {
          job.ends.push('ok');
          job.rows = [...result.values];
        },
        (thrown: unknown) => void job.ends.push(thrown instanceof VecinityError ? thrown.code : 'not ours'),
      );
  };
  for (let mark = 0, count = 4 + upTo(12); mark < count; mark++) {
    submit(mark);
    if (random() < 0.6) await runner.step();
    if (random() < 0.1) submitted[Math.floor(random() * submitted.length)]?.controller.abort();
  }
  await runner.drain();
  await macrotask();
  return { runner, batcher, submitted, maxBatchTokens, padded: options.padded, lanes: options.lanes };
}

type Played = Awaited<ReturnType<typeof playSchedule>>;

const endsOfPoison = { none: 'ok', input: 'backend_failed', killer: 'engine_crashed' } as const;

/** What a job of a schedule did against the rules, in words. */
function judgeJob({ ends, poison, rows, lengths, mark }: Submitted): string[] {
  const allowed: string[] = [endsOfPoison[poison], 'overloaded', 'aborted'];
  const wrong = ends.length === 1 && allowed.includes(ends[0] ?? '') ? [] : [`${poison} job ended as ${ends}`];
  const expected = lengths.flatMap((length) => [mark, length]);
  if (rows && String(rows) !== String(expected)) wrong.push('rows are not in the order of the inputs');
  return wrong;
}

/** What a run of a schedule did against the limits, in words. */
function judgeRun(run: RecordedRun, { maxBatchTokens, padded, lanes }: Played): string[] {
  const real = run.lengths.reduce((sum, length) => sum + length, 0);
  const cost = padded ? Math.max(...run.lengths) * run.lengths.length : real;
  const wrong: string[] = [];
  if (run.beside > lanes) wrong.push(`${run.beside} runs in ${lanes} lanes`);
  if (run.lengths.length > 1 && cost > maxBatchTokens) wrong.push(`cost ${cost} over ${maxBatchTokens}`);
  if (padded && amplification(run) > 1.25) wrong.push(`padded by ${amplification(run)}`);
  return wrong;
}

test('in thousands of random schedules every job ends once and rightly, and every run holds the limits', async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= 2000; seed++) {
    const played = await playSchedule(seed);
    for (const { poison, ends } of played.submitted) seen.add(`${poison} ${ends[0]}`);
    const wrong = [
      ...played.submitted.flatMap(judgeJob),
      ...played.runner.runs.flatMap((run) => judgeRun(run, played)),
      ...(played.batcher.statistics.inputs + played.batcher.statistics.tokens === 0
        ? []
        : ['inputs are left in the queue']),
    ];
    if (wrong.length > 0) expect(wrong, `seed ${seed}`).toEqual([]);
  }
  const mustHappen = ['killer engine_crashed', 'input backend_failed', 'none ok', 'none overloaded', 'none aborted'];
  expect([...seen]).toEqual(expect.arrayContaining(mustHappen));
}, 60_000);

test('jobs for tokens get a row a token, and never share a run with jobs for texts', async () => {
  const shapes: string[] = [];
  const release = deferred<void>();
  const runner = fakeBackend({
    onRun: async (batch, values) => {
      shapes.push(`${batch.output} ${batch.offsets.length - 1}`);
      await release.promise;
      return values;
    },
  });
  const batcher = new Batcher({ runner, maxBatchTokens: 4096, maxQueue: 1000 });
  const busy = batcher.submit([text(9, 1)]);
  const tokens = batcher.submit([text(2, 5), text(3, 6)], { output: 'tokens' });
  const pooled = batcher.submit([text(2, 5)]);
  release.resolve();
  await busy;
  const rows = (id: number) => [1, 2, 3, 4].map((d) => Math.fround(Math.sin(id * d)));
  expect([...(await tokens).values]).toEqual([5, 7, 6, 7, 7].flatMap(rows));
  expect((await pooled).values).toHaveLength(4);
  expect(shapes.toSorted()).toEqual(['pooled 1', 'pooled 1', 'tokens 2']);
});
