import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Member } from '../../src/sharing/member.js';
import type { ToLeader } from '../../src/sharing/messages.js';
import { Requests } from '../../src/sharing/requests.js';
import type { EngineCall } from '../../src/wire/engine-line.js';
import { QuickAbortController } from './quick-abort.js';
import type { Faults } from './simulated-engine.js';
import { embed, judgeMany, loadCall, Play } from './simulated-play.js';
import { Browser } from './simulated-tabs.js';
import { seeded } from './virtual-runner.js';

/** Two tabs that are seen; the first one leads. */
async function openTwo(faults: Partial<Faults> = {}): Promise<{ browser: Browser; first: Member; second: Member }> {
  const browser = new Browser(seeded(1), { engineDies: 0, loadFails: 0, wordsLost: 0, ...faults });
  const first = browser.open('first', true);
  await answerOf(browser, first.run(loadCall));
  const second = browser.open('second', true);
  await answerOf(browser, second.run(loadCall));
  return { browser, first, second };
}

/** Lets time pass until the answer is there, for two minutes at most. */
async function answerOf(browser: Browser, answer: Promise<unknown>): Promise<unknown> {
  let outcome: unknown = null;
  void answer.then((value) => {
    outcome = value;
  });
  await browser.run(browser.now + 120_000, () => outcome !== null);
  return outcome;
}

