/** Tabs of one browser in virtual time, which are opened, hidden, frozen, killed and disposed of. */

import { VecinityError } from '../../src/errors.js';
import { Member } from '../../src/sharing/member.js';
import { type Faults, SimulatedEngine } from './simulated-engine.js';
import { Platform, type Random, TabSurroundings } from './simulated-platform.js';
import { Tab } from './simulated-tab.js';
import { sleepMs } from './tab-rules.js';

export class Browser {
  /** Engines' runs of each text, also those that end while the model is loading. */
  readonly runs = new Map<unknown, number>();
  readonly unloads: unknown[] = [];
  /** Engines that died while they worked on a text. */
  readonly deaths = new Map<unknown, number>();
  /** Tabs that went or fell asleep. */
  departures = 0;
  /** Engines that were not disposed of, by their tab. */
  readonly engines = new Map<object, Tab>();
  readonly #faults: Faults;
  readonly #platform: Platform;

  constructor(random: Random, faults: Faults) {
    this.#platform = new Platform(random);
    this.#faults = faults;
  }

  /** Opens a tab that takes part. */
  open(id: string, visible: boolean, version = 0): Member {
    const tab = new Tab(id, { visible, version, now: this.now });
    this.#platform.tabs.set(id, tab);
    this.#platform.request(tab, `life:${id}`, () => {});
    const member = new Member(new TabSurroundings(this.#platform, tab, this.#startEngine));
    tab.member = member;
    return member;
  }

  /** Notes a breach where a tab that is awake waits for an answer for too long. */
  waits({ tab, text, askedAt }: { tab: string; text: string; askedAt: number }): void {
    const asker = this.#tab(tab);
    this.#platform.rulesOf(asker).waits(asker, text, askedAt);
  }

  /** Which tab has led each epoch. */
  get leaders(): ReadonlyMap<string, string> {
    return new Map([...this.#platform.rules.values()].flatMap(({ leaders }) => [...leaders]));
  }

  get breaches(): string[] {
    return [...this.#platform.rules.values()].flatMap(({ breaches }) => breaches);
  }

  isAlive(id: string): boolean {
    return this.#platform.tabs.get(id)?.dead === false;
  }

  /** The tab is closed, of which it hears, or crashes; the browser frees its locks a little later. */
  kill(id: string): void {
    const { random, locks } = this.#platform;
    const tab = this.#tab(id);
    this.departures += 1;
    if (!tab.frozen && random() < 0.5) tab.member?.suspend();
    tab.dead = true;
    const { wordsLost } = this.#faults;
    if (wordsLost > 0 && random() < wordsLost) tab.mutedAt = this.now - this.between(0, 30);
    for (const name of locks.namesOf(tab)) this.after(this.between(0, 400), () => locks.forget(name, tab));
  }

  /** The page lets go of its engine and stays open. */
  dispose(id: string): void {
    const tab = this.#tab(id);
    tab.disposed = true;
    tab.member?.end(new VecinityError('disposed', 'This Vecinity was disposed.'));
    this.#platform.leave(tab);
  }

  isDisposed(id: string): boolean {
    return this.#tab(id).disposed;
  }

  /** The tab sleeps and hears of it before, or does not. */
  freeze(id: string): void {
    const tab = this.#tab(id);
    if (tab.frozen) return;
    tab.told = this.#platform.random() < 0.5;
    this.departures += 1;
    if (tab.told) tab.member?.suspend();
    this.#stop(tab);
  }

  /** The machine sleeps: no tab hears of it. */
  sleep(id: string): void {
    const tab = this.#tab(id);
    if (!tab.frozen) this.#stop(tab);
  }

  #stop(tab: Tab): void {
    tab.frozen = true;
    tab.frozenSince = this.now;
  }

  thaw(id: string): void {
    const tab = this.#tab(id);
    if (!tab.frozen) return;
    tab.frozen = false;
    tab.thawedAt = this.now;
    tab.awakeSince = this.now;
    if (this.now - tab.frozenSince > sleepMs) tab.wokenAt = this.now;
    if (tab.told) this.work(tab, 0, () => tab.member?.resume());
    tab.told = false;
    for (const turn of tab.backlog.splice(0)) this.#platform.time.planAgain(turn);
  }

  /** Counts a death for every text that the tab's engine worked on. */
  mourn({ atWork }: Tab): void {
    for (const { text } of atWork) this.deaths.set(text, (this.deaths.get(text) ?? 0) + 1);
    atWork.clear();
  }

  show(id: string, visible: boolean): void {
    const tab = this.#tab(id);
    if (visible && !tab.visible) tab.awakeSince = this.now;
    tab.visible = visible;
    this.work(tab, 0, () => tab.member?.visibilityChanged());
  }

  between(least: number, most: number): number {
    return this.#platform.between(least, most);
  }

  get now(): number {
    return this.#platform.time.now;
  }

  /** The user sets the clock on the wall. */
  setClock(aheadMs: number): void {
    this.#platform.clockAheadMs = aheadMs;
  }

  after(delayMs: number, work: () => void): void {
    this.#platform.time.plan(delayMs, work);
  }

  /** Runs one turn after the other until the condition holds, time is up, or nothing is left to do. */
  run(untilMs: number, isDone: () => boolean): Promise<void> {
    return this.#platform.time.run(untilMs, isDone);
  }

  /** A text goes into the engine of a tab; the result takes it out again. */
  begin(tab: Tab, text: unknown, client: string | undefined): () => void {
    this.runs.set(text, (this.runs.get(text) ?? 0) + 1);
    this.#platform.rulesOf(tab).began(tab, text, client);
    const run = { text, client };
    tab.atWork.add(run);
    return () => tab.atWork.delete(run);
  }

  /** Which tabs that live have an engine, of versions that have more than one. */
  get enginesTooMany(): string[] {
    const alive = [...this.engines.values()].filter(({ dead }) => !dead);
    const isOne = (tab: Tab) => alive.filter(({ version }) => version === tab.version).length === 1;
    return alive.filter((tab) => !isOne(tab)).map(({ id }) => id);
  }

  /** Work of an engine in a tab. */
  work(tab: Tab, delayMs: number, work: () => void): void {
    this.#platform.time.plan(delayMs, work, tab);
  }

  #tab(id: string): Tab {
    const tab = this.#platform.tabs.get(id);
    if (!tab) throw new Error(`There is no tab ${id}.`);
    return tab;
  }

  readonly #startEngine = (tab: Tab): SimulatedEngine => {
    const engine = new SimulatedEngine(this, tab, this.#faults, this.#platform.random);
    this.engines.set(engine, tab);
    return engine;
  };
}
