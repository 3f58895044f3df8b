/** One request's inputs on their way through the batcher: results in the order of the inputs, progress, and exactly one end. */
import { abortError, toVecinityError, type VecinityError } from '../errors.js';
import type { JobProgress } from './engine.js';
import { PooledValues, rowsOf, TokenValues } from './job-values.js';
import type { Entry } from './packing.js';
import { QueuedJob, type QueuedJobOptions } from './queued-job.js';

/** `output`: what every input gives, one row, or a row for each of its tokens. */
export interface JobOptions extends QueuedJobOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: JobProgress) => void) | undefined;
}

export interface JobResult {
  /** `[total, width]`, or `[tokens, width]`; rows in the order of the inputs. */
  values: Float32Array<ArrayBuffer>;
  /** From the first text that could run to the start of the first run. */
  queueMs: number;
  /** From the start of the first run to the end of the last. */
  inferenceMs: number;
}

export interface JobStart extends JobOptions {
  total: number;
  /** Values per row. */
  width: number;
  now: () => number;
  /** Called once, before the result is handed out. */
  onEnd: (job: Job) => void;
}

export class Job extends QueuedJob {
  readonly result: Promise<JobResult>;
  readonly #start: JobStart;
  readonly #results: PooledValues | TokenValues;
  #resolve: (result: JobResult) => void = () => {};
  #reject: (error: VecinityError) => void = () => {};
  #done = 0;
  #ended = false;
  #readyAt: number | null = null;
  #startedAt: number | null = null;

  constructor(start: JobStart) {
    super(start.total, start);
    this.#start = start;
    const { total, width, output } = start;
    this.#results = output === 'tokens' ? new TokenValues() : new PooledValues(total, width);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // A job that ends before its owner waits for it is not an unhandled rejection; the owner still sees the error.
    this.result.catch(() => {});
    start.signal?.addEventListener('abort', this.#onAbort);
  }

  get ended(): boolean {
    return this.#ended;
  }

  markReady(): void {
    this.#readyAt ??= this.#start.now();
  }

  markStarted(): void {
    this.#startedAt ??= this.#start.now();
  }

  /** Stores the rows of these entries, which lie in `values` from `firstRow` on; the last row ends the job. */
  complete(entries: readonly Entry[], values: Float32Array, firstRow: number): void {
    if (this.#ended) return;
    const { width, total } = this.#start;
    let at = firstRow * width;
    for (const entry of entries) {
      const end = at + rowsOf(entry, this.output) * width;
      this.#results.set(entry.index, values.subarray(at, end));
      at = end;
    }
    this.#done += entries.length;
    this.#report();
    if (this.#done === total) this.#finish();
  }

  fail(error: VecinityError): void {
    if (this.#end()) this.#reject(error);
  }

  readonly #onAbort = (): void => {
    const { signal } = this.#start;
    if (signal) this.fail(abortError(signal));
  };

  /** A callback that throws ends its own job and nobody else's. */
  #report(): void {
    try {
      this.#start.onProgress?.({ done: this.#done, total: this.#start.total });
    } catch (thrown) {
      this.fail(toVecinityError(thrown));
    }
  }

  #finish(): void {
    const endedAt = this.#start.now();
    if (!this.#end()) return;
    const startedAt = this.#startedAt ?? endedAt;
    const queueMs = startedAt - (this.#readyAt ?? startedAt);
    this.#resolve({ values: this.#results.join(), queueMs, inferenceMs: endedAt - startedAt });
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#start.signal?.removeEventListener('abort', this.#onAbort);
    this.#start.onEnd(this);
    return true;
  }
}
