/** When a silent leader counts as gone, look by look. */
import { expect, it } from 'vitest';
import { Silence } from '../../src/sharing/silence.js';
import { macrotask } from './virtual-runner.js';

/** A tab that looks at its leader; `look` counts after how many looks that leader is taken for gone. */
function setUp({ isSeen = true, stepMs = 1_000 } = {}) {
  let now = 0;
  let pings = 0;
  const gone: number[] = [];
  const questions: ((holder: string | null) => void)[] = [];
  const silence = new Silence({
    around: {
      isVisible: () => isSeen,
      elapsed: () => now,
      holder: () => new Promise((resolve) => questions.push(resolve)),
    },
    ping: () => {
      pings += 1;
    },
    onGone: () => gone.push(pings),
  });
  const answer = async (holder: string | null) => {
    for (const resolve of questions.splice(0)) resolve(holder);
    await macrotask();
  };
  const look = () => {
    silence.look();
    now += stepMs;
  };
  const lookAndAnswer = async (count: number, holderAt: (at: number) => string | null = () => 'leader') => {
    for (let at = 0; at < count; at += 1) {
      look();
      await answer(holderAt(at));
    }
  };
  const sleep = (ms: number) => {
    now += ms;
  };
  return { silence, look, answer, lookAndAnswer, sleep, gone, asks: () => questions.length };
}

it('takes a leader for gone after seven silent seconds and three more pings, and begins again', async () => {
  const { lookAndAnswer, gone } = setUp();
  await lookAndAnswer(22);
  expect(gone).toEqual([11, 22]);
});

it('has more patience in a tab that nobody sees', async () => {
  const { lookAndAnswer, gone } = setUp({ isSeen: false });
  await lookAndAnswer(31);
  expect(gone).toEqual([31]);
});

it('counts the few looks that an unseen tab may have, and none across a sleep', async () => {
  const throttled = setUp({ isSeen: false, stepMs: 60_000 });
  await throttled.lookAndAnswer(5);
  expect(throttled.gone).toEqual([5]);
  const asleep = setUp({ isSeen: false, stepMs: 91_000 });
  await asleep.lookAndAnswer(20);
  expect(asleep.gone).toEqual([]);
});

it('begins again with every sign of life, whatever was asked before it', async () => {
  const { silence, look, answer, lookAndAnswer, gone, asks } = setUp();
  for (let at = 0; at < 8; at += 1) look();
  expect(asks()).toBe(1);
  silence.end();
  await answer('leader');
  await lookAndAnswer(10);
  expect(gone).toEqual([]);
  await lookAndAnswer(1);
  expect(gone).toHaveLength(1);
});

it('blames nobody while the lock changes hands, or is free', async () => {
  for (const holderAt of [(at: number) => `leader ${at}`, () => null]) {
    const { lookAndAnswer, gone } = setUp();
    await lookAndAnswer(40, holderAt);
    expect(gone).toEqual([]);
  }
});

it('does not take an answer from before a sleep for one of now', async () => {
  const { look, answer, lookAndAnswer, sleep, gone, asks } = setUp();
  await lookAndAnswer(10);
  look();
  expect(asks()).toBe(1);
  sleep(60_000);
  await answer('leader');
  expect(gone).toEqual([]);
});
