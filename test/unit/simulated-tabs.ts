/** Tabs of one browser in virtual time: locks, channels, timers and engines that are slow, fail, freeze and die by a seed. */

import { abortError, VecinityError } from '../../src/errors.js';
import { Member } from '../../src/sharing/member.js';
import type { Announcement } from '../../src/sharing/messages.js';
import type { Candidacy, Conversation, Surroundings } from '../../src/sharing/surroundings.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../../src/wire/engine-line.js';
import { VirtualTime } from './virtual-time.js';

export type Random = () => number;

interface LockRequest {
  tab: Tab;
  onGranted: () => void;
  onStolen: () => void;
}

interface ChannelEnd {
  tab: Tab;
  receive: (message: unknown) => void;
  isOpen: boolean;
}

interface Tab {
  id: string;
  /** Its name among the others, who do not know it while it sleeps. */
  presence: string | null;
  /** How often it was woken. */
  wakes: number;
  visible: boolean;
  frozen: boolean;
  /** It was told beforehand that it would be frozen. */
  told: boolean;
  /** When it woke last, or was shown. */
  awakeSince: number;
  /** When it offered its lead last, to tabs that are seen. */
  offeredAt: number;
  dead: boolean;
  disposed: boolean;
  backlog: (() => void)[];
  member: Member | null;
  /** Runs of its engines; two of them may be of the same text. */
  readonly atWork: Set<{ text: unknown }>;
}

export interface Faults {
  /** Chance that an engine dies in a run. */
  engineDies: number;
  /** Chance that a model cannot be loaded. */
  loadFails: number;
  /** Default 300. */
  longestRunMs?: number;
}

const model = 'model';

/** Longer than any word in this browser is on its way. */
const graceMs = 200;
/** An offer of the lead can be accepted for so long, also when the one that made it is seen again by then. */
const offerMs = 1_000;

export class Browser {
  readonly time = new VirtualTime(1_000);
  /** Which tab has announced each epoch, and every breach of the rules. */
  readonly leaders = new Map<string, string>();
  readonly breaches: string[] = [];
  /** Engines' runs of each text, also those that end while the model is loading. */
  readonly runs = new Map<unknown, number>();
  readonly unloads: unknown[] = [];
  /** Engines that died while they worked on a text. */
  readonly deaths = new Map<unknown, number>();
  /** Tabs that went or fell asleep. */
  departures = 0;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #tabs = new Map<string, Tab>();
  readonly #locks = new Map<string, LockRequest[]>();
  readonly #channels = new Map<string, Set<ChannelEnd>>();
  /** When the leader's lock changed hands last. */
  #grantedAt = 0;
  readonly #lastDelivery = new Map<string, number>();
  #newest = { epoch: '', at: 0 };

  constructor(random: Random, faults: Faults) {
    this.#random = random;
    this.#faults = faults;
  }

  /** Opens a tab that takes part. */
  open(id: string, visible: boolean): Member {
    const tab: Tab = {
      ...{ id, presence: id, wakes: 0, visible, frozen: false, told: false, awakeSince: this.now },
      ...{ offeredAt: -offerMs, dead: false, disposed: false, backlog: [], member: null, atWork: new Set() },
    };
    this.#tabs.set(id, tab);
    this.#request(`life:${id}`, { tab, onGranted: () => {}, onStolen: () => {} }, false);
    const member = new Member(this.#surroundingsOf(tab));
    tab.member = member;
    return member;
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
    for (const name of this.#locks.keys()) this.after(this.between(0, 400), () => this.#forget(name, tab));
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
    tab.frozen = true;
  }

  /** The machine sleeps: no tab hears of it. */
  sleep(id: string): void {
    this.#tab(id).frozen = true;
  }

  thaw(id: string): void {
    const tab = this.#tab(id);
    if (!tab.frozen) return;
    tab.frozen = false;
    tab.awakeSince = this.now;
    if (tab.told) this.#inTab(tab, 0, () => tab.member?.resume());
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
      now: () => this.now,
      every: (periodMs, work) => this.#every(tab, periodMs, work),
      after: (delayMs, work) => this.#inTab(tab, delayMs, work),
      announce: (message) => this.#announce(tab, message),
      follow: (receive) => this.#converse(`life:${tab.presence}`, tab, receive),
      serve: (follower, receive) => this.#converse(`life:${follower}`, tab, receive),
      contend: (candidacy) => this.#contend(tab, candidacy),
      holder: () => this.#holder(tab),
      watch: (follower, onGone) =>
        this.#request(`life:${follower}`, { tab, onGranted: onGone, onStolen: () => {} }, false),
      sleep: () => this.#leave(tab),
      wake: () => this.#wake(tab),
      startEngine: () => new SimulatedEngine(this, tab, this.#faults, this.#random),
    };
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
    if (tab.presence !== null) this.#forget(`life:${tab.presence}`, tab);
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
      this.#request(`life:${presence}`, { tab, onGranted, onStolen: () => {} }, false);
    });
  }

