import { expect, test } from 'vitest';
import type { LoadProgress } from '../../src/core/engine.js';
import { LoadTracker } from '../../src/core/load-progress.js';
import { RateMeter } from '../../src/core/load-rate.js';

/** A tracker on a clock of its own, and the last that it said. */
function setUp() {
  let nowMs = 0;
  const seen: LoadProgress[] = [];
  const tracker = new LoadTracker(
    'm',
    (progress) => seen.push(progress),
    () => nowMs,
  );
  const weights = (loadedBytes: number, { atMs = nowMs, resumedBytes = 0, totalBytes = 100_000 } = {}) => {
    nowMs = atMs;
    tracker.weights({ file: 'w', loadedBytes, totalBytes, resumedBytes });
    return tracker.snapshot;
  };
  return { tracker, seen, weights };
}

test('the total is not told before the weights are part of it, and never shrinks', () => {
  const { tracker, weights } = setUp();
  tracker.file({ file: 'config.json', loadedBytes: 1_000, totalBytes: 1_000 });
  expect(tracker.snapshot).toMatchObject({ loadedBytes: 1_000, totalBytes: null, remainingMs: null });
  expect(weights(0)).toMatchObject({ loadedBytes: 1_000, totalBytes: 101_000 });
  tracker.file({ file: 'tokenizer.json', loadedBytes: 0, totalBytes: null });
  expect(tracker.snapshot.totalBytes).toBeNull();
});

test('nobody can change what others are told', () => {
  const { tracker, weights } = setUp();
  const progress = weights(10);
  expect(() => Object.assign(progress, { loadedBytes: -1 })).toThrow(TypeError);
  expect(() => Object.assign(progress.files, { other: {} })).toThrow(TypeError);
  expect(() => Object.assign(progress.files.w ?? {}, { loadedBytes: -1 })).toThrow(TypeError);
  expect(tracker.snapshot).toMatchObject({ loadedBytes: 10, files: { w: { loadedBytes: 10 } } });
});

test('of weights in several files the total is that of all of them, and nothing compiles before the last one', () => {
  const { tracker, seen } = setUp();
  const shards = ['a', 'b', 'c'];
  for (const file of shards) tracker.weights({ file, loadedBytes: 0, totalBytes: 100 });
  for (const file of shards) {
    expect(tracker.snapshot).toMatchObject({ phase: 'download', totalBytes: 300 });
    tracker.weights({ file, loadedBytes: 100, totalBytes: 100, resumedBytes: 100 });
  }
  expect(tracker.snapshot).toMatchObject({ phase: 'compile', loadedBytes: 300, resumedBytes: 300 });
  expect(seen.filter(({ phase }) => phase === 'compile')).toHaveLength(1);
});

test('speed and remaining time are those of the last seconds', () => {
  const { weights } = setUp();
  expect(weights(0)).toMatchObject({ bytesPerSecond: null, remainingMs: null });
  expect(weights(10, { atMs: 100 })).toMatchObject({ bytesPerSecond: null });
  expect(weights(10_000, { atMs: 1_000 })).toMatchObject({ bytesPerSecond: 10_000, remainingMs: 9_000 });
  weights(10_500, { atMs: 6_000 });
  expect(weights(11_000, { atMs: 11_000 })).toMatchObject({ bytesPerSecond: 100, remainingMs: 890_000 });
});

test('a silence makes the speed fall instead of standing still', () => {
  const { weights } = setUp();
  weights(0);
  weights(10_000, { atMs: 1_000 });
  expect(weights(10_001, { atMs: 61_000 }).bytesPerSecond).toBeLessThan(1);
});

test('what was kept from before counts as loaded and not as speed', () => {
  const { tracker, weights } = setUp();
  tracker.file({ file: 'config.json', loadedBytes: 1_000, totalBytes: 1_000, resumedBytes: 1_000 });
  expect(weights(50_000, { resumedBytes: 50_000 })).toMatchObject({
    loadedBytes: 51_000,
    resumedBytes: 51_000,
    files: { w: { resumedBytes: 50_000 } },
  });
  expect(weights(51_000, { atMs: 1_000, resumedBytes: 50_000 })).toMatchObject({
    bytesPerSecond: 1_000,
    remainingMs: 49_000,
  });
});

test('a kept file that was damaged and is fetched again no longer counts as kept', () => {
  const { weights } = setUp();
  weights(50_000, { resumedBytes: 50_000 });
  weights(0, { atMs: 1_000 });
  expect(weights(20_000, { atMs: 2_000 })).toMatchObject({ resumedBytes: 0, bytesPerSecond: 10_000 });
  // The engine's other thread finds in the store what this load has fetched.
  expect(weights(99_000, { atMs: 3_000, resumedBytes: 99_000 }).resumedBytes).toBe(0);
});

test('after the download there is no speed to tell', () => {
  const { tracker, seen, weights } = setUp();
  weights(0);
  weights(100_000, { atMs: 1_000 });
  tracker.check();
  tracker.ready();
  expect(seen.map(({ phase }) => phase)).toEqual(['download', 'download', 'compile', 'check', 'ready']);
  expect(seen.slice(-2).map(({ bytesPerSecond, remainingMs }) => [bytesPerSecond, remainingMs])).toEqual([
    [null, null],
    [null, null],
  ]);
  expect(seen.at(-1)).toMatchObject({ loadedBytes: 100_000, totalBytes: 100_000 });
});

test('what another thread reads again is no news', () => {
  const { seen, weights } = setUp();
  weights(100_000, { resumedBytes: 100_000 });
  weights(100_000, { resumedBytes: 100_000 });
  expect(seen.map(({ phase }) => phase)).toEqual(['download', 'compile']);
});

test('a download that starts again is measured from there', () => {
  let nowMs = 0;
  const meter = new RateMeter(() => nowMs);
  const noteAt = (atMs: number, bytes: number) => {
    nowMs = atMs;
    meter.note(bytes);
  };
  noteAt(0, 0);
  noteAt(1_000, 5_000);
  noteAt(1_500, 0);
  expect(meter.bytesPerSecond).toBeNull();
  noteAt(2_500, 700);
  expect(meter.bytesPerSecond).toBe(700);
});

test('what was told stays as it was, and nothing is copied while nothing changes', () => {
  const { tracker, weights } = setUp();
  const before = weights(10);
  expect(tracker.snapshot).toBe(before);
  expect(weights(20)).toMatchObject({ loadedBytes: 20 });
  expect(before).toMatchObject({ loadedBytes: 10, files: { w: { loadedBytes: 10 } } });
  tracker.ready();
  expect(tracker.snapshot.phase).toBe('ready');
});

test('a file that turns out to be the weights is part of the total from then on', () => {
  const { tracker } = setUp();
  const file = { file: 'w', loadedBytes: 10, totalBytes: 100, resumedBytes: 0 };
  tracker.file(file);
  expect(tracker.snapshot.totalBytes).toBeNull();
  tracker.weights(file);
  expect(tracker.snapshot.totalBytes).toBe(100);
});
