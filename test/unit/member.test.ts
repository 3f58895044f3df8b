/** One tab among those that share an engine, in what the simulation of many reaches too seldom to judge. */
import { describe, expect, it } from 'vitest';
import { fromErrorData, VecinityError } from '../../src/errors.js';
import { Member } from '../../src/sharing/member.js';
import type { Announcement, ToFollower, ToLeader } from '../../src/sharing/messages.js';
import type { Surroundings } from '../../src/sharing/surroundings.js';
import type { EngineCall, EngineLine } from '../../src/wire/engine-line.js';
import { macrotask } from './virtual-runner.js';

const embed: EngineCall = { operation: 'embeddings', argument: { input: 'text' } };

/** A tab whose lock and channels are in the test's hand. */
function setUp({ wake = async () => {}, holder = null as string | null } = {}) {
  const told: ToLeader[] = [];
  /** What followers are told while the tab leads: who, and the kind of message. */
  const said: [follower: string, type: string][] = [];
  const calls: unknown[][] = [];
  const timers = new Set<() => void>();
  /** The delay of each timer. */
  const delays: number[] = [];
  /** Pieces of work that go on until they are stopped. */
  const repeated = new Set<() => void>();
  const announced: Announcement[] = [];
  /** By whom each follower is heard while the tab leads. */
  const receivers = new Map<string, (message: ToLeader) => void>();
  const clock = { elapsedMs: 0 };
  const user = { sees: true };
  /** Whether each request for the leader's lock takes it from its holder. */
  const steals: boolean[] = [];
  /** What each engine is told of those before it. */
  const ended: unknown[] = [];
  /** How the calls end. */
  const ends: { resolve(value: never): void; reject(error: VecinityError): void }[] = [];
  let hear: (message: ToFollower) => void = () => {};
  let lead = () => {};
  const engine: EngineLine = {
    run: (...call) => {
      calls.push(call);
      return new Promise((resolve, reject) => ends.push({ resolve, reject }));
    },
    connect: async () => {},
    dispose: () => {},
  };
  const around: Surroundings = {
    id: 'tab',
    isVisible: () => user.sees,
    now: () => clock.elapsedMs,
    elapsed: () => clock.elapsedMs,
    every: (_, work) => {
      repeated.add(work);
      return () => repeated.delete(work);
    },
    after: (delayMs, work) => {
      delays.push(delayMs);
      timers.add(work);
      return () => timers.delete(work);
    },
    announce: (message) => void announced.push(message),
    follow: (receive) => {
      hear = receive;
      return { send: (message) => void told.push(structuredClone(message)), close: () => {} };
    },
    serve: (follower, receive) => {
      receivers.set(follower, receive);
      const send = (message: ToFollower) => void said.push([follower, message.type]);
      return { send, close: () => {} };
    },
    contend: ({ steal, onGranted }) => {
      steals.push(steal);
      lead = onGranted;
      return () => {};
    },
    holder: async () => holder,
    watch: () => () => {},
    sleep: () => {},
    wake,
    startEngine: (before) => {
      ended.push(before);
      return engine;
    },
  };
  const member = new Member(around);
  return {
    member,
    told,
    calls,
    ends,
    timers,
    delays,
    repeated,
    announced,
    said,
    post: (follower: string, message: ToLeader) => receivers.get(follower)?.(message),
    show(isSeen: boolean): void {
      user.sees = isSeen;
      member.visibilityChanged();
    },
    steals,
    ended,
    /** Seconds pass, and whatever is done every second is done. */
    async pass(seconds: number): Promise<void> {
      for (let at = 0; at < seconds; at += 1) {
        clock.elapsedMs += 1_000;
        for (const work of [...repeated]) work();
        await macrotask();
      }
    },
    hear: (message: ToFollower) => hear(message),
    lead: () => lead(),
  };
}

