/** Schedules of what happens to tabs, made from a seed, and the judge of what their requests came to. */
import type { VecinityError } from '../../src/errors.js';
import type { Member } from '../../src/sharing/member.js';
import type { Faults } from './simulated-engine.js';
import { Browser } from './simulated-tabs.js';
import { seeded } from './virtual-runner.js';

const activityMs = 20_000;
const longestSleepMs = 600_000;
/** Enough for several leaders that freeze one after the other, each taken for dead after thirty looks. */
const patienceMs = 400_000;
/** For what tabs still say to each other when everything is answered. */
const settlingMs = 15_000;

export interface Asked {
  tab: string;
  text: string;
  askedAt: number;
  aborted: boolean;
  outcomes: string[];
}

/** How many of each happen, at random times. */
export interface Schedule extends Partial<Faults> {
  seed: number;
  tabs: number;
  requests?: number;
  poisons?: number;
  aborts?: number;
  deaths?: number;
  freezes?: number;
  hidings?: number;
  ends?: number;
  /** A tab is closed, and another is opened in its place. */
  reloads?: number;
  /** All tabs sleep at once, and wake one after the other. */
  sleeps?: number;
  /** Somebody sets the clock. */
  clocks?: number;
  /** A tab asks for very much at once. */
  rushes?: number;
  /** A tab asks for its model once more and calls that off, perhaps too late. */
  recalls?: number;
  /** Versions of the package that are deployed side by side; default 1. A tab that is reloaded may come back with another. */
  versions?: number;
  /** A tab lets its model go and loads it again, at once or after a while. */
  renewals?: number;
}

export const embed = (argument: unknown) => ({ operation: 'embeddings', argument }) as const;
export const loadCall = { operation: 'load', argument: { model: 'model' } } as const;

/** One schedule, played to its end. The first tab lives to the end, so that somebody can answer. */
export class Play {
  readonly browser: Browser;
  readonly #schedule: Schedule;
  readonly #random: () => number;
  readonly #members = new Map<string, Member>();
  /** Each tab's model, once it is loaded; a load that failed is tried again by the next who needs it. */
  readonly #loads = new Map<string, Promise<unknown>>();
  readonly #asked: Asked[] = [];
  /** Tabs that have let their model go: what they had asked before may come too late. */
  readonly renewed = new Set<string>();
  /** What is wrong in the end. */
  readonly breaches: string[] = [];
  /** Those before it are known to be answered, or to need no answer. */
  #answered = 0;
  #judgedAt = 0;
  #opened = 0;

