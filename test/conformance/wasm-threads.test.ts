import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import type { Backend } from '../../src/backend/backend.js';
import type { ThreadWorker } from '../../src/backend/wasm/connection.js';
import { loadWasmBackend, setThreadFactory } from '../../src/backend/wasm/index.js';
import { FollowerError, TeamLead } from '../../src/backend/wasm/team.js';
import type { FromThread, ToThread } from '../../src/backend/wasm/thread.js';
import { toErrorData } from '../../src/errors.js';
import { openFixture } from './golden.js';

beforeAll(ensureKernels);

type Listener = (event: { readonly data?: unknown; readonly message?: string }) => void;

/** A thread that takes its model and every piece of work, and answers when it is told to. */
class HeldThread implements ThreadWorker {
  readonly work: Exclude<ToThread, { type: 'start' }>[] = [];
  readonly #listeners = new Map<string, Listener>();

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, listener);
  }

  postMessage(message: ToThread): void {
    if (message.type === 'start') queueMicrotask(() => this.#answer({ type: 'done', id: message.id }));
    else this.work.push(message);
  }

  /** All that it was given was done by others before it looked. */
  finish(): void {
    for (const { id } of this.work.splice(0)) {
      this.#answer({ type: 'part', id, part: { texts: [], values: new Float32Array(0) } });
    }
  }

  /** What it was given ends with an error. */
  fail(): void {
    const error = toErrorData(new Error('no luck'));
    for (const { id } of this.work.splice(0)) this.#answer({ type: 'error', id, error });
  }

  die(): void {
    this.#listeners.get('error')?.({ message: 'out of memory' });
  }

  terminate(): void {}

  #answer(data: FromThread): void {
    this.#listeners.get('message')?.({ data });
  }
}

/** Texts of one length each, all of the same few tokens. */
function batchOf(texts: number, tokens: number) {
  return {
    inputIds: Int32Array.from(
      { length: texts * tokens },
      (_, i) => 2 + (((i % tokens) * 7 + Math.floor(i / tokens)) % 90),
    ),
    typeIds: null,
    offsets: Int32Array.from({ length: texts + 1 }, (_, text) => text * tokens),
  };
}

