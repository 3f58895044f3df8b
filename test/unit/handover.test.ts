/** When a Service Worker tells the one that waits for it to take over. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Handover } from '../../src/wire/handover.js';
import { deferred } from './deferred.js';

const takeOver = vi.fn<() => boolean>();
let handover: Handover;

beforeEach(() => {
  vi.useFakeTimers();
  takeOver.mockReset().mockReturnValue(true);
  handover = new Handover(takeOver);
});

afterEach(() => {
  vi.useRealTimers();
});

it('tells it a moment after the last request has ended', async () => {
  await handover.during(Promise.resolve());
  expect(takeOver).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).toHaveBeenCalledTimes(1);
});

it('tells it nothing while requests are open or follow each other', async () => {
  const open = deferred<void>();
  const work = handover.during(open.promise);
  await handover.during(Promise.resolve());
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).not.toHaveBeenCalled();
  open.resolve();
  await work;
  for (let turn = 0; turn < 10; turn += 1) {
    await vi.advanceTimersByTimeAsync(100);
    await handover.during(Promise.resolve());
  }
  expect(takeOver).not.toHaveBeenCalled();
});

it('tells it after a minute of requests that follow each other, and again after the next one', async () => {
  const told: number[] = [];
  takeOver.mockImplementation(() => told.push(performance.now()) > 0);
  const start = performance.now();
  for (let turn = 0; turn < 1_250; turn += 1) {
    await vi.advanceTimersByTimeAsync(100);
    await handover.during(Promise.resolve());
  }
  expect(told.map((atMs) => Math.floor((atMs - start) / 60_000))).toEqual([1, 2]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(told).toHaveLength(3);
});

it('settles as the work does, and a failure ends a request too', async () => {
  expect(await handover.during(Promise.resolve('answer'))).toBe('answer');
  await expect(handover.during(Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).toHaveBeenCalledTimes(1);
});

it('tells it again and again while that is too early, until there is work', async () => {
  takeOver.mockReturnValue(false);
  await handover.during(Promise.resolve());
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).toHaveBeenCalledTimes(3);
  const open = deferred<void>();
  const work = handover.during(open.promise);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).toHaveBeenCalledTimes(3);
  takeOver.mockReturnValue(true);
  open.resolve();
  await work;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(takeOver).toHaveBeenCalledTimes(4);
});
