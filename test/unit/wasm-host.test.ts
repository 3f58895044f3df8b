import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { dropHost, endThreads, prepareHost, setThreadFactory, takeHost } from '../../src/backend/wasm/host.js';
import { loadWasmBackend } from '../../src/backend/wasm/index.js';
import { fakeSpec } from './fake-backend.js';

const options = { threads: 3, assetsUrl: null };
let threads: { ended: boolean }[] = [];

beforeAll(ensureKernels, 60_000);

beforeEach(() => {
  threads = [];
  setThreadFactory(() => {
    const thread = { ended: false };
    threads.push(thread);
    const terminate = () => {
      thread.ended = true;
    };
    return { postMessage() {}, addEventListener() {}, terminate };
  });
});

afterEach(() => {
  dropHost();
  setThreadFactory(null);
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('the end of a worker that has started threads', () => {
  it('waits a moment after it has ended them all, those in use and those in store', async () => {
    vi.useFakeTimers();
    prepareHost(options);
    takeHost(options);
    prepareHost(options);
    let isThrough = false;
    const through = endThreads().then(() => {
      isThrough = true;
    });
    expect(threads.map(({ ended }) => ended)).toEqual([true, true, true, true]);
    await vi.advanceTimersByTimeAsync(50);
    expect(isThrough).toBe(false);
    await vi.runAllTimersAsync();
    await through;
  });

  it('starts no more of them for a load that comes too late', async () => {
    vi.useFakeTimers();
    const through = endThreads();
    prepareHost(options);
    expect(takeHost({ ...options, threads: 4 }).threads).toEqual([]);
    expect(threads).toEqual([]);
    await vi.runAllTimersAsync();
    await through;
  });
});

describe('a host that was made ready', () => {
  it('is used by the load that asks for the same, once', async () => {
    prepareHost(options);
    const host = takeHost(options);
    expect(threads).toHaveLength(2);
    expect(await host.module).toBeInstanceOf(WebAssembly.Module);
    expect(takeHost(options)).not.toBe(host);
    expect(threads).toHaveLength(4);
  });

  it('lets its threads go when the load asks for something else', () => {
    prepareHost(options);
    const host = takeHost({ ...options, threads: 2 });
    expect(threads.map(({ ended }) => ended)).toEqual([true, true, false]);
    expect(host.threads).toHaveLength(1);
  });

  it('lets its threads go when another backend loads the model', () => {
    prepareHost(options);
    dropHost();
    expect(threads.map(({ ended }) => ended)).toEqual([true, true]);
  });

  it('is let go by a load that fails', async () => {
    const request = { ...options, spec: fakeSpec(), backend: 'wasm', device: 'wasm', dtype: 'auto' } as const;
    const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
    await expect(loadWasmBackend({ ...request, location }, {})).rejects.toMatchObject({ code: 'device_unavailable' });
    expect(threads.map(({ ended }) => ended)).toEqual([true, true]);
  });

  it.each([
    [1, 1],
    [4, 4],
    [6, 5],
    [64, 8],
  ])('on %i cores computes with %i threads, and with any number that is asked for', (cores, computing) => {
    vi.stubGlobal('navigator', { hardwareConcurrency: cores });
    expect(takeHost({ ...options, threads: 0 }).threads).toHaveLength(computing - 1);
    expect(takeHost({ ...options, threads: 12 }).threads).toHaveLength(11);
  });

  it('shares its memory only with threads that there are', () => {
    expect(takeHost({ ...options, threads: 1 }).shared).toBe(false);
    expect(takeHost({ ...options, threads: 2 }).shared).toBe(true);
    vi.stubGlobal('crossOriginIsolated', false);
    expect(takeHost({ ...options, threads: 2 }).shared).toBe(false);
  });

  it('has as many threads as could be started', () => {
    let granted = 1;
    setThreadFactory(() => {
      if (granted-- === 0) throw new Error('no more workers');
      return { postMessage() {}, addEventListener() {}, terminate() {} };
    });
    expect(takeHost(options).threads).toHaveLength(1);
  });

  it('survives a thread that dies of an error: its calls end, and the error goes no further', async () => {
    const heard = new Map<string, (event: { message?: string; preventDefault?(): void }) => void>();
    setThreadFactory(() => ({
      postMessage() {},
      terminate() {},
      addEventListener: (type, listener) => void heard.set(type, listener),
    }));
    const [thread] = takeHost({ ...options, threads: 2 }).threads;
    const answer = thread?.call({ type: 'slices', slices: [], shared: null });
    const preventDefault = vi.fn();
    heard.get('error')?.({ message: 'it broke', preventDefault });
    await expect(answer).rejects.toMatchObject({ code: 'worker_died', message: expect.stringContaining('it broke') });
    expect(preventDefault).toHaveBeenCalledOnce();
  });
});