describe('the threads of the WASM engine', () => {
  let thread: HeldThread;
  let alone: Backend;
  let backend: Backend;

  beforeEach(async () => {
    thread = new HeldThread();
    setThreadFactory(() => thread);
    const { spec, location } = await openFixture('bert-cls');
    const request = { spec, location, backend: 'wasm', device: 'wasm', dtype: 'q8', assetsUrl: null } as const;
    backend = await loadWasmBackend({ ...request, threads: 2 }, {});
    alone = await loadWasmBackend({ ...request, threads: 1 }, {});
    expect(backend.info.threads).toBe(2);
  });
  afterEach(async () => {
    setThreadFactory(null);
    await backend.dispose();
    await alone.dispose();
  });

  it('have the next run at hand before the one before is through, so that none of them waits for another', async () => {
    const ended: string[] = [];
    const first = backend.run(batchOf(8, 40)).finally(() => ended.push('first'));
    const second = backend.run(batchOf(6, 30)).finally(() => ended.push('second'));
    await expect.poll(() => thread.work).toHaveLength(2);
    expect(ended).toEqual([]);
    thread.finish();
    expect(await first).toEqual(await alone.run(batchOf(8, 40)));
    expect(await second).toEqual(await alone.run(batchOf(6, 30)));
  });

  it('have one run more in store than one thread alone, and give each its own vectors', async () => {
    expect(backend.lanes).toBe(alone.lanes + 1);
    const sizes = Array.from({ length: backend.lanes }, (_, run) => 40 - 10 * run);
    const runs = sizes.map((tokens) => backend.run(batchOf(6, tokens)));
    await expect.poll(() => thread.work).toHaveLength(sizes.length);
    thread.finish();
    for (const [run, tokens] of sizes.entries()) expect(await runs[run]).toEqual(await alone.run(batchOf(6, tokens)));
  });

  it('fail both runs that a dying thread leaves, and end', async () => {
    const runs = [backend.run(batchOf(8, 40)), backend.run(batchOf(6, 30))];
    const outcome = Promise.allSettled(runs);
    await expect.poll(() => thread.work).toHaveLength(2);
    thread.die();
    for (const result of await outcome) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'worker_died' } });
    }
  });

  it('are asked once to help with split texts, which wait for none of them', async () => {
    expect(await backend.run(batchOf(1, 60))).toEqual(await alone.run(batchOf(1, 60)));
    expect(await backend.run(batchOf(1, 50))).toEqual(await alone.run(batchOf(1, 50)));
    expect(thread.work.map(({ type }) => type)).toEqual(['team']);
  });

  it('are asked again when they are back, and for a split text that follows other work', async () => {
    await backend.run(batchOf(1, 60));
    thread.finish();
    await backend.run(batchOf(1, 50));
    const during = backend.run(batchOf(8, 40));
    await backend.run(batchOf(1, 40));
    expect(thread.work.map(({ type }) => type)).toEqual(['team', 'slices', 'team']);
    const terms = thread.work.flatMap((work) => (work.type === 'team' ? work.term : []));
    expect(terms).toEqual([0, 1]);
    thread.finish();
    await during;
  });

  it('fail the next split text after one that they were lost in, and no later one', async () => {
    await backend.run(batchOf(1, 60));
    thread.fail();
    await expect(backend.run(batchOf(1, 60))).rejects.toMatchObject({ message: expect.stringContaining('no luck') });
    expect(await backend.run(batchOf(1, 50))).toEqual(await alone.run(batchOf(1, 50)));
  });

  it('fail the text that one of them fails in, with what it says, and no later one', async () => {
    const failing = vi.spyOn(TeamLead.prototype, 'run').mockImplementationOnce(() => {
      throw new FollowerError();
    });
    onTestFinished(() => failing.mockRestore());
    const failed = backend.run(batchOf(1, 60));
    await expect.poll(() => thread.work).toHaveLength(1);
    thread.fail();
    await expect(failed).rejects.toMatchObject({ message: expect.stringContaining('no luck') });
    expect(await backend.run(batchOf(1, 60))).toEqual(await alone.run(batchOf(1, 60)));
  });

  it('leave a text that is split to those who are free', async () => {
    const long = batchOf(1, 60);
    const during = backend.run(batchOf(8, 40));
    const vector = backend.run(long);
    expect(await vector).toEqual(await alone.run(batchOf(1, 60)));
    thread.finish();
    await during;
  });
});

it('threads without shared memory are done without when there is no room for their copies', async () => {
  vi.stubGlobal('crossOriginIsolated', false);
  const terminate = vi.fn();
  setThreadFactory(() => Object.assign(new HeldThread(), { terminate }));
  let copies = 0;
  const { slice } = ArrayBuffer.prototype;
  const copying = vi.spyOn(ArrayBuffer.prototype, 'slice').mockImplementation(function (this: ArrayBuffer, ...range) {
    // Nothing else is as large as the engine's memory.
    if (this.byteLength > 2 ** 21 && ++copies === 2) throw new RangeError('no room');
    return slice.apply(this, range);
  });
  const unhandled = vi.fn();
  process.on('unhandledRejection', unhandled);
  onTestFinished(() => {
    process.off('unhandledRejection', unhandled);
    copying.mockRestore();
    setThreadFactory(null);
    vi.unstubAllGlobals();
  });
  const { spec, location } = await openFixture('bert-cls');
  const request = { spec, location, backend: 'wasm', device: 'wasm', dtype: 'q8', assetsUrl: null } as const;
  const backend = await loadWasmBackend({ ...request, threads: 4 }, {});
  // Rejections that nobody has asked about are told after this turn.
  await new Promise(setImmediate);
  expect([copies, backend.info.threads, terminate.mock.calls.length]).toEqual([2, 1, 3]);
  expect(unhandled).not.toHaveBeenCalled();
  await backend.dispose();
});