// Virtual time is quick, but a machine that does other work is not.
describe('tabs that share an engine', { timeout: 60_000 }, () => {
  const { stackTraceLimit } = Error;

  beforeAll(() => {
    // Errors end requests here all the time, and nobody reads where they come from.
    Error.stackTraceLimit = 0;
    vi.stubGlobal('AbortController', QuickAbortController);
  });

  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
    vi.unstubAllGlobals();
  });

  it('start one engine, whatever the order in which they come', async () => {
    const counts = new Set<number>();
    for (let seed = 1; seed <= 50; seed += 1)
      counts.add((await new Play({ seed, tabs: 6 }).run()).browser.leaders.size);
    expect([...counts]).toEqual([1]);
  });

  it('answer every request once, with its own answer', async () => {
    expect(await judgeMany(150, { tabs: 4, aborts: 5 })).toEqual([]);
  });

  it('answer every request of a tab that lives, whichever tabs die or are disposed of', async () => {
    expect(await judgeMany(150, { tabs: 8, deaths: 8, ends: 4 })).toEqual([]);
  });

  it('answer every request although tabs freeze and wake again', async () => {
    expect(await judgeMany(150, { tabs: 4, freezes: 4 })).toEqual([]);
  });

  it('give a request up that has killed two engines, and no other', async () => {
    expect(await judgeMany(150, { tabs: 4, poisons: 1, requests: 30 })).toEqual([]);
    const { browser, asked } = await new Play({ seed: 1, tabs: 4, poisons: 1, requests: 0 }).run();
    const [poison] = asked;
    expect([browser.runs.get(poison?.text), poison?.outcomes]).toEqual([2, ['engine_crashed']]);
  });

  it('lose nothing when the one that leads is hidden and another takes over', async () => {
    expect(await judgeMany(150, { tabs: 4, hidings: 20 })).toEqual([]);
  });

  it('lead in a tab that is seen once the other one is hidden and has nothing to do', async () => {
    const { browser } = await openTwo();
    browser.show('first', false);
    await browser.run(60_000, () => browser.leaders.size > 1);
    expect([...browser.leaders.values()]).toEqual(['first', 'second']);
  });

  it('take the lead from a tab that never wakes, and answer that tab when it does', async () => {
    const { browser, first, second } = await openTwo();
    browser.sleep('first');
    expect(await answerOf(browser, second.run(embed('second text')))).toBe('second text');
    browser.thaw('first');
    expect(await answerOf(browser, first.run(embed('first text')))).toBe('first text');
    expect([...browser.leaders.values()]).toEqual(['first', 'second']);
    expect(browser.breaches).toEqual([]);
  });

  it('leave the lead to a tab that was only asleep together with the one that waits', async () => {
    const { browser, second } = await openTwo();
    const answer = second.run(embed('second text'));
    for (const tab of ['first', 'second']) browser.sleep(tab);
    await browser.run(browser.now + 3_600_000, () => false);
    for (const tab of ['second', 'first']) browser.thaw(tab);
    expect(await answerOf(browser, answer)).toBe('second text');
    expect([...browser.leaders.values()]).toEqual(['first']);
  });

  it('hear at once of a leader that is closed or put to sleep', async () => {
    const { browser, first, second } = await openTwo();
    const answer = second.run(embed('second text'));
    first.suspend();
    const asked = browser.now;
    expect(await answerOf(browser, answer)).toBe('second text');
    expect(browser.now - asked).toBeLessThan(2_000);
    first.resume();
    expect(await answerOf(browser, first.run(embed('first text')))).toBe('first text');
    expect([...browser.leaders.values()]).toEqual(['first', 'second']);
  });

  it('work for no tab that is gone', async () => {
    const { browser, second } = await openTwo({ longestRunMs: 60_000 });
    void second.run(embed('second poison'));
    await browser.run(browser.now + 100, () => false);
    expect(browser.runs.get('second poison')).toBe(1);
    browser.kill('second');
    await browser.run(browser.now + 70_000, () => false);
    expect(browser.deaths.get('second poison')).toBeUndefined();
  });

  it('keep a model until the last tab that loaded it lets it go', async () => {
    const { browser, first, second } = await openTwo();
    const unload = { operation: 'unload', argument: 'model' } as const;
    await answerOf(
      browser,
      first.run(unload).then(() => 'done'),
    );
    expect(browser.unloads).toEqual([]);
    expect(await answerOf(browser, second.run(embed('second text')))).toBe('second text');
    await answerOf(browser, second.run(unload));
    expect(browser.unloads).toEqual(['model']);
  });

  it('get equal shares when they ask alike, whichever of them has the engine', async () => {
    const browser = new Browser(seeded(1), { engineDies: 0, loadFails: 0, wordsLost: 0, longestRunMs: 20 });
    const tabs = ['one', 'two', 'three', 'four'].map((tab) => ({ tab, answers: 0, member: browser.open(tab, true) }));
    for (const { member } of tabs) await answerOf(browser, member.run(loadCall));
    for (const share of tabs) {
      const askOn = (): Promise<void> =>
        share.member.run(embed(`${share.tab} text`)).then(() => {
          share.answers += 1;
          return askOn();
        });
      for (let atOnce = 0; atOnce < 10; atOnce += 1) void askOn();
    }
    await browser.run(browser.now + 30_000, () => false);
    const answers = tabs.map((share) => share.answers);
    expect(Math.min(...answers)).toBeGreaterThan(1_000);
    expect(Math.max(...answers) / Math.min(...answers)).toBeLessThan(1.1);
  });

  it('say why a model cannot be loaded, and try again in another tab', async () => {
    expect(await judgeMany(150, { tabs: 4, deaths: 3, loadFails: 0.3 })).toEqual([]);
  });

  it('end every request once although the machine sleeps, and leave the lead where it is', async () => {
    expect(await judgeMany(300, { tabs: 4, sleeps: 2, hidings: 4 })).toEqual([]);
  });

  it('end every request once whatever the clock is set to', async () => {
    expect(await judgeMany(300, { tabs: 5, deaths: 2, reloads: 2, freezes: 4, clocks: 4 })).toEqual([]);
  });

  it('keep the models of every tab, whatever others let go of or call off', async () => {
    const models = { tabs: 2, requests: 40, recalls: 6, renewals: 6 };
    expect(await judgeMany(300, models)).toEqual([]);
    expect(await judgeMany(300, { ...models, tabs: 5, deaths: 2, reloads: 2, freezes: 3, hidings: 6 })).toEqual([]);
  });

  it('answer a rush of one tab and everybody beside it, whichever tabs come and go', async () => {
    const rush = { tabs: 5, rushes: 2, longestRunMs: 20, deaths: 2, reloads: 2, freezes: 3, hidings: 6, clocks: 1 };
    expect(await judgeMany(150, rush)).toEqual([]);
  });

  it('end every request once although the last words of tabs that go are lost, farewells among them', async () => {
    const partings = { tabs: 6, requests: 40, deaths: 4, reloads: 4, hidings: 8, aborts: 3, wordsLost: 1 };
    expect(await judgeMany(300, partings)).toEqual([]);
  });

  it('have an engine for each version that is deployed side by side, and none for the tabs of another', async () => {
    const versions = { tabs: 6, reloads: 6, hidings: 8, freezes: 2, versions: 2 };
    expect(await judgeMany(300, versions)).toEqual([]);
  });

  const everything = {
    ...{ tabs: 6, aborts: 3, deaths: 3, reloads: 2, ends: 1, freezes: 3, hidings: 8, poisons: 1, sleeps: 1, clocks: 1 },
    ...{ engineDies: 0.02, loadFails: 0.05 },
  };

  it('end every request once through all of it together', async () => {
    expect(await judgeMany(500, everything)).toEqual([]);
  });

  it('end every request once in schedules that were found to break a rule', async () => {
    for (const seed of [10_021_322, 20_024_646, 20_090_841]) expect(await judgeMany(1, everything, seed)).toEqual([]);
    const models = { ...everything, recalls: 1, renewals: 1 };
    const rush = { ...models, clocks: 3, rushes: 1, engineDies: 0.001, longestRunMs: 20 };
    expect(await judgeMany(1, rush, 902_002_833)).toEqual([]);
  });

  const seed = Number(process.env.VECINITY_SEED ?? Date.now() % 1_000_000_000);

  it(`end every request once in schedules that nobody has seen, from seed ${seed} on`, async () => {
    expect(
      await judgeMany(2_000, { ...everything, recalls: 1, renewals: 1, versions: 2, wordsLost: 0.5 }, seed),
    ).toEqual([]);
  });

  it('keep the leaderships of one moment apart', async () => {
    const epochs: string[] = [];
    for (const tab of ['first', 'second']) {
      const browser = new Browser(seeded(1), { engineDies: 0, loadFails: 0, wordsLost: 0 });
      await answerOf(browser, browser.open(tab, true).run(loadCall));
      epochs.push(...browser.leaders.keys());
    }
    const [times, tabs] = [epochs.map((epoch) => epoch.slice(0, 16)), epochs.map((epoch) => epoch.slice(16))];
    expect([new Set(times).size, new Set(tabs).size]).toEqual([1, 2]);
  });
});

