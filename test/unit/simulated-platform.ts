/** What tabs of one origin have of their browser, in virtual time: locks, channels and timers that are late by a seed. */
import type { Announcement, ToFollower, ToLeader } from '../../src/sharing/messages.js';
import type { Candidacy, Conversation, Surroundings } from '../../src/sharing/surroundings.js';
import type { EngineLine } from '../../src/wire/engine-line.js';
import { SimulatedLocks } from './simulated-locks.js';
import type { Tab } from './simulated-tab.js';
import { latestWordMs, TabRules } from './tab-rules.js';
import { type Turn, VirtualTime } from './virtual-time.js';

export type Random = () => number;

interface ChannelEnd {
  tab: Tab;
  receive: (message: unknown) => void;
  isOpen: boolean;
}

/** The name of the lock for which tabs of a version contend. */
function leaderOf(version: number): string {
  return `leader:${version}`;
}

/** What all tabs have in common. */
export class Platform {
  readonly time = new VirtualTime(1_000);
  /** What the clock on the wall is ahead; the user sets it. */
  clockAheadMs = 3_600_000;
  readonly tabs = new Map<string, Tab>();
  readonly locks = new SimulatedLocks<Tab>();
  readonly channels = new Map<string, Set<ChannelEnd>>();
  /** By version: each has a leader of its own. */
  readonly rules = new Map<number, TabRules>();
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  rulesOf({ version }: Tab): TabRules {
    const holder = () => this.locks.holderOf(leaderOf(version));
    const rules = this.rules.get(version) ?? new TabRules({ now: () => this.time.now, holder });
    this.rules.set(version, rules);
    return rules;
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.random() * (most - least + 1));
  }

  /** A lock that nobody steals, for a tab that is told a little later; the result gives it, or the wait for it, up. */
  request(tab: Tab, name: string, onGranted: () => void): () => void {
    let isOver = false;
    const tell = () => void this.time.plan(this.between(0, 20), () => isOver || onGranted(), tab);
    const release = this.locks.request(name, { owner: tab, onGranted: tell, onStolen: () => {} });
    return () => {
      isOver = true;
      release();
    };
  }

  /** Takes a tab's name away, by which the others know that it is there. */
  leave(tab: Tab): void {
    if (tab.presence !== null) this.locks.forget(`life:${tab.presence}`, tab);
    tab.presence = null;
  }

  /** Messages of one tab to another keep their order; the last ones of a tab that dies may be lost. */
  deliver(from: Tab, to: Tab, work: () => void): void {
    const { now } = this.time;
    const at = Math.max(this.time.now + this.between(0, 30), from.arrivals.get(to) ?? 0);
    from.arrivals.set(to, at);
    this.time.plan(at - now, () => now < from.mutedAt && work(), to);
  }
}

/** The same as one tab sees it. A class: an object literal with a getter has a hidden class of its own each time. */
export class TabSurroundings implements Surroundings {
  readonly #platform: Platform;
  readonly #tab: Tab;
  readonly #startEngine: (tab: Tab) => EngineLine;

  constructor(platform: Platform, tab: Tab, startEngine: (tab: Tab) => EngineLine) {
    this.#platform = platform;
    this.#tab = tab;
    this.#startEngine = startEngine;
  }

  get id(): string {
    return this.#tab.presence ?? '';
  }

  isVisible(): boolean {
    return this.#tab.visible;
  }

  now(): number {
    return this.elapsed() + this.#platform.clockAheadMs;
  }

  elapsed(): number {
    return this.#platform.time.now;
  }

  every(periodMs: number, work: () => void): () => void {
    let turn: Turn;
    const next = () => {
      turn = this.#plan(periodMs, again);
    };
    const again = () => {
      next();
      work();
    };
    next();
    return () => {
      turn.work = null;
    };
  }

  after(delayMs: number, work: () => void): () => void {
    const turn = this.#plan(delayMs, work);
    return () => {
      turn.work = null;
    };
  }

