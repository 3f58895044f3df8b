/** The soak itself: seats with a tab in each that asks without end, faults by chance, and a look at the end that all works. */
import { setMaxListeners } from 'node:events';
import type { Page } from '@playwright/test';
import type { Fault, Stage } from './faults.js';
import type { Ask, SoakSetup } from './page/subject.js';
import { Random } from './random.js';
import { type Hearing, Tab } from './tab.js';
import type { Outcome, Tally } from './tally.js';
import { judgeFailure, type Workload } from './workload.js';

/** What takes longer counts as lost; the Service Worker itself gives up after 240 s. */
const limitMs = 180_000;
/** After the last fault, everything has to work again within this time. */
const recoveryMs = 60_000;
const askersPerTab = 2;
/** A client of HTTP sends a request again whose connection broke; `openai` does it twice. */
const repeats = 2;
const pauses = { afterAnswer: 500, afterRefusal: 1_000, mostBetweenFaults: 2_500 } as const;

export interface SoakParts {
  stage: Omit<Stage, 'last' | 'serviceWorkerStops' | 'random'>;
  faults: Readonly<Record<string, Fault>>;
  setup: SoakSetup;
  workload: Workload;
  tally: Tally;
  seed: number;
  tabs: number;
  /** Told of what must not happen, as it happens. */
  complain(sentence: string): void;
}

export class Soak {
  readonly #parts: SoakParts;
  readonly #over = new AbortController();
  readonly #calm = new AbortController();
  readonly #tabs = new Set<Tab>();
  readonly #undoing = new Set<Promise<unknown>>();
  #stops = 0;
  /** The latest faults with their seconds, for a complaint. */
  #latest: string[] = [];
  readonly #startMs = Date.now();