describe('the requests of a tab', () => {
  it('refuse what cannot be posted, and go on', async () => {
    const requests = new Requests();
    const sent: ToLeader[] = [];
    requests.follow({ epoch: '1', way: () => (message) => void sent.push(structuredClone(message)) });
    await expect(requests.add(embed({ input: () => 'a function' }))).rejects.toMatchObject({ code: 'invalid_request' });
    const next = requests.add(embed('text'));
    requests.receive({ type: 'result', epoch: '1', id: 2, value: 'a vector' });
    expect(await next).toBe('a vector');
    expect(sent.map(({ type }) => type)).toEqual(['request']);
  });

  it('tell the leader of an abort, and send nothing that was aborted before', async () => {
    const requests = new Requests();
    const sent: ToLeader[] = [];
    requests.follow({ epoch: '1', way: () => (message) => void sent.push(message) });
    await expect(requests.add(embed('late'), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(sent).toEqual([]);
    const controller = new AbortController();
    const answer = requests.add(embed('text'), { signal: controller.signal });
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 'aborted' });
    expect(sent.map(({ type }) => type)).toEqual(['request', 'cancel']);
  });

  it('call off what a leader has that was left: it may only have been silent, and lead on', async () => {
    const requests = new Requests();
    const sent: ToLeader[] = [];
    requests.follow({ epoch: '1', way: () => (message) => void sent.push(message) });
    const controller = new AbortController();
    const answer = requests.add(loadCall, { signal: controller.signal });
    requests.leave();
    controller.abort();
    await expect(answer).rejects.toMatchObject({ code: 'aborted' });
    expect(sent.at(-1)).toEqual({ type: 'cancel', epoch: '1', id: 1 });
  });

  it('ask the next leader for models first, and let go of them in the order in which that was asked', () => {
    const requests = new Requests();
    const calls: EngineCall[] = [embed('text'), { operation: 'unload', argument: 'model' }, loadCall, embed('later')];
    for (const call of calls) void requests.add(call);
    const sent: unknown[] = [];
    requests.follow({ epoch: '1', way: (call) => () => void sent.push(call) });
    expect(sent).toEqual([1, 2, 0, 3].map((at) => calls[at]));
  });

  it('count each death of an engine or a leader once, and tell the next leader', async () => {
    const requests = new Requests();
    const deaths: number[] = [];
    const follow = (epoch: string) =>
      requests.follow({ epoch, way: () => (message) => void ('deaths' in message && deaths.push(message.deaths)) });
    follow('1');
    const answer = requests.add(embed('text'));
    requests.receive({ type: 'accepted', epoch: '1', id: 1 });
    requests.receive({ type: 'died', epoch: '1', id: 1 });
    for (const epoch of ['2', '3', '4']) follow(epoch);
    requests.receive({ type: 'result', epoch: '4', id: 1, value: 'a vector' });
    expect(await answer).toBe('a vector');
    expect(deaths).toEqual([0, 2, 2, 2]);
  });

  it('take the answer of a leader that was left, and call the next one off', async () => {
    const requests = new Requests();
    const sent: ToLeader[] = [];
    const answer = requests.add(embed('text'));
    requests.follow({ epoch: '1', way: () => () => {} });
    requests.follow({ epoch: '2', way: () => (message) => void sent.push(message) });
    requests.receive({ type: 'result', epoch: '1', id: 1, value: 'a vector' });
    requests.receive({ type: 'result', epoch: '2', id: 1, value: 'a later one' });
    expect(await answer).toBe('a vector');
    expect(sent.map(({ type }) => type)).toEqual(['request', 'cancel']);
  });

  it('do not take the word of a leader that was left for what the next one has loaded, nor its errors', async () => {
    const requests = new Requests();
    const [load, text] = [requests.add(loadCall), requests.add(embed('text'))];
    for (const epoch of ['1', '2']) requests.follow({ epoch, way: () => () => {} });
    const error = { code: 'disposed', message: 'gone', param: null, retryAfterMs: null } as const;
    requests.receive({ type: 'result', epoch: '1', id: 1, value: 'old' });
    requests.receive({ type: 'error', epoch: '1', id: 2, error });
    for (const id of [1, 2]) requests.receive({ type: 'result', epoch: '2', id, value: 'new' });
    expect(await Promise.all([load, text])).toEqual(['new', 'new']);
  });

  it('end with what a progress callback throws, each on its own', async () => {
    const requests = new Requests();
    const onProgress = () => {
      throw new Error('a defect of the page');
    };
    requests.follow({ epoch: '1', way: () => () => {} });
    const failing = requests.add(embed('one'), { onProgress });
    const other = requests.add(embed('two'));
    requests.receive({ type: 'progress', epoch: '1', id: 1, progress: { done: 1, total: 2 } });
    requests.receive({ type: 'result', epoch: '1', id: 2, value: 'a vector' });
    await expect(failing).rejects.toMatchObject({ message: 'a defect of the page' });
    expect(await other).toBe('a vector');
  });
});