it('does not blame a request for a leader whose last word comes after the first word of the next one', async () => {
  const { member, hear } = setUp();
  const answer = member.run(embed);
  hear({ type: 'welcome', epoch: '1' });
  for (let epoch = 1; epoch <= 5; epoch += 1) {
    hear({ type: 'accepted', epoch: `${epoch}`, id: 1 });
    member.heed({ type: 'leader', epoch: `${epoch + 1}`, stolen: false });
    hear({ type: 'bye', epoch: `${epoch}` });
    hear({ type: 'welcome', epoch: `${epoch + 1}` });
  }
  hear({ type: 'result', epoch: '6', id: 1, value: 'a vector' });
  expect(await answer).toBe('a vector');
});

it('does not blame a request for leaders that say goodbye, or were silent and lost the lead', async () => {
  const { member, hear } = setUp();
  const answer = member.run(embed);
  for (let epoch = 1; epoch <= 8; epoch += 2) {
    hear({ type: 'welcome', epoch: `${epoch}` });
    hear({ type: 'accepted', epoch: `${epoch}`, id: 1 });
    hear({ type: 'bye', epoch: `${epoch}` });
    hear({ type: 'welcome', epoch: `${epoch + 1}` });
    hear({ type: 'accepted', epoch: `${epoch + 1}`, id: 1 });
    member.heed({ type: 'leader', epoch: `${epoch + 2}`, stolen: true });
  }
  hear({ type: 'welcome', epoch: '9' });
  hear({ type: 'result', epoch: '9', id: 1, value: 'a vector' });
  expect(await answer).toBe('a vector');
});

it('stays with its leader when a tab says to all what no version knows', () => {
  const { member, hear, told } = setUp();
  hear({ type: 'welcome', epoch: '1' });
  // What a later version may say.
  member.heed({ type: 'election', from: 'other', epoch: '2' } as never);
  void member.run(embed);
  expect(told).toEqual([expect.objectContaining({ type: 'request', epoch: '1' })]);
});

it('gives a request up when leader after leader goes without a word while it has it', async () => {
  const { member, hear } = setUp();
  const answer = member.run(embed);
  for (const epoch of ['1', '2', '3', '4']) {
    hear({ type: 'welcome', epoch });
    hear({ type: 'accepted', epoch, id: 1 });
    member.heed({ type: 'leader', epoch: `${epoch}x`, stolen: false });
  }
  await expect(answer).rejects.toMatchObject({ code: 'engine_crashed' });
});

it('accepts the lead only of a fresh offer, and once the leader gives a sign, whatever the clock was set to', async () => {
  const { hear, steals, told, pass } = setUp();
  const offer = { type: 'takeover', epoch: '1', at: 0 } as const;
  const sign = { type: 'pong', epoch: '1' } as const;
  hear({ type: 'welcome', epoch: '1' });
  for (const at of [-3_600_000, 3_600_000]) hear({ ...offer, at });
  hear(sign);
  hear(offer);
  expect([steals, told]).toEqual([[false], [{ type: 'ping', epoch: '1' }]]);
  await pass(1);
  hear(sign);
  expect(steals).toEqual([false]);
  hear({ ...offer, at: 1_000 });
  hear(sign);
  hear(sign);
  expect(steals).toEqual([false, true]);
});

it('accepts no lead of a leader that it has left since the offer', () => {
  const { hear, steals } = setUp();
  for (const epoch of ['1', '2']) {
    hear({ type: 'welcome', epoch });
    hear(epoch === '1' ? { type: 'takeover', epoch, at: 0 } : { type: 'pong', epoch });
  }
  expect(steals).toEqual([false]);
});

it('takes the lock from a silent holder at most every thirty seconds', async () => {
  const { member, steals, hear, pass } = setUp({ holder: 'silent' });
  void member.run(embed);
  hear({ type: 'welcome', epoch: '1' });
  const stealsAfter = async (seconds: number) => {
    await pass(seconds);
    return steals.filter((steal) => steal).length;
  };
  // Silence is judged every eleven seconds, and what is asked of this browser it does not do.
  expect([await stealsAfter(12), await stealsAfter(28), await stealsAfter(5)]).toEqual([1, 1, 2]);
});