  announce(message: Announcement): void {
    const tab = this.#tab;
    if (tab.presence === null) return;
    if (message.type === 'leader') this.#rules.announced(tab, message.epoch);
    for (const other of this.#platform.tabs.values())
      if (other !== tab && other.version === tab.version) this.#tell(other, message);
  }

  follow(receive: (message: ToFollower) => void): Conversation<ToLeader> {
    return this.#converse(`life:${this.id}`, receive);
  }

  serve(follower: string, receive: (message: ToLeader) => void): Conversation<ToFollower> {
    return this.#converse(`life:${follower}`, receive);
  }

  contend({ steal, onGranted, onStolen }: Candidacy): () => void {
    const { locks, time } = this.#platform;
    const tab = this.#tab;
    const rules = this.#rules;
    if (steal) rules.robbed(tab);
    let isOver = false;
    const tell = (latestMs: number, work: () => void) =>
      this.#plan(this.#platform.between(0, latestMs), () => isOver || work());
    const request = {
      owner: tab,
      onGranted: () => {
        rules.grantedAt = time.now;
        tell(20, onGranted);
      },
      onStolen: () => {
        tab.robbedAt = time.now;
        tell(latestWordMs, onStolen);
      },
    };
    const release = locks.request(leaderOf(tab.version), request, steal);
    return () => {
      isOver = true;
      release();
    };
  }

  holder(): Promise<string | null> {
    const { locks } = this.#platform;
    return new Promise((resolve) => {
      this.#plan(this.#platform.between(0, 20), () => resolve(locks.holderOf(leaderOf(this.#tab.version))?.id ?? null));
    });
  }

  watch(follower: string, onGone: () => void): () => void {
    return this.#platform.request(this.#tab, `life:${follower}`, onGone);
  }

  sleep(): void {
    this.#platform.leave(this.#tab);
  }

  wake(): Promise<void> {
    const tab = this.#tab;
    tab.wakes += 1;
    const presence = `${tab.id}~${tab.wakes}`;
    return new Promise((resolve) => {
      const onGranted = () => {
        tab.presence = presence;
        resolve();
      };
      this.#platform.request(tab, `life:${presence}`, onGranted);
    });
  }

  startEngine(): EngineLine {
    return this.#startEngine(this.#tab);
  }

  get #rules(): TabRules {
    return this.#platform.rulesOf(this.#tab);
  }

  #plan(delayMs: number, work: () => void): Turn {
    return this.#platform.time.plan(delayMs, work, this.#tab);
  }

  /** Who sleeps, or slept in the meantime, does not hear of it. */
  #tell(to: Tab, message: Announcement): void {
    const { presence } = to;
    if (presence === null || to.dead) return;
    this.#platform.deliver(this.#tab, to, () => {
      if (to.presence === presence) to.member?.heed(message);
    });
  }

  #converse<Received, Sent extends { type: string; epoch: string }>(
    name: string,
    receive: (message: Received) => void,
  ): Conversation<Sent> {
    const { channels } = this.#platform;
    // Both ends agree on the types of their messages, which a channel does not know.
    const end: ChannelEnd = { tab: this.#tab, receive: receive as (message: unknown) => void, isOpen: true };
    const ends = channels.get(name) ?? new Set();
    channels.set(name, ends.add(end));
    return {
      send: (message) => this.#post(message, end, ends),
      close: () => {
        end.isOpen = false;
        ends.delete(end);
      },
    };
  }

  #post(message: { type: string; epoch: string }, end: ChannelEnd, ends: Set<ChannelEnd>): void {
    const tab = this.#tab;
    if (tab.dead || !end.isOpen) return;
    if (message.type === 'takeover') this.#rules.offered(tab);
    if (message.type === 'accepted') this.#rules.served(tab, message.epoch);
    for (const other of ends)
      if (other !== end) this.#platform.deliver(tab, other.tab, () => other.isOpen && other.receive(message));
  }
}