  constructor(parts: SoakParts) {
    this.#parts = parts;
    // Every pause listens; Node takes more than ten for a leak.
    setMaxListeners(0, this.#over.signal, this.#calm.signal);
  }

  /** Sends requests for so long, then waits for every answer. Rejects only when the soak or the browser is at fault. */
  async run(durationMs: number): Promise<void> {
    const seats = Promise.all(Array.from({ length: this.#parts.tabs }, (_, seat) => this.#occupy(seat)));
    const striking = this.#strike();
    await Promise.race([pause(durationMs, this.#over.signal), seats]);
    this.#calm.abort();
    await striking;
    await Promise.all(this.#undoing);
    this.#over.abort();
    await seats;
  }

  /** One tab after the other; at the end the last one has to answer. */
  async #occupy(seat: number): Promise<void> {
    const random = new Random(this.#parts.seed + 1_000 * (seat + 1));
    let left: Page | null = null;
    for (;;) {
      const isLast = this.#over.signal.aborted;
      const tab: Tab = await this.#visit(left);
      const isOpen = await this.#open(tab);
      if (!isOpen && isLast) return;
      if (isOpen) {
        this.#tabs.add(tab);
        const askers = Array.from({ length: askersPerTab }, () =>
          this.#askOn(tab, new Random(random.next() * 2 ** 32)),
        );
        await Promise.all(askers);
        this.#tabs.delete(tab);
      }
      if (isOpen && !tab.isGone && this.#over.signal.aborted) return await this.#askAtEnd(tab, random);
      left = tab.page.isClosed() ? null : tab.page;
      if (!tab.isGone) await pause(pauses.afterRefusal, this.#over.signal);
    }
  }

  /** A fault of the network or the tab may hit the visit itself; then it is tried again. */
  async #visit(left: Page | null): Promise<Tab> {
    const { context, origin } = this.#parts.stage;
    return await Tab.visit(context, origin, left).catch(() => Tab.visit(context, origin, null));
  }

  async #open(tab: Tab): Promise<boolean> {
    const isCalm = this.#over.signal.aborted;
    const outcome = toOutcome(await tab.open(this.#parts.setup, limitMs), (reply) =>
      'code' in reply ? judgeFailure(reply, 'open') : { type: 'answered' },
    );
    this.#record('open', isCalm ? lostIfRefused(outcome) : outcome);
    return outcome.type === 'answered';
  }

  async #askOn(tab: Tab, random: Random): Promise<void> {
    while (!tab.isGone && !this.#over.signal.aborted) {
      const ask = this.#parts.workload.next(random);
      const outcome = await this.#ask(tab, ask);
      this.#record(ask.kind, outcome);
      await pause(random.between(0, pauses.afterAnswer), this.#over.signal);
    }
  }

  async #ask(tab: Tab, ask: Ask): Promise<Outcome> {
    for (let repeat = 0; ; repeat += 1) {
      const stops = this.#stops;
      const hearing = await tab.ask(ask, limitMs);
      const isBroken = typeof hearing === 'object' && 'name' in hearing && hearing.name === 'TypeError';
      if (!isBroken || stops === this.#stops || repeat === repeats) {
        return toOutcome(hearing, (reply) => this.#parts.workload.judge(ask, reply));
      }
      this.#parts.tally.repeated();
    }
  }

  /** Nothing disturbs any more: now a refusal is as bad as a loss. */
  async #askAtEnd(tab: Tab, random: Random): Promise<void> {
    const deadline = Date.now() + recoveryMs;
    for (const kind of ['embed', 'fetch', 'rerank'] as const) {
      const ask = this.#nextOf(kind, random);
      let outcome = await this.#ask(tab, ask);
      while (outcome.type === 'refused' && Date.now() < deadline) {
        await pause(pauses.afterRefusal);
        outcome = await this.#ask(tab, ask);
      }
      this.#record(kind, lostIfRefused(outcome));
    }
    await tab.page.close();
  }

  #nextOf(kind: Ask['kind'], random: Random): Ask {
    let ask = this.#parts.workload.next(random);
    while (ask.kind !== kind) ask = this.#parts.workload.next(random);
    return ask;
  }

  async #strike(): Promise<void> {
    const random = new Random(this.#parts.seed);
    const kinds = Object.keys(this.#parts.faults);
    const stage: Stage = {
      ...this.#parts.stage,
      random,
      last: (durationMs, undo) => this.#last(durationMs, undo),
      serviceWorkerStops: () => {
        this.#stops += 1;
      },
    };
    while (!this.#calm.signal.aborted) {
      await pause(random.between(0, pauses.mostBetweenFaults), this.#calm.signal);
      const tabs = [...this.#tabs].filter((tab) => !tab.isGone);
      if (tabs.length === 0 || this.#calm.signal.aborted) continue;
      const kind = random.pick(kinds);
      const struck = await this.#strikeOnce(kind, random.pick(tabs), stage);
      if (!struck) continue;
      this.#parts.tally.fault(kind);
      this.#latest = [...this.#latest.slice(-7), `${kind} ${this.#seconds}`];
    }
  }

  /** A frozen or stuck tab cannot be struck again by what needs its page; that is given up after a moment. */
  async #strikeOnce(kind: string, tab: Tab, stage: Stage): Promise<boolean> {
    const struck = this.#parts.faults[kind]?.(tab, stage).catch(() => false);
    return await Promise.race([struck ?? false, pause(10_000, this.#calm.signal).then(() => tab.isGone)]);
  }

  #last(durationMs: number, undo: () => Promise<unknown>): void {
    // What cannot be undone in a tab that is gone needs no undoing.
    const undone = pause(durationMs, this.#calm.signal).then(() => undo().catch(() => {}));
    this.#undoing.add(undone);
    void undone.then(() => this.#undoing.delete(undone));
  }

  get #seconds(): number {
    return Math.round((Date.now() - this.#startMs) / 1_000);
  }

  #record(kind: string, outcome: Outcome): void {
    this.#parts.tally.record(kind, outcome);
    if (outcome.type === 'lost' || outcome.type === 'wrong') {
      this.#parts.complain(
        `${this.#seconds} s: ${kind} ${outcome.type}: ${outcome.detail} (after ${this.#latest.join(', ')})`,
      );
    }
  }
}

function toOutcome(hearing: Hearing, judge: (reply: Exclude<Hearing, string>) => Outcome): Outcome {
  if (hearing === 'gone') return { type: 'dropped' };
  if (hearing === 'silent') return { type: 'lost', detail: `no answer in ${limitMs / 1_000} s` };
  return judge(hearing);
}

/** For requests that nothing disturbed. */
function lostIfRefused(outcome: Outcome): Outcome {
  return outcome.type === 'refused' ? { type: 'lost', detail: `still ${outcome.code} when all was calm` } : outcome;
}

/** Ends early when the signal fires. */
function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, durationMs);
    signal?.addEventListener('abort', done, { once: true });
  });
}
