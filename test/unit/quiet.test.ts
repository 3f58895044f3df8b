import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { QuietMoment } from '../../src/quiet.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A wait for 100 ms of quiet, 500 ms at most, and whether it is over. */
function setUp() {
  const moment = new QuietMoment();
  let isOver = false;
  void moment.wait({ quietMs: 100, mostMs: 500 }).then(() => {
    isOver = true;
  });
  const after = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return isOver;
  };
  return { moment, after };
}

test('a quiet moment comes when nobody has asked for so long', async () => {
  const { after } = setUp();
  expect(await after(99)).toBe(false);
  expect(await after(1)).toBe(true);
});

test('whoever asks puts it off', async () => {
  const { moment, after } = setUp();
  await after(60);
  moment.disturb();
  expect(await after(99)).toBe(false);
  expect(await after(1)).toBe(true);
});

test('where somebody always asks, it is there in the end all the same', async () => {
  const { moment, after } = setUp();
  for (let ms = 0; ms < 490; ms += 10) {
    moment.disturb();
    expect(await after(10)).toBe(false);
  }
  moment.disturb();
  expect(await after(10)).toBe(true);
});
