/** Tabs of one browser in virtual time: locks, channels, timers and engines that are slow, fail, freeze and die by a seed. */

import { abortError, VecinityError } from '../../src/errors.js';
import { type Candidacy, type Conversation, Member, type Surroundings } from '../../src/sharing/member.js';
import type { Announcement } from '../../src/sharing/messages.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../../src/wire/engine-line.js';

export type Random = () => number;

interface Turn {
  at: number;
  order: number;
  work: () => void;
}

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
  visible: boolean;
  frozen: boolean;
  dead: boolean;
  disposed: boolean;
  backlog: (() => void)[];
  member: Member | null;
}

export interface Faults {
  /** Chance that an engine dies in a run. */
  engineDies: number;
  /** Chance that a model cannot be loaded. */
  loadFails: number;
}

const model = 'model';

export class Browser {
  now = 1_000;
  /** Which tab has announced each epoch, and every breach of the rules. */
  readonly leaders = new Map<string, string>();
  readonly breaches: string[] = [];
  /** Engines' runs of each text, also those that end while the model is loading. */
  readonly runs = new Map<unknown, number>();
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #tabs = new Map<string, Tab>();
  readonly #locks = new Map<string, LockRequest[]>();
  readonly #channels = new Map<string, Set<ChannelEnd>>();
  readonly #lastDelivery = new Map<string, number>();
  #turns: Turn[] = [];
  #order = 0;

  constructor(random: Random, faults: Faults) {
    this.#random = random;
    this.#faults = faults;
  }

  /** Opens a tab that takes part. */
  open(id: string, visible: boolean): Member {
    const tab: Tab = { id, visible, frozen: false, dead: false, disposed: false, backlog: [], member: null };
    this.#tabs.set(id, tab);
    this.#request(`life:${id}`, { tab, onGranted: () => {}, onStolen: () => {} }, false);
    const member = new Member(this.#surroundingsOf(tab));
    tab.member = member;
    return member;
  }

  isAlive(id: string): boolean {
    return this.#tabs.get(id)?.dead === false;
  }

  /** The tab is gone without a word; the browser frees its locks a little later. */
  kill(id: string): void {
    const tab = this.#tab(id);
    tab.dead = true;
    for (const name of this.#locks.keys()) this.after(this.between(0, 400), () => this.#forget(name, tab));
  }

  /** The page lets go of its engine and stays open. */
  dispose(id: string): void {
    const tab = this.#tab(id);
    tab.disposed = true;
    tab.member?.end(new VecinityError('disposed', 'This Vecinity was disposed.'));
    this.#forget(`life:${id}`, tab);
  }

  isDisposed(id: string): boolean {
    return this.#tab(id).disposed;
  }

  freeze(id: string): void {
    this.#tab(id).frozen = true;
  }

  thaw(id: string): void {
    const tab = this.#tab(id);
    tab.frozen = false;
    for (const work of tab.backlog.splice(0)) this.#inTab(tab, 0, work);
  }

  show(id: string, visible: boolean): void {
    const tab = this.#tab(id);
    tab.visible = visible;
    this.#inTab(tab, 0, () => tab.member?.visibilityChanged());
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.#random() * (most - least + 1));
  }

  after(delayMs: number, work: () => void): () => void {
    const turn = { at: this.now + delayMs, order: this.#order++, work };
    const next = this.#turns.findIndex(({ at }) => at > turn.at);
    this.#turns.splice(next === -1 ? this.#turns.length : next, 0, turn);
    return () => {
      turn.work = () => {};
    };
  }

  /** Runs one turn after the other until the condition holds, time is up, or nothing is left to do. */
  async run(untilMs: number, isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      const turn = this.#turns.shift();
      if (!turn || turn.at > untilMs) return;
      this.now = turn.at;
      turn.work();
      // Everything that promises do between two turns.
      await new Promise(setImmediate);
    }
  }

  #tab(id: string): Tab {
    const tab = this.#tabs.get(id);
    if (!tab) throw new Error(`There is no tab ${id}.`);
    return tab;
  }

  /** A turn of a tab: lost when it is dead, late when it is frozen. */
  #inTab(tab: Tab, delayMs: number, work: () => void): () => void {
    let isOver = false;
    this.after(delayMs, () => {
      if (isOver || tab.dead) return;
      if (tab.frozen) tab.backlog.push(() => isOver || work());
      else work();
    });
    return () => {
      isOver = true;
    };
  }

