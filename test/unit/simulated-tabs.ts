/** Tabs of one browser in virtual time: locks, channels and timers that are late, freeze and die by a seed. */

import { VecinityError } from '../../src/errors.js';
import { Member } from '../../src/sharing/member.js';
import type { Announcement } from '../../src/sharing/messages.js';
import type { Candidacy, Conversation, Surroundings } from '../../src/sharing/surroundings.js';
import { type Faults, type Random, SimulatedEngine } from './simulated-engine.js';
import { SimulatedLocks } from './simulated-locks.js';
import { latestWordMs, sleepMs, type Tab, TabRules } from './tab-rules.js';
import { VirtualTime } from './virtual-time.js';

interface ChannelEnd {
  tab: Tab;
  receive: (message: unknown) => void;
  isOpen: boolean;
}

export class Browser {
  readonly time = new VirtualTime(1_000);
  /** Engines' runs of each text, also those that end while the model is loading. */
  readonly runs = new Map<unknown, number>();
  readonly unloads: unknown[] = [];
  /** Engines that died while they worked on a text. */
  readonly deaths = new Map<unknown, number>();
  /** Tabs that went or fell asleep. */
  departures = 0;
  /** Engines that were not disposed of, by their tab. */
  readonly engines = new Map<object, string>();
  /** What the clock on the wall is ahead; the user sets it. */
  clockAheadMs = 3_600_000;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #tabs = new Map<string, Tab>();
  readonly #locks = new SimulatedLocks<Tab>();
  readonly #rules = new TabRules({ now: () => this.now, holder: () => this.#locks.holderOf('leader') });
  readonly #channels = new Map<string, Set<ChannelEnd>>();
  readonly #lastDelivery = new Map<string, number>();

  constructor(random: Random, faults: Faults) {
    this.#random = random;
    this.#faults = faults;
  }

