import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { build } from 'rolldown';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createMemory } from '../../src/backend/wasm/heap.js';
import {
  FollowerError,
  followTeam,
  type Order,
  type Share,
  type Task,
  TeamLead,
  teamBytes,
} from '../../src/backend/wasm/team.js';

const memory = createMemory(true);
const address = 2_048;
const words = new Int32Array(memory.buffer, address, teamBytes / 4);
/** Places of the words that the tests look at. */
const word = { state: 0, joined: 2, awake: 3, arrived: 4 } as const;
const order: Order = [7, 8, 9];
let script = '';

/** A thread cannot import TypeScript, so its script is made first. */
beforeAll(async () => {
  const input = new URL('./team-follower.ts', import.meta.url).pathname;
  const { output } = await build({ input, platform: 'node', write: false, output: { format: 'cjs' } });
  script = output[0].code;
});

beforeEach(() => {
  words.fill(0);
});

async function startFollower(term: number, data: { failAt?: number } = {}): Promise<Worker> {
  const follower = new Worker(script, { eval: true, workerData: { memory, address, term, ...data } });
  await until(() => Atomics.load(words, word.joined) === 1);
  return follower;
}

function until(condition: () => boolean): Promise<boolean> {
  return vi.waitUntil(condition, { timeout: 20_000, interval: 1 });
}

/** Runs steps until the follower has done its part of one, which it may be too slow for. */
function runUntilShared(lead: TeamLead): number {
  const own: Share[] = [];
  let steps = 0;
  do {
    own.length = 0;
    lead.run((share) => own.push(share));
    steps += 1;
  } while (own.length > 1);
  return steps;
}