it('greets the leader whenever the user sees it or no longer does, by which that knows whom to offer the lead', () => {
  const { member, announced, lead } = setUp();
  const hello = { type: 'hello', from: 'tab', visible: true, latest: '' };
  expect(announced).toEqual([hello]);
  member.visibilityChanged();
  expect(announced).toEqual([hello, hello]);
  lead();
  announced.length = 0;
  member.visibilityChanged();
  expect(announced).toEqual([]);
});

it('offers the lead after five idle seconds unseen, which begin anew whenever it is hidden', async () => {
  const { member, lead, said, show, pass } = setUp();
  lead();
  member.heed({ type: 'hello', from: 'other', visible: true, latest: '' });
  const offersAfter = async (seconds: number) => {
    await pass(seconds);
    return said.filter(([follower, type]) => follower === 'other' && type === 'takeover').length;
  };
  show(false);
  expect(await offersAfter(4)).toBe(0);
  show(true);
  show(false);
  expect([await offersAfter(4), await offersAfter(1)]).toEqual([0, 1]);
});

it('asks nothing of a leader that it knows to be followed by another', () => {
  const { member, told, hear } = setUp();
  const epochOf = (time: number) => `${String(time).padStart(16, '0')}:other`;
  member.heed({ type: 'leader', epoch: epochOf(2), stolen: true });
  void member.run(embed);
  hear({ type: 'welcome', epoch: epochOf(1) });
  expect(told).toEqual([]);
  hear({ type: 'welcome', epoch: epochOf(2) });
  expect(told).toEqual([expect.objectContaining({ type: 'request', epoch: epochOf(2) })]);
});

it('looks after nobody once it has ended', async () => {
  const { member, hear, repeated } = setUp();
  const answer = member.run(embed);
  hear({ type: 'welcome', epoch: '1' });
  expect(repeated.size).toBe(1);
  member.end(new VecinityError('disposed', 'This Vecinity was disposed.'));
  await expect(answer).rejects.toMatchObject({ code: 'disposed' });
  expect(repeated.size).toBe(0);
});

it('gives the lead up when it hears of a later leader, before the browser says that the lock is gone', () => {
  const { member, steals, lead } = setUp();
  lead();
  member.heed({ type: 'leader', epoch: '9999999999999999:other', stolen: true });
  // In line for the lock again, as a follower.
  expect(steals).toEqual([false, false]);
});

it('tells its engine which tabs had one before, as far as it saw them', () => {
  const { member, lead, ended } = setUp();
  member.heed({ type: 'leader', epoch: '1', stolen: false });
  member.heed({ type: 'leader', epoch: '2', stolen: true });
  lead();
  const at = '1970-01-01T00:00:00.000Z';
  expect(ended).toEqual([
    [
      { at, reason: expect.stringMatching(/took over from one that was silent/) },
      { at, reason: expect.stringMatching(/had the engine was closed, crashed, or gave it up/) },
    ],
  ]);
});

it('tells the first engine of nobody before it', () => {
  const { lead, ended } = setUp();
  lead();
  expect(ended).toEqual([[]]);
});

it('comes back once, however often it is told to, and not when it is to sleep again by then', async () => {
  let wakes = 0;
  const { member, steals } = setUp({
    wake: async () => {
      wakes += 1;
    },
  });
  member.suspend();
  for (let at = 0; at < 2; at += 1) member.resume();
  member.suspend();
  await macrotask();
  expect([wakes, steals]).toEqual([1, [false]]);
  member.resume();
  member.resume();
  await macrotask();
  expect([wakes, steals]).toEqual([2, [false, false]]);
});

