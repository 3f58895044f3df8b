/**
 * What became of every request. `sent = answered + refused + lost`; `wrong` answers are among the answered. A request
 * whose own tab went away has nobody who could be answered: it is dropped by design and not among the sent.
 */
import type { WrongDevice } from './page/subject.js';

export type Outcome =
  | { type: 'answered' }
  /** Answered, with other numbers than the model's. */
  | { type: 'wrong'; detail: string }
  /** An error that says why, by its code and in words. */
  | { type: 'refused'; code: string; message: string }
  /** No answer in time, or a failure without a code. */
  | { type: 'lost'; detail: string }
  | { type: 'dropped' };

/** What `--json` writes, and nothing else. */
export interface Counts {
  sent: number;
  answered: number;
  refused: number;
  lost: number;
  wrong: number;
  /** By kind. */
  faults: Record<string, number>;
}

export class Tally {
  #answered = 0;
  #wrong = 0;
  #lost = 0;
  #dropped = 0;
  #repeated = 0;
  readonly #refusals = new Map<string, number>();
  /** Refusals by what was asked and what was said. */
  readonly #reasons = new Map<string, number>();
  readonly #kinds = new Map<string, number>();
  readonly #faults = new Map<string, number>();
  readonly #devices = new Map<string, number>();

  record(kind: string, outcome: Outcome): void {
    if (outcome.type === 'dropped') {
      this.#dropped += 1;
      return;
    }
    count(this.#kinds, kind);
    if (outcome.type === 'lost') this.#lost += 1;
    else if (outcome.type === 'refused') this.#refuse(kind, outcome);
    else this.#answered += 1;
    if (outcome.type === 'wrong') this.#wrong += 1;
  }

  #refuse(kind: string, { code, message }: Extract<Outcome, { type: 'refused' }>): void {
    count(this.#refusals, code);
    count(this.#reasons, `${code} (${kind}): ${message}`);
  }

  /** A plain `fetch` was sent again because the browser stopped the Service Worker under it. */
  repeated(): void {
    this.#repeated += 1;
  }

  fault(kind: string): void {
    count(this.#faults, kind);
  }

  /** A device that computes wrong numbers began, or was refused, or another one computes in its place. */
  device({ wrongDevice, place }: WrongDevice): void {
    count(this.#devices, `${wrongDevice}: ${place}`);
  }

  get counts(): Counts {
    const refused = sum(this.#refusals);
    return {
      sent: this.#answered + refused + this.#lost,
      answered: this.#answered,
      refused,
      lost: this.#lost,
      wrong: this.#wrong,
      faults: Object.fromEntries(this.#faults),
    };
  }

  /** 1 when a request was lost or an answer wrong. */
  get exitCode(): number {
    return this.#lost > 0 || this.#wrong > 0 ? 1 : 0;
  }

  get line(): string {
    const { sent, answered, refused, lost, wrong } = this.counts;
    return `${sent} sent: ${answered} answered, ${refused} refused, ${lost} lost, ${wrong} wrong; ${sum(this.#faults)} faults`;
  }

  get summary(): string {
    return [
      this.line,
      `  requests  ${list(this.#kinds)}`,
      `  refusals  ${list(this.#refusals)}`,
      ...byCount(this.#reasons).map(([reason, number]) => `            ${number} x ${reason}`),
      `  faults    ${list(this.#faults)}`,
      `  wrong devices  ${list(this.#devices)}`,
      `  ${this.#dropped} more ended with their own tab: nobody was left to be answered, so they count as neither sent nor lost.`,
      `  ${this.#repeated} times a plain fetch was sent again, because the browser had stopped the Service Worker under it.`,
    ].join('\n');
  }
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function sum(map: ReadonlyMap<string, number>): number {
  return [...map.values()].reduce((total, value) => total + value, 0);
}

function list(map: ReadonlyMap<string, number>): string {
  return (
    byCount(map)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ') || 'none'
  );
}

function byCount(map: ReadonlyMap<string, number>): [string, number][] {
  return [...map].sort(([, a], [, b]) => b - a);
}