  #announce(from: Tab, message: Announcement): void {
    if (from.presence === null) return;
    if (message.type === 'leader') this.#checkLeader(message);
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

  #checkLeader({ from, epoch }: { from: string; epoch: string }): void {
    const other = this.leaders.get(epoch);
    if (other !== undefined) this.breaches.push(`${from} and ${other} lead epoch ${epoch}`);
    this.leaders.set(epoch, from);
    this.#newest = { epoch, at: this.now };
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
        if (message.type === 'takeover') tab.offeredAt = this.now;
        if (message.type === 'accepted') this.#checkServer(tab, message.epoch);
        for (const other of ends) if (other !== end) this.#deliver(tab, other.tab, () => hear(other, message));
      },
      close: () => {
        end.isOpen = false;
        ends.delete(end);
      },
    };
  }

  #checkServer(tab: Tab, epoch: string): void {
    if (this.leaders.get(epoch) !== tab.presence) this.breaches.push(`${tab.id} serves the epoch ${epoch} of another`);
    const isOld = epoch !== this.#newest.epoch && this.now - Math.max(this.#newest.at, tab.awakeSince) > graceMs;
    if (isOld) this.breaches.push(`${tab.id} still serves ${epoch} although ${this.#newest.epoch} has begun`);
  }

  #contend(tab: Tab, { steal, onGranted, onStolen }: Candidacy): () => void {
    if (steal) this.#checkThief(tab);
    return this.#request('leader', { tab, onGranted, onStolen }, steal);
  }

  /** A leader that the user sees and that is awake keeps its lock. */
  #checkThief(thief: Tab): void {
    const holder = this.#locks.get('leader')?.[0]?.tab;
    if (!holder || holder.dead || holder.frozen || !holder.visible || this.now - holder.offeredAt < offerMs) return;
    if (this.now - Math.max(holder.awakeSince, this.#grantedAt) > graceMs)
      this.breaches.push(`${thief.id} robs ${holder.id}, which is awake`);
  }

  #holder(tab: Tab): Promise<string | null> {
    return new Promise((resolve) => {
      this.#inTab(tab, this.between(0, 20), () => resolve(this.#locks.get('leader')?.[0]?.tab.id ?? null));
    });
  }

  #request(name: string, { tab, onGranted, onStolen }: LockRequest, steal: boolean): () => void {
    let isOver = false;
    const grant = () => {
      if (name === 'leader') this.#grantedAt = this.now;
      inTab(onGranted);
    };
    const inTab = (work: () => void) => {
      this.#inTab(tab, this.between(0, 20), () => isOver || work());
    };
    const request = { tab, onGranted: grant, onStolen: () => inTab(onStolen) };
    const queue = this.#locks.get(name) ?? [];
    this.#locks.set(name, queue);
    if (steal) queue.splice(0, 1, request)[0]?.onStolen();
    else queue.push(request);
    if (queue[0] === request) request.onGranted();
    return () => {
      isOver = true;
      this.#release(name, request);
    };
  }

  #forget(name: string, tab: Tab): void {
    for (const request of [...(this.#locks.get(name) ?? [])]) if (request.tab === tab) this.#release(name, request);
  }

  #release(name: string, request: LockRequest): void {
    const queue = this.#locks.get(name) ?? [];
    const at = queue.indexOf(request);
    if (at === -1) return;
    queue.splice(at, 1);
    if (at === 0) queue[0]?.onGranted();
  }

  /** A text goes into the engine of a tab; the result takes it out again. */
  begin(tab: { id: string }, text: unknown, client: string | undefined): () => void {
    if (!String(text).startsWith(`${client?.split('~')[0]} `))
      this.breaches.push(`${text} runs in the name of ${client}`);
    this.runs.set(text, (this.runs.get(text) ?? 0) + 1);
    const { atWork } = this.#tab(tab.id);
    const run = { text };
    atWork.add(run);
    return () => atWork.delete(run);
  }

  /** Work of an engine in a tab. */
  work(tab: { id: string }, delayMs: number, work: () => void): void {
    this.#inTab(this.#tab(tab.id), delayMs, work);
  }
}