it('ends what waits where the platform forbids it to come back', async () => {
  const { member } = setUp({ wake: () => Promise.reject(new Error('The storage is blocked.')) });
  const answer = member.run(embed);
  member.suspend();
  member.resume();
  await expect(answer).rejects.toMatchObject({ message: 'The storage is blocked.' });
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

it('posts its requests to itself while others wait, and until those have come keeps to that way', async () => {
  const { member, lead, told, calls, ends, post, pass } = setUp();
  lead();
  member.heed({ type: 'hello', from: 'other', visible: true, latest: '' });
  const asked = { type: 'request', id: 1, call: embed, deaths: 0, watched: false, abortable: false } as const;
  post('other', { ...asked, epoch: `${'1'.padStart(16, '0')}:tab` });
  expect(calls).toHaveLength(1);
  for (let at = 0; at < 2; at += 1) {
    void member.run(embed);
    await macrotask();
    ends[0]?.resolve('a vector' as never);
    // Long enough for the other to be forgotten.
    await pass(1);
  }
  expect([calls.length, told.length]).toEqual([1, 2]);
  for (const message of told) post('tab', message);
  expect(calls).toHaveLength(3);
  void member.run(embed);
  await macrotask();
  expect([calls.length, told.length]).toEqual([4, 2]);
});

it('goes straight to its own engine again after a request that could not be posted to itself', async () => {
  const { member, lead, told, calls, ends, post, pass } = setUp();
  lead();
  member.heed({ type: 'hello', from: 'other', visible: true, latest: '' });
  const asked = { type: 'request', id: 1, call: embed, deaths: 0, watched: false, abortable: false } as const;
  post('other', { ...asked, epoch: `${'1'.padStart(16, '0')}:tab` });
  const refused = member.run({ operation: 'embeddings', argument: { input: () => {} } });
  await expect(refused).rejects.toMatchObject({ code: 'invalid_request' });
  ends[0]?.resolve('a vector' as never);
  await pass(1);
  void member.run(embed);
  await macrotask();
  expect([calls.length, told]).toEqual([2, []]);
});

describe('a model that a new leader cannot load', () => {
  const epochOf = (time: number) => `${String(time).padStart(16, '0')}:other`;
  const load = (model: string): EngineCall => ({ operation: 'load', argument: { model } });
  const error = { code: 'download_failed', message: 'The network failed.', param: null, retryAfterMs: null } as const;
  /** As much of a load's answer as is looked at. */
  const ready = (model: string) => ({ id: model });

  /** A follower that has loaded two models and hears of a new leader; the ids under which it asks that one for them. */
  async function setUpLoaded() {
    const around = setUp();
    const { member, told, hear } = around;
    hear({ type: 'welcome', epoch: epochOf(1) });
    const loads = [member.run(load('a')), member.run(load('b'))];
    ['a', 'b'].forEach((model, at) => {
      hear({ type: 'result', epoch: epochOf(1), id: at + 1, value: ready(model) });
    });
    await Promise.all(loads);
    told.length = 0;
    const asked = () => told.flatMap((message) => (message.type === 'request' ? [message] : []));
    return { ...around, asked };
  }

  it('is asked for again after a while, without the other ones', async () => {
    const { hear, asked, timers } = await setUpLoaded();
    hear({ type: 'welcome', epoch: epochOf(2) });
    const [a, b] = asked();
    if (!a || !b) throw new Error('The new leader was not asked for the models.');
    hear({ type: 'error', epoch: epochOf(2), id: a.id, error });
    hear({ type: 'result', epoch: epochOf(2), id: b.id, value: ready('b') });
    await macrotask();
    for (const pass of timers) pass();
    expect(asked().map(({ call }) => call)).toEqual([load('a'), load('b'), load('a')]);
  });

  it('is not asked for again once the tab has let it go', async () => {
    const { member, hear, asked, timers } = await setUpLoaded();
    hear({ type: 'welcome', epoch: epochOf(2) });
    for (const { id } of asked()) hear({ type: 'error', epoch: epochOf(2), id, error });
    await macrotask();
    void member.run({ operation: 'unload', argument: 'a' });
    for (const pass of timers) pass();
    expect(
      asked()
        .slice(3)
        .map(({ call }) => call),
    ).toEqual([load('b')]);
  });

  it('is not asked for again once the tab has let it go before it was loaded', async () => {
    const { member, hear, asked } = await setUpLoaded();
    const loading = member.run(load('c'));
    void member.run({ operation: 'unload', argument: 'c' });
    hear({ type: 'result', epoch: epochOf(1), id: 3, value: ready('c') });
    await loading;
    hear({ type: 'welcome', epoch: epochOf(2) });
    const loads = asked().flatMap(({ call, epoch }) => (epoch === epochOf(2) && call.operation === 'load' ? call : []));
    expect(loads).toEqual([load('a'), load('b')]);
  });

  it('is asked for after one second, two, four and then every eight, and after one again once all came', async () => {
    const { hear, asked, timers, delays } = await setUpLoaded();
    const answerAll = async (isThere: boolean) => {
      for (const { id, epoch, call } of asked().splice(0)) {
        const value = call.operation === 'load' && ready(call.argument.model);
        hear(isThere ? { type: 'result', epoch, id, value } : { type: 'error', epoch, id, error });
      }
      await macrotask();
      for (const pass of [...timers]) {
        timers.delete(pass);
        pass();
      }
    };
    hear({ type: 'welcome', epoch: epochOf(2) });
    for (let at = 0; at < 5; at += 1) await answerAll(false);
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 8_000]);
    await answerAll(true);
    hear({ type: 'welcome', epoch: epochOf(3) });
    await answerAll(false);
    expect(delays.slice(5)).toEqual([1_000]);
  });

  it('is no reason to lead for a tab that ends while it waits to ask for the lead again', async () => {
    const { lead, ends, member, timers } = await setUpLoaded();
    lead();
    await macrotask();
    for (const { reject } of ends) reject(fromErrorData(error));
    await macrotask();
    expect(timers.size).toBe(1);
    member.end(fromErrorData(error));
    expect(timers.size).toBe(0);
  });

  it('leaves no timer behind when the tab ends', async () => {
    const { member, hear, asked, timers } = await setUpLoaded();
    hear({ type: 'welcome', epoch: epochOf(2) });
    for (const { id } of asked()) hear({ type: 'error', epoch: epochOf(2), id, error });
    await macrotask();
    expect(timers.size).toBe(1);
    member.end(fromErrorData(error));
    expect(timers.size).toBe(0);
  });

  it('is not asked for again where there is another leader by then', async () => {
    const { hear, asked, timers } = await setUpLoaded();
    hear({ type: 'welcome', epoch: epochOf(2) });
    for (const { id } of asked()) hear({ type: 'error', epoch: epochOf(2), id, error });
    await macrotask();
    hear({ type: 'welcome', epoch: epochOf(3) });
    expect([asked().length, timers.size]).toEqual([4, 0]);
  });

  it('does not take the lead from our own tab once that has let it go, and has others', async () => {
    const { lead, calls, ends, member } = await setUpLoaded();
    lead();
    await macrotask();
    ends[0]?.reject(fromErrorData(error));
    await macrotask();
    void member.run({ operation: 'unload', argument: 'a' });
    ends[1]?.resolve(ready('b') as never);
    await macrotask();
    void member.run(embed);
    await macrotask();
    expect(calls.map(([call]) => call)).toContainEqual(embed);
  });

  it('takes the lead from our own tab only when none of our models can be loaded', async () => {
    for (const isOneLoaded of [true, false]) {
      const { lead, calls, ends, member } = await setUpLoaded();
      lead();
      await macrotask();
      expect(calls.map(([call]) => call)).toEqual([load('a'), load('b')]);
      ends[0]?.reject(fromErrorData(error));
      if (isOneLoaded) ends[1]?.resolve(ready('b') as never);
      else ends[1]?.reject(fromErrorData(error));
      await macrotask();
      void member.run(embed);
      await macrotask();
      expect(calls).toHaveLength(isOneLoaded ? 3 : 2);
    }
  });
});
