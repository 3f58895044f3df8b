/** One tab among those that share an engine, in what the simulation of many reaches too seldom to judge. */
import { expect, it } from 'vitest';
import { type Conversation, Member, type Surroundings } from '../../src/sharing/member.js';
import type { ToFollower, ToLeader } from '../../src/sharing/messages.js';
import type { EngineCall, EngineLine } from '../../src/wire/engine-line.js';
import { macrotask } from './virtual-runner.js';

const embed: EngineCall = { operation: 'embeddings', argument: { input: 'text' } };

/** A tab whose lock and channels are in the test's hand. */
function setUp() {
  const told: ToLeader[] = [];
  const served = new Map<string, Conversation<ToFollower>>();
  const calls: unknown[][] = [];
  let hear: (message: ToFollower) => void = () => {};
  let lead = () => {};
  const engine: EngineLine = {
    run: (...call) => {
      calls.push(call);
      return new Promise(() => {});
    },
    connect: async () => {},
    dispose: () => {},
  };
  const around: Surroundings = {
    id: 'tab',
    isVisible: () => true,
    now: () => 0,
    every: () => () => {},
    after: () => () => {},
    announce: () => {},
    follow: (receive) => {
      hear = receive;
      return { send: (message) => void told.push(message), close: () => {} };
    },
    serve: (follower) => {
      const conversation = { send: () => {}, close: () => {} };
      served.set(follower, conversation);
      return conversation;
    },
    contend: ({ onGranted }) => {
      lead = onGranted;
      return () => {};
    },
    holder: async () => null,
    watch: () => () => {},
    startEngine: () => engine,
  };
  const member = new Member(around);
  return { member, told, calls, hear: (message: ToFollower) => hear(message), lead: () => lead() };
}

it('does not blame a request for a leader whose last word comes after the first word of the next one', async () => {
  const { member, hear } = setUp();
  const answer = member.run(embed);
  hear({ type: 'welcome', epoch: '1' });
  for (let epoch = 1; epoch <= 5; epoch += 1) {
    hear({ type: 'accepted', epoch: `${epoch}`, id: 1 });
    member.heed({ type: 'leader', from: 'other', epoch: `${epoch + 1}`, stolen: false });
    hear({ type: 'bye', epoch: `${epoch}` });
    hear({ type: 'welcome', epoch: `${epoch + 1}` });
  }
  hear({ type: 'result', epoch: '6', id: 1, value: 'a vector' });
  expect(await answer).toBe('a vector');
});

it('gives a request up when leader after leader goes without a word while it has it', async () => {
  const { member, hear } = setUp();
  const answer = member.run(embed);
  for (const epoch of ['1', '2', '3', '4']) {
    hear({ type: 'welcome', epoch });
    hear({ type: 'accepted', epoch, id: 1 });
    member.heed({ type: 'leader', from: 'other', epoch: `${epoch}x`, stolen: false });
  }
  await expect(answer).rejects.toMatchObject({ code: 'engine_crashed' });
});

it('asks its own engine as if nobody shared it: no message, and no channel for what nobody waits for', async () => {
  const { member, told, calls, lead } = setUp();
  lead();
  void member.run(embed);
  await macrotask();
  expect(calls).toEqual([[embed, { client: 'tab' }]]);
  const { signal } = new AbortController();
  void member.run(embed, { signal, onProgress: () => {} });
  await macrotask();
  expect(Object.keys(calls[1]?.[1] ?? {}).sort()).toEqual(['client', 'onProgress', 'signal']);
  expect(told).toEqual([]);
});