  /** Opens a tab that takes part. */
  open(id: string, visible: boolean): Member {
    const tab: Tab = {
      ...{ id, presence: id, wakes: 0, visible, frozen: false, told: false },
      ...{
        frozenSince: 0,
        wokenAt: 0,
        robbedAt: 0,
        announcedAt: 0,
        awakeSince: this.now,
        dead: false,
        disposed: false,
        backlog: [],
        member: null,
        atWork: new Set(),
      },
    };
    this.#tabs.set(id, tab);
    this.#request(tab, `life:${id}`, () => {});
    const member = new Member(this.#surroundingsOf(tab));
    tab.member = member;
    return member;
  }

  /** Which tab has led each epoch. */
  get leaders(): ReadonlyMap<string, string> {
    return this.#rules.leaders;
  }

  get breaches(): string[] {
    return this.#rules.breaches;
  }

  isAlive(id: string): boolean {
    return this.#tabs.get(id)?.dead === false;
  }

  /** The tab is closed, of which it hears, or crashes; the browser frees its locks a little later. */
  kill(id: string): void {
    const tab = this.#tab(id);
    this.departures += 1;
    if (!tab.frozen && this.#random() < 0.5) tab.member?.suspend();

    tab.dead = true;
    for (const name of this.#locks.names) this.after(this.between(0, 400), () => this.#locks.forget(name, tab));
  }

  /** The page lets go of its engine and stays open. */
  dispose(id: string): void {
    const tab = this.#tab(id);
    tab.disposed = true;
    tab.member?.end(new VecinityError('disposed', 'This Vecinity was disposed.'));
    this.#leave(tab);
  }

  isDisposed(id: string): boolean {
    return this.#tab(id).disposed;
  }

  /** The tab sleeps and hears of it before, or does not. */
  freeze(id: string): void {
    const tab = this.#tab(id);
    if (tab.frozen) return;
    tab.told = this.#random() < 0.5;
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
    tab.awakeSince = this.now;
    if (this.now - tab.frozenSince > sleepMs) tab.wokenAt = this.now;
    if (tab.told) this.#inTab(tab, 0, () => tab.member?.resume());
    tab.told = false;
    for (const work of tab.backlog.splice(0)) this.#inTab(tab, 0, work);
  }

  /** Counts a death for every text that the tab's engine worked on. */
  mourn(tab: { id: string }): void {
    const { atWork } = this.#tab(tab.id);
    for (const { text } of atWork) this.deaths.set(text, (this.deaths.get(text) ?? 0) + 1);
    atWork.clear();
  }

  show(id: string, visible: boolean): void {
    const tab = this.#tab(id);
    if (visible && !tab.visible) tab.awakeSince = this.now;
    tab.visible = visible;
    this.#inTab(tab, 0, () => tab.member?.visibilityChanged());
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  get now(): number {
    return this.time.now;
  }

  after(delayMs: number, work: () => void): () => void {
    return this.time.after(delayMs, work);
  }

  /** Runs one turn after the other until the condition holds, time is up, or nothing is left to do. */
  async run(untilMs: number, isDone: () => boolean): Promise<void> {
    await this.time.run(untilMs, isDone);
  }

  #tab(id: string): Tab {
    const tab = this.#tabs.get(id);
    if (!tab) throw new Error(`There is no tab ${id}.`);
    return tab;
  }

  /** A turn of a tab: lost when it is dead, late when it is frozen. */
  #inTab(tab: Tab, delayMs: number, work: () => void): () => void {
    let isOver = false;
    const callOff = this.after(delayMs, () => {
      if (tab.dead) return;
      if (tab.frozen) tab.backlog.push(() => isOver || work());
      else work();
    });
    return () => {
      isOver = true;
      callOff();
    };
  }

  #surroundingsOf(tab: Tab): Surroundings {
    return {
      get id() {
        return tab.presence ?? '';
      },
      isVisible: () => tab.visible,
      now: () => this.now + this.clockAheadMs,
      elapsed: () => this.now,
      every: (periodMs, work) => this.#every(tab, periodMs, work),
      after: (delayMs, work) => this.#inTab(tab, delayMs, work),
      announce: (message) => this.#announce(tab, message),
      follow: (receive) => this.#converse(`life:${tab.presence}`, tab, receive),
      serve: (follower, receive) => this.#converse(`life:${follower}`, tab, receive),
      contend: (candidacy) => this.#contend(tab, candidacy),
      holder: () => this.#holder(tab),
      watch: (follower, onGone) => this.#request(tab, `life:${follower}`, onGone),
      sleep: () => this.#leave(tab),
      wake: () => this.#wake(tab),
      startEngine: () => this.#startEngine(tab),
    };
  }

  #startEngine(tab: Tab): SimulatedEngine {
    const engine = new SimulatedEngine(this, tab, this.#faults, this.#random);
    this.engines.set(engine, tab.id);
    return engine;
  }

  #every(tab: Tab, periodMs: number, work: () => void): () => void {
    let stop = () => {};
    const next = () => {
      stop = this.#inTab(tab, periodMs, () => {
        next();
        work();
      });
    };
    next();
    return () => stop();
  }

  #leave(tab: Tab): void {
    if (tab.presence !== null) this.#locks.forget(`life:${tab.presence}`, tab);
    tab.presence = null;
  }

  #wake(tab: Tab): Promise<void> {
    tab.wakes += 1;
    const presence = `${tab.id}~${tab.wakes}`;
    return new Promise((resolve) => {
      const onGranted = () => {
        tab.presence = presence;
        resolve();
      };
      this.#request(tab, `life:${presence}`, onGranted);
    });
  }

  #announce(from: Tab, message: Announcement): void {
    if (from.presence === null) return;
    if (message.type === 'leader') this.#rules.announced(from, message.epoch);
    for (const tab of this.#tabs.values()) if (tab !== from) this.#tell(from, tab, message);
  }

  /** Who sleeps, or slept in the meantime, does not hear of it. */
  #tell(from: Tab, to: Tab, message: Announcement): void {
    const { presence } = to;
    if (presence === null) return;
    this.#deliver(from, to, () => {
      if (to.presence === presence) to.member?.heed(message);
    });
  }

  /** Messages of one tab to another keep their order. */
  #deliver(from: Tab, to: Tab, work: () => void): void {
    const pair = `${from.id} ${to.id}`;
    const at = Math.max(this.now + this.between(0, 30), this.#lastDelivery.get(pair) ?? 0);
    this.#lastDelivery.set(pair, at);
    this.#inTab(to, at - this.now, work);
  }

  #converse<Received, Sent extends { type: string; epoch: string }>(
    name: string,
    tab: Tab,
    receive: (message: Received) => void,
  ): Conversation<Sent> {
    // Both ends agree on the types of their messages, which a channel does not know.
    const end: ChannelEnd = { tab, receive: receive as (message: unknown) => void, isOpen: true };
    const ends = this.#channels.get(name) ?? new Set();
    this.#channels.set(name, ends.add(end));
    return {
      send: (message) => {
        if (tab.dead || !end.isOpen) return;
        if (message.type === 'takeover') this.#rules.offered(tab);
        if (message.type === 'accepted') this.#rules.served(tab, message.epoch);
        for (const other of ends) if (other !== end) this.#deliver(tab, other.tab, () => hear(other, message));
      },
      close: () => {
        end.isOpen = false;
        ends.delete(end);
      },
    };
  }

  #contend(tab: Tab, { steal, onGranted, onStolen }: Candidacy): () => void {
    if (steal) this.#rules.robbed(tab);
    let isOver = false;
    const tell = (work: () => void) => this.#inTab(tab, this.between(0, 20), () => isOver || work());
    const request = {
      owner: tab,
      onGranted: () => {
        this.#rules.grantedAt = this.now;
        tell(onGranted);
      },
      onStolen: () => {
        tab.robbedAt = this.now;
        this.#inTab(tab, this.between(0, latestWordMs), () => isOver || onStolen());
      },
    };
    const release = this.#locks.request('leader', request, steal);
    return () => {
      isOver = true;
      release();
    };
  }

  #holder(tab: Tab): Promise<string | null> {
    return new Promise((resolve) => {
      this.#inTab(tab, this.between(0, 20), () => resolve(this.#locks.holderOf('leader')?.id ?? null));
    });
  }

  /** A lock that nobody steals. */
  #request(tab: Tab, name: string, onGranted: () => void): () => void {
    let isOver = false;
    const tell = () => void this.#inTab(tab, this.between(0, 20), () => isOver || onGranted());
    const release = this.#locks.request(name, { owner: tab, onGranted: tell, onStolen: () => {} });
    return () => {
      isOver = true;
      release();
    };
  }

  /** A text goes into the engine of a tab; the result takes it out again. */
  begin(tab: { id: string }, text: unknown, client: string | undefined): () => void {
    this.runs.set(text, (this.runs.get(text) ?? 0) + 1);
    this.#rules.began(this.#tab(tab.id), text, client);
    const { atWork } = this.#tab(tab.id);
    const run = { text, client };
    atWork.add(run);
    return () => atWork.delete(run);
  }

  /** Which tabs that live have an engine. */
  get enginesAlive(): string[] {
    return [...this.engines.values()].filter((tab) => this.isAlive(tab));
  }

  /** Work of an engine in a tab. */
  work(tab: { id: string }, delayMs: number, work: () => void): void {
    this.#inTab(this.#tab(tab.id), delayMs, work);
  }
}

function hear(end: ChannelEnd, message: unknown): void {
  if (end.isOpen) end.receive(message);
}