  #surroundingsOf(tab: Tab): Surroundings {
    const life = `life:${tab.id}`;
    return {
      id: tab.id,
      isVisible: () => tab.visible,
      now: () => this.now,
      every: (periodMs, work) => this.#every(tab, periodMs, work),
      after: (delayMs, work) => this.#inTab(tab, delayMs, work),
      announce: (message) => this.#announce(tab, message),
      follow: (receive) => this.#converse(life, tab, receive),
      serve: (follower, receive) => this.#converse(`life:${follower}`, tab, receive),
      contend: (candidacy) => this.#contend(tab, candidacy),
      watch: (follower, onGone) =>
        this.#request(`life:${follower}`, { tab, onGranted: onGone, onStolen: () => {} }, false),
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

  #announce(from: Tab, message: Announcement): void {
    if (message.type === 'leader') this.#checkLeader(message);
    for (const tab of this.#tabs.values()) if (tab !== from) this.#deliver(from, tab, () => tab.member?.heed(message));
  }

  #checkLeader({ from, epoch }: { from: string; epoch: string }): void {
    const other = this.leaders.get(epoch);
    if (other !== undefined) this.breaches.push(`${from} and ${other} lead epoch ${epoch}`);
    this.leaders.set(epoch, from);
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
    if (this.leaders.get(epoch) !== tab.id) this.breaches.push(`${tab.id} serves the epoch ${epoch} of another`);
  }

  #contend(tab: Tab, { steal, onGranted, onStolen }: Candidacy): () => void {
    return this.#request('leader', { tab, onGranted, onStolen }, steal);
  }

  #request(name: string, { tab, onGranted, onStolen }: LockRequest, steal: boolean): () => void {
    let isOver = false;
    const inTab = (work: () => void) => {
      this.#inTab(tab, this.between(0, 20), () => isOver || work());
    };
    const request = { tab, onGranted: () => inTab(onGranted), onStolen: () => inTab(onStolen) };
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

  /** Work of an engine in a tab. */
  work(tab: { id: string }, delayMs: number, work: () => void): void {
    this.#inTab(this.#tab(tab.id), delayMs, work);
  }
}

function hear(end: ChannelEnd, message: unknown): void {
  if (end.isOpen) end.receive(message);
}

/** Answers a text with itself, once its model is loaded; the text `poison` kills it. */
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

  async #answer({ operation, argument }: EngineCall, { signal }: CallLife): Promise<unknown> {
    if (operation === 'load') {
      this.#loaded ??= this.#load();
      return await this.#loaded;
    }
    this.#browser.runs.set(argument, (this.#browser.runs.get(argument) ?? 0) + 1);
    if (!this.#loaded) throw new VecinityError('model_not_loaded', 'The model was not asked for.');
    await this.#loaded;
    const isDeadly = String(argument).startsWith('poison') || this.#random() < this.#faults.engineDies;
    const durationMs = this.#browser.between(1, 300);
    if (isDeadly) this.#browser.work(this.#tab, durationMs, () => this.#die());
    return await this.#wait(durationMs + (isDeadly ? 1 : 0), argument, signal);
  }

  async #load(): Promise<unknown> {
    await this.#wait(this.#browser.between(20, 400), model);
    if (this.#random() >= this.#faults.loadFails) return model;
    this.#loaded = null;
    throw new VecinityError('download_failed', 'The model could not be loaded.');
  }

  /** The worker is replaced and loads its models again, as `EngineLink` does it. */
  #die(): void {
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
