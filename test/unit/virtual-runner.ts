/** A backend in virtual time for tests of the queue: runs take as long as their cost says, and nothing waits for a clock. */
import type { TokenBatch } from '../../src/backend/backend.js';

export interface RecordedRun {
  /** Token count of each text. */
  lengths: number[];
  /** First token id of each text, by which a test knows whose text it is. */
  marks: number[];
  startedAt: number;
  endedAt: number;
  /** Runs in flight when this one started, itself included. */
  beside: number;
}

export interface VirtualRunnerOptions {
  padded?: boolean;
  lanes?: number;
  tokensPerMs?: number;
  /** Throws what this run shall fail with. */
  failure?: (run: RecordedRun) => void;
}

interface PendingRun {
  run: RecordedRun;
  settle: () => void;
}

/** Answers each text with `[first token, token count]`. Time stands still until `step` or `drain`. */
export class VirtualRunner {
  readonly width = 2;
  readonly padded: boolean;
  readonly lanes: number;
  readonly runs: RecordedRun[] = [];
  now = 0;
  readonly #options: VirtualRunnerOptions;
  #pending: PendingRun[] = [];

  constructor(options: VirtualRunnerOptions = {}) {
    this.#options = options;
    this.padded = options.padded ?? false;
    this.lanes = options.lanes ?? 1;
  }

  get inFlight(): number {
    return this.#pending.length;
  }

  run(batch: TokenBatch): Promise<Float32Array> {
    const run = this.#record(batch);
    return new Promise((resolve, reject) => {
      const settle = () => {
        try {
          this.#options.failure?.(run);
          resolve(Float32Array.from(run.lengths.flatMap((length, i) => [run.marks[i] ?? -1, length])));
        } catch (thrown) {
          reject(thrown);
        }
      };
      this.#pending.push({ run, settle });
    });
  }

  /** Ends the run that is due next; answers false when none is in flight. */
  async step(): Promise<boolean> {
    const next = this.#pending.toSorted((a, b) => a.run.endedAt - b.run.endedAt)[0];
    if (!next) return false;
    this.#pending = this.#pending.filter((pending) => pending !== next);
    this.now = next.run.endedAt;
    next.settle();
    await macrotask();
    return true;
  }

  /** Ends runs until none is in flight. */
  async drain(): Promise<void> {
    while (await this.step());
  }

  #record(batch: TokenBatch): RecordedRun {
    const count = batch.offsets.length - 1;
    const starts = Array.from(batch.offsets.subarray(0, count));
    const lengths = starts.map((start, i) => (batch.offsets[i + 1] ?? 0) - start);
    const marks = starts.map((start) => batch.inputIds[start] ?? -1);
    const real = lengths.reduce((sum, length) => sum + length, 0);
    const cost = this.padded ? Math.max(...lengths) * count : real;
    const endedAt = this.now + cost / (this.#options.tokensPerMs ?? 10);
    const run = { lengths, marks, startedAt: this.now, endedAt, beside: this.#pending.length + 1 };
    this.runs.push(run);
    return run;
  }
}

/** Lets every promise that can settle do so. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A text of `length` tokens whose first token is `mark`. */
export function text(length: number, mark: number): { inputIds: number[]; typeIds: null } {
  return { inputIds: [mark, ...new Array<number>(length - 1).fill(7)], typeIds: null };
}

/** Seeded uniform numbers in [0, 1) (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