  constructor(schedule: Schedule) {
    const { seed, engineDies = 0, loadFails = 0, wordsLost = 0, longestRunMs = 300 } = schedule;
    this.#schedule = schedule;
    this.#random = seeded(seed);
    this.browser = new Browser(this.#random, { engineDies, loadFails, wordsLost, longestRunMs });
  }

  /** Requests of the tabs that lived. */
  get asked(): Asked[] {
    return this.#asked.filter(({ tab }) => this.browser.isAlive(tab));
  }

  async run(): Promise<this> {
    this.#plan();
    const { browser } = this;
    await browser.run(activityMs + 1_000, () => this.#judgeWaits());
    await this.#answer();
    await this.#askOnceMore();
    return this;
  }

  #plan(): void {
    const { tabs, requests = 20, poisons = 0, aborts = 0, deaths = 0 } = this.#schedule;
    const { freezes = 0, hidings = 0, ends = 0, reloads = 0, sleeps = 0, clocks = 0 } = this.#schedule;
    const { rushes = 0, recalls = 0, renewals = 0 } = this.#schedule;
    const { browser } = this;
    for (let at = 0; at < tabs; at += 1) this.#open(at === 0 ? 0 : 5_000);
    this.#often(requests, 0, (tab, at) => this.#ask(tab, `${tab} text ${at}`));
    this.#often(poisons, 0, (tab, at) => this.#ask(tab, `${tab} poison ${at}`));
    this.#often(aborts, 0, (tab, at) => this.#ask(tab, `${tab} aborted ${at}`, browser.between(0, 500)));
    this.#often(deaths, 1, (tab) => browser.kill(tab));
    this.#often(ends, 1, (tab) => browser.dispose(tab));
    this.#often(hidings, 0, (tab) => browser.show(tab, this.#random() < 0.5));
    this.#often(freezes, 0, (tab) => this.#freeze(tab));
    this.#often(reloads, 1, (tab) => this.#reload(tab));
    this.#often(sleeps, 0, () => this.#sleep());
    this.#often(clocks, 0, () => browser.setClock(browser.between(0, 7_200_000)));
    this.#often(rushes, 0, (tab, at) => this.#rush(tab, at));
    this.#often(recalls, 0, (tab) => this.#recall(tab));
    this.#often(renewals, 0, (tab) => this.#renew(tab));
  }

  async #answer(): Promise<void> {
    await this.browser.run(this.browser.now + patienceMs, () => this.#judgeWaits() || this.#areAnswered());
  }

  /** Whatever has happened, every tab that is left is answered, and one engine is enough for it. */
  async #askOnceMore(): Promise<void> {
    const { browser } = this;
    const left = [...this.#members.keys()].filter((tab) => browser.isAlive(tab));
    for (const tab of left) browser.thaw(tab);
    for (const tab of left) this.#ask(tab, `${tab} last text`);
    await this.#answer();
    await browser.run(browser.now + settlingMs, () => browser.enginesTooMany.length === 0);
    const tooMany = browser.enginesTooMany;
    if (tooMany.length > 0) this.breaches.push(`${tooMany} keep an engine each`);
  }

  /** Who waits for too long. Answers false: there is never a reason to stop here. */
  #judgeWaits(): boolean {
    const { now } = this.browser;
    if (now - this.#judgedAt < 1_000) return false;
    this.#judgedAt = now;
    if (this.#areAnswered()) return false;
    for (const asked of this.#asked.slice(this.#answered)) if (asked.outcomes.length === 0) this.browser.waits(asked);
    return false;
  }
  #areAnswered(): boolean {
    for (; this.#answered < this.#asked.length; this.#answered += 1) {
      const asked = this.#asked[this.#answered];
      if (asked && asked.outcomes.length === 0 && this.browser.isAlive(asked.tab)) return false;
    }
    return true;
  }

  #open(withinMs: number): void {
    const tab = `tab-${this.#opened}`;
    this.#opened += 1;
    const { hidings = 0, versions = 1 } = this.#schedule;
    const visible = hidings === 0 || this.#random() < 0.7;
    const version = versions === 1 ? 0 : Math.floor(this.#random() * versions);
    this.browser.after(this.browser.between(0, withinMs), () => {
      const member = this.browser.open(tab, visible, version);
      this.#members.set(tab, member);
      this.#load(tab, member).catch(() => {});
    });
  }

  #load(tab: string, member: Member): Promise<unknown> {
    const ask = () => member.run(loadCall);
    const load = this.#loads.get(tab)?.catch(ask) ?? ask();
    this.#loads.set(tab, load);
    return load;
  }

  /** Does something with a tab that is there, at random times. */
  #often(count: number, firstTab: number, act: (tab: string, at: number) => void): void {
    for (let at = 0; at < count; at += 1) {
      const tab = `tab-${this.browser.between(firstTab, this.#schedule.tabs - 1)}`;
      this.browser.after(this.browser.between(0, activityMs), () => {
        if (this.#members.has(tab) && this.browser.isAlive(tab)) act(tab, at);
      });
    }
  }

  /** For a moment, as a page does that is busy, or for long. */
  #freeze(tab: string): void {
    const { browser } = this;
    const longestMs = this.#random() < 0.5 ? 60_000 : 5_000;
    browser.freeze(tab);
    browser.after(browser.between(100, longestMs), () => browser.thaw(tab));
  }

