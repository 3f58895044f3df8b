import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { build } from 'rolldown';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createMemory } from '../../src/backend/wasm/heap.js';
import { followTeam, TeamLead } from '../../src/backend/wasm/team.js';

const memory = createMemory(true);
const address = 2_048;
const words = new Int32Array(memory.buffer, address, 4);
let script = '';

/** A thread cannot import TypeScript, so its script is made first. */
beforeAll(async () => {
  const input = new URL('./team-follower.ts', import.meta.url).pathname;
  const { output } = await build({ input, platform: 'node', write: false, output: { format: 'cjs' } });
  script = output[0].code;
});

async function startFollower(data: { failAt?: number } = {}): Promise<Worker> {
  const follower = new Worker(script, { eval: true, workerData: { memory, address, ...data } });
  await vi.waitUntil(() => Atomics.load(words, 1) === 1, { timeout: 20_000 });
  return follower;
}

describe('a team of threads', () => {
  it('is one thread until another joins, and lets one go that comes too late', () => {
    const lead = new TeamLead(memory, address);
    const shares: unknown[] = [];
    lead.run((share) => shares.push(share));
    lead.end();
    expect(shares).toEqual([{ index: 0, members: 1 }]);
    followTeam(memory, address, () => shares.push('late'));
    expect(shares).toHaveLength(1);
  });

  it('shares every step among those who have joined before it', async () => {
    const lead = new TeamLead(memory, address);
    const members: number[] = [];
    lead.run((share) => members.push(share.members));
    const follower = await startFollower();
    const told = once(follower, 'message');
    for (let step = 1; step < 200; step++) lead.run((share) => members.push(share.members));
    lead.end();
    expect(members).toEqual([1, ...new Array(199).fill(2)]);
    const [seen] = await told;
    expect(seen).toEqual(Array.from({ length: 199 }, (_, i) => [i + 1, { index: 1, members: 2 }]));
  });

  it('does a step once, also when a thread is woken for a step that it has done', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower();
    const told = once(follower, 'message');
    lead.run(() => {});
    // Asleep after its part, and asleep again after a wake-up that came late.
    for (let time = 0; time < 2; time++) await vi.waitUntil(() => Atomics.notify(words, 0) === 1, { timeout: 20_000 });
    expect(Atomics.load(words, 2)).toBe(1);
    lead.run(() => {});
    lead.end();
    const [seen] = await told;
    expect(seen.map(([step]: [number, unknown]) => step)).toEqual([0, 1]);
  });

  it('fails the step in which a thread failed', async () => {
    const lead = new TeamLead(memory, address);
    const follower = await startFollower({ failAt: 1 });
    const failure = once(follower, 'error');
    lead.run(() => {});
    expect(() => lead.run(() => {})).toThrow(/thread/);
    lead.end();
    const [reason] = await failure;
    expect(String(reason)).toContain('failed in step 1');
  });
});
