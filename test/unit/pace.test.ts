import { expect, test } from 'vitest';
import { Pace } from '../../src/core/pace.js';

test('before anything was measured a run is small, and who is refused shall come back in a second', () => {
  const pace = new Pace();
  expect(pace.tokensPerMs).toBeNull();
  expect([pace.tokensIn(200), pace.timeFor(1_000, 1)]).toEqual([512, 1_000]);
});

test('the latest runs count for most, by their tokens and their time', () => {
  const pace = new Pace();
  pace.record(1_000, 100);
  expect([pace.tokensPerMs, pace.tokensIn(200), pace.timeFor(1_000, 2)]).toEqual([10, 2_000, 50]);
  pace.record(1_000, 420);
  expect(pace.tokensPerMs).toBeCloseTo(1_800 / 500);
});

test('runs that take no time set no limit, and a slow device computes one token at least', () => {
  const fast = new Pace();
  fast.record(1_000, 0);
  expect(fast.tokensIn(200)).toBe(Number.POSITIVE_INFINITY);
  const slow = new Pace();
  slow.record(1, 10_000);
  expect(slow.tokensIn(200)).toBe(1);
});