  #rush(tab: string, at: number): void {
    for (let one = 0; one < 100; one += 1) this.#ask(tab, `${tab} rush ${at} ${one}`);
  }

  #recall(tab: string): void {
    const controller = new AbortController();
    const { signal } = controller;
    this.#members
      .get(tab)
      ?.run(loadCall, { signal })
      .catch(() => {});
    this.browser.after(this.browser.between(0, 60), () => controller.abort());
  }

  #renew(tab: string): void {
    const member = this.#members.get(tab);
    if (!member) return;
    this.renewed.add(tab);
    member.run({ operation: 'unload', argument: loadCall.argument.model }).catch(() => {});
    const pause = new Promise<void>((resolve) => {
      this.browser.after(this.browser.between(0, 1) * this.browser.between(0, 2_000), resolve);
    });
    const load = pause.then(() => member.run(loadCall));
    load.catch(() => {});
    this.#loads.set(tab, load);
  }

  #reload(tab: string): void {
    this.browser.kill(tab);
    this.#open(500);
  }

  #sleep(): void {
    const { browser } = this;
    const wakesIn = browser.between(1_000, longestSleepMs);
    for (const tab of this.#members.keys()) {
      if (!browser.isAlive(tab)) continue;
      browser.sleep(tab);
      browser.after(wakesIn + browser.between(0, 2_000), () => browser.thaw(tab));
    }
  }

  /** A tab asks when its model is there, as `createVecinity` has it. */
  #ask(tab: string, text: string, abortedAfterMs: number | null = null): void {
    const outcomes: string[] = [];
    const asked = { tab, text, askedAt: this.browser.now, aborted: abortedAfterMs !== null, outcomes };
    this.#asked.push(asked);
    const member = this.#members.get(tab);
    if (!member) throw new Error(`${tab} is not open.`);
    const controller = abortedAfterMs === null ? null : new AbortController();
    if (controller) this.browser.after(abortedAfterMs ?? 0, () => controller.abort());
    this.#load(tab, member)
      .then(() => member.run(embed(text), controller ? { signal: controller.signal } : {}))
      .then(
        (value) => String(value),
        (error: VecinityError) => error.code,
      )
      .then((outcome) => {
        this.browser.waits(asked);
        outcomes.push(outcome);
      });
  }
}

/** What is wrong with how a request ended; null when nothing is. */
function faultOf({ tab, text, aborted, outcomes }: Asked, play: Play, schedule: Schedule): string | null {
  const { browser, renewed } = play;
  const { loadFails = 0, engineDies = 0, deaths: crashes = 0, reloads = 0 } = schedule;
  const [outcome] = outcomes;
  if (outcomes.length !== 1) return `${text} ended ${outcomes.length} times`;
  const isPoison = text.includes('poison');
  // A tab cannot know whether a leader that went had begun with its request, nor at once that it went in peace.
  const deaths = (browser.deaths.get(text) ?? 0) + browser.departures;
  if (outcome === text && !isPoison) return null;
  if (aborted && outcome === 'aborted') return null;
  if (outcome === 'disposed' && browser.isDisposed(tab)) return null;
  if (loadFails > 0 && outcome === 'download_failed') return null;
  // What is tried again after a death waits for the models, and comes when one of them has failed.
  if (loadFails > 0 && deaths > 0 && outcome === 'model_not_loaded') return null;
  if (outcome === 'model_not_loaded' && renewed.has(tab)) return null;
  const isToBlame = isPoison || engineDies > 0 || crashes + reloads > 0;
  if (outcome === 'engine_crashed' && deaths >= 2 && isToBlame) return null;
  return `${text} ended with ${outcome} after ${browser.runs.get(text)} runs and ${deaths} deaths`;
}

/** What was wrong with a schedule, in words. */
export async function judge(schedule: Schedule): Promise<string[]> {
  const play = await new Play(schedule).run();
  const { browser, asked, breaches } = play;
  const faults = asked.map((request) => faultOf(request, play, schedule)).filter((fault) => fault !== null);
  return [...browser.breaches, ...breaches, ...faults].map((fault) => `seed ${schedule.seed}: ${fault}`);
}

export async function judgeMany(count: number, schedule: Omit<Schedule, 'seed'>, firstSeed = 1): Promise<string[]> {
  const faults: string[] = [];
  for (let seed = firstSeed; seed < firstSeed + count && faults.length < 5; seed += 1)
    faults.push(...(await judge({ ...schedule, seed })));
  return faults;
}