function hear(end: ChannelEnd, message: unknown): void {
  if (end.isOpen) end.receive(message);
}

/** Answers a text with itself, once its model is loaded; a text with `poison` in it kills it. */
class SimulatedEngine implements EngineLine {
  readonly #browser: Browser;
  readonly #tab: { id: string };
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #running = new Set<(error: VecinityError) => void>();
  #loaded: Promise<unknown> | null = null;
  #disposed = false;

  constructor(browser: Browser, tab: { id: string }, faults: Faults, random: Random) {
    this.#browser = browser;
    this.#tab = tab;
    this.#faults = faults;
    this.#random = random;
  }

  async run<O extends Operation>(call: EngineCall<O>, life: CallLife = {}): Promise<EngineResult<O>> {
    if (this.#disposed) throw new VecinityError('disposed', 'The engine was disposed.');
    // The simulation gives back whatever was asked.
    return (await this.#answer(call as EngineCall, life)) as EngineResult<O>;
  }

  async connect(): Promise<void> {}

  dispose(): void {
    this.#disposed = true;
    this.#end(new VecinityError('disposed', 'The engine was disposed.'));
  }

  async #answer({ operation, argument }: EngineCall, { signal, client }: CallLife): Promise<unknown> {
    if (operation === 'load') {
      this.#loaded ??= this.#load();
      return await this.#loaded;
    }
    if (operation === 'unload') return this.#browser.unloads.push(argument);
    const leave = this.#browser.begin(this.#tab, argument, client);
    try {
      if (!this.#loaded) throw new VecinityError('model_not_loaded', 'The model was not asked for.');
      await this.#loaded;
      return await this.#compute(argument, signal);
    } finally {
      leave();
    }
  }

  async #compute(text: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const isDeadly = String(text).includes('poison') || this.#random() < this.#faults.engineDies;
    const durationMs = this.#browser.between(1, this.#faults.longestRunMs ?? 300);
    if (isDeadly) this.#browser.work(this.#tab, durationMs, () => this.#die());
    return await this.#wait(durationMs + (isDeadly ? 1 : 0), text, signal);
  }

  async #load(): Promise<unknown> {
    try {
      await this.#wait(this.#browser.between(20, 400), model);
      if (this.#random() >= this.#faults.loadFails) return model;
      throw new VecinityError('download_failed', 'The model could not be loaded.');
    } catch (error) {
      this.#loaded = null;
      throw error;
    }
  }

  /** The worker is replaced and loads its models again, as `EngineLink` does it. */
  #die(): void {
    if (!this.#disposed) this.#browser.mourn(this.#tab);
    this.#end(new VecinityError('worker_died', 'The engine worker died.'));
  }

  #end(error: VecinityError): void {
    for (const reject of [...this.#running]) reject(error);
    this.#running.clear();
  }

  #wait(delayMs: number, value: unknown, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#running.add(reject);
      signal?.addEventListener('abort', () => reject(abortError(signal)));
      this.#browser.work(this.#tab, delayMs, () => {
        this.#running.delete(reject);
        resolve(value);
      });
    });
  }
}