describe('a team of threads', () => {
  it('is one thread until another joins, and lets one go whose invitation was taken back', () => {
    const lead = new TeamLead(memory, address);
    const { term } = lead;
    const shares: unknown[] = [];
    lead.begin(order, 2);
    lead.run((share) => shares.push(share));
    lead.end();
    expect(shares).toEqual([{ index: 0, parts: 1 }]);
    lead.dismiss();
    followTeam({ memory, address, term }, () => shares.push('late'));
    expect(shares).toHaveLength(1);
    expect([words[word.joined], words[word.awake]]).toEqual([0, 0]);
  });

  it('does every part of every step once, whoever does it, and tells of the order and the step', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower(lead.term);
    const told = once(follower, 'message');
    const done = Array.from({ length: 300 }, () => [] as number[]);
    lead.begin(order, 2);
    for (const parts of done) lead.run(({ index }) => parts.push(index));
    lead.end();
    lead.dismiss();
    const [seen] = (await told) as [Task[]];
    for (const { step, share, order: given } of seen) {
      done[step]?.push(share.index);
      expect(share.parts).toBe(2);
      expect(given).toEqual(order);
    }
    expect(done.map((parts) => parts.sort())).toEqual(Array.from({ length: 300 }, () => [0, 1]));
  });

  it('does what nobody has begun without those who have joined', () => {
    const lead = new TeamLead(memory, address);
    Atomics.store(words, word.joined, 2);
    const shares: Share[] = [];
    lead.begin(order, 3);
    lead.run((share) => shares.push(share));
    lead.end();
    expect(shares).toEqual([0, 1, 2].map((index) => ({ index, parts: 3 })));
  });

  it('has no more members than an order asks for', () => {
    const lead = new TeamLead(memory, address);
    Atomics.store(words, word.joined, 5);
    const shares: Share[] = [];
    lead.begin(order, 2);
    lead.run((share) => shares.push(share));
    lead.end();
    expect(shares).toEqual([0, 1].map((index) => ({ index, parts: 2 })));
  });

  it('cuts a step into as many parts as are asked for, and wakes whoever sleeps for the first of such steps only', () => {
    const lead = new TeamLead(memory, address);
    // A follower that has fallen asleep.
    Atomics.store(words, word.joined, 1);
    const notify = vi.spyOn(Atomics, 'notify');
    onTestFinished(() => notify.mockRestore());
    const shares: Share[] = [];
    lead.begin(order, 2);
    const wokenAfter = [1, 2, 3].map(() => {
      lead.run((share) => shares.push(share), 3);
      return notify.mock.calls.length;
    });
    lead.end();
    expect(wokenAfter).toEqual([2, 2, 2]);
    expect(shares).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2].map((index) => ({ index, parts: 3 })));
  });

  it('stays, asleep, for the next order, and knows it from the one before', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower(lead.term);
    const told = once(follower, 'message');
    lead.begin(order, 2);
    runUntilShared(lead);
    lead.end();
    await until(() => Atomics.load(words, word.awake) === 0);
    lead.begin([1, 2, 3], 2);
    const steps = runUntilShared(lead);
    lead.end();
    lead.dismiss();
    const [seen] = (await told) as [Task[]];
    expect(seen.map((task) => task.order)).toEqual([order, [1, 2, 3]]);
    expect(seen[1]?.step).toBe(steps - 1);
  });

  it('does a step once, also when a thread is woken for a step that it has done', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower(lead.term);
    const told = once(follower, 'message');
    lead.begin(order, 2);
    runUntilShared(lead);
    // Asleep after its part, and asleep again after a wake-up that came late.
    for (let time = 0; time < 2; time++) await until(() => Atomics.notify(words, word.state) === 1);
    expect(Atomics.load(words, word.arrived)).toBe(1);
    lead.end();
    lead.dismiss();
    const [seen] = await told;
    expect(seen).toHaveLength(1);
  });

  it('lets a thread go that had no work for a while', async () => {
    const follower = await startFollower(new TeamLead(memory, address).term);
    const [seen] = await once(follower, 'message');
    expect(seen).toEqual([]);
    expect([words[word.joined], words[word.awake]]).toEqual([0, 0]);
  });

  it('fails the step in which a thread failed, and no later order', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower(lead.term, { failAt: 0 });
    const failure = once(follower, 'error');
    const runFirst = () => {
      lead.begin(order, 2);
      try {
        lead.run(() => {});
      } finally {
        lead.end();
      }
    };
    // The follower may be too slow for some orders.
    expect(() => {
      for (;;) runFirst();
    }).toThrow(FollowerError);
    const [reason] = await failure;
    expect(String(reason)).toContain('failed in step 0');
    runFirst();
  });

  it('waits for whoever has begun, also when the lead itself fails', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower(lead.term);
    const told = once(follower, 'message');
    lead.begin(order, 2);
    const fail = () => {
      // The follower's part has been taken by now.
      while ((Atomics.load(words, word.state) & 255) < 2);
      throw new Error('no luck');
    };
    expect(() => lead.run(fail)).toThrow('no luck');
    expect(Atomics.load(words, word.arrived)).toBe(1);
    lead.end();
    lead.dismiss();
    expect((await told)[0]).toHaveLength(1);
  });

  it('ends with a thread that takes a part and never ends it: it might still write to memory when it is used again', () => {
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    onTestFinished(() => wait.mockRestore());
    const lead = new TeamLead(memory, address);
    Atomics.store(words, word.joined, 1);
    lead.begin(order, 2);
    const takeOther = () => void Atomics.add(words, word.state, 1);
    expect(() => lead.run(takeOther)).toThrow(expect.objectContaining({ code: 'worker_died' }));
    lead.end();
  });

  it('lets a thread go that waits for a step that does not end, without a failure', () => {
    const wait = vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    onTestFinished(() => wait.mockRestore());
    const lead = new TeamLead(memory, address);
    lead.begin(order, 2);
    followTeam({ memory, address, term: lead.term }, () => expect.unreachable());
    expect([words[word.joined], words[word.awake]]).toEqual([0, 0]);
  });
});
