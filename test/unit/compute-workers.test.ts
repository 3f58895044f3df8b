/** The compute workers of an engine worker: that each ends, and none is left behind. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ToCompute } from '../../src/protocol.js';

/** What the page waits at most for an engine worker that ends. */
const pageLimitMs = 3_000;

/** A worker that answers nothing, or its end only. */
class FakeWorker extends EventTarget {
  static readonly all: FakeWorker[] = [];
  endings = 0;
  terminations = 0;
  hangs = false;

  constructor() {
    super();
    FakeWorker.all.push(this);
  }

  postMessage({ type }: ToCompute): void {
    if (type !== 'end') return;
    this.endings += 1;
    if (!this.hangs) queueMicrotask(() => this.say({ type: 'ended' }));
  }

  terminate(): void {
    this.terminations += 1;
  }

  say(data: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  /** Whether the error went on to the worker that started this one. */
  fail(): boolean {
    return this.dispatchEvent(new Event('error', { cancelable: true }));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  vi.stubGlobal('Worker', FakeWorker);
  FakeWorker.all.length = 0;
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** As an engine worker begins, with one in store. */
async function setUp() {
  const workers = await import('../../worker/compute-workers.js');
  const isThrough = async (work: Promise<unknown>, afterMs: number) => {
    let through = false;
    void work.then(() => {
      through = true;
    });
    await vi.advanceTimersByTimeAsync(afterMs);
    return through;
  };
  return { ...workers, isThrough };
}

it('all end, each once: those in use, the one in store, and one that was told before', async () => {
  const { takeComputeWorker, endComputeWorkers, isThrough } = await setUp();
  const first = takeComputeWorker();
  takeComputeWorker();
  void first.terminate(false);
  void first.terminate(false);
  expect(await isThrough(endComputeWorkers(), 50)).toBe(false);
  await vi.runAllTimersAsync();
  expect(FakeWorker.all.map(({ endings, terminations }) => [endings, terminations])).toEqual([
    [1, 1],
    [1, 1],
  ]);
});

it('are through before the page gives the engine worker up, even where one hangs in a long run', async () => {
  const { takeComputeWorker, endComputeWorkers, isThrough } = await setUp();
  takeComputeWorker();
  for (const worker of FakeWorker.all) worker.hangs = true;
  expect(await isThrough(endComputeWorkers(), pageLimitMs - 500)).toBe(true);
  expect(FakeWorker.all.map(({ terminations }) => terminations)).toEqual([1]);
});

it('are gone once the browser has ended by force what is known to hang, which is hardly waited for', async () => {
  const { takeComputeWorker, isThrough } = await setUp();
  const worker = takeComputeWorker();
  for (const inner of FakeWorker.all) inner.hangs = true;
  const gone = worker.terminate(true);
  expect(await isThrough(gone, 500)).toBe(false);
  expect(FakeWorker.all.map(({ terminations }) => terminations)).toEqual([1]);
  expect(await isThrough(gone, 2_000)).toBe(false);
  expect(await isThrough(gone, 250)).toBe(true);
});

it('are gone soon where only a thread of theirs hung', async () => {
  const { takeComputeWorker, isThrough } = await setUp();
  expect(await isThrough(takeComputeWorker().terminate(true), 250)).toBe(true);
});

it('are none any more for a load that goes on while the engine worker ends', async () => {
  const { takeComputeWorker, endComputeWorkers } = await setUp();
  const ended = endComputeWorkers();
  expect(takeComputeWorker).toThrow(expect.objectContaining({ code: 'disposed' }));
  await vi.runAllTimersAsync();
  await ended;
  expect(takeComputeWorker).toThrow(expect.objectContaining({ code: 'disposed' }));
  expect(FakeWorker.all).toHaveLength(1);
});

it('are heard until they end, and what one says later concerns nobody', async () => {
  const { takeComputeWorker } = await setUp();
  const worker = takeComputeWorker();
  const heard: string[] = [];
  worker.addEventListener('error', (event) => {
    heard.push('error');
    event.preventDefault?.();
  });
  worker.addEventListener('message', () => heard.push('message'));
  const [inner] = FakeWorker.all;
  inner?.say({ type: 'done', id: 1 });
  expect([inner?.fail(), heard]).toEqual([false, ['message', 'error']]);
  void worker.terminate(false);
  inner?.say({ type: 'error', id: 2 });
  expect(inner?.fail()).toBe(false);
  await vi.runAllTimersAsync();
  expect([inner?.fail(), heard]).toEqual([false, ['message', 'error']]);
});

it('are replaced where the one in store could not start', async () => {
  const { takeComputeWorker } = await setUp();
  expect(FakeWorker.all[0]?.fail()).toBe(false);
  takeComputeWorker();
  expect(FakeWorker.all).toHaveLength(2);
});
