/**
 * The queue before one backend: admission, dispatch to the backend's lanes, and what follows a run.
 * Which texts make up a run is decided in `queue.ts`, what happens after a failure in `retries.ts`.
 */
import type { Backend } from '../backend/backend.js';
import { abortError, toVecinityError, VecinityError } from '../errors.js';
import { release } from '../release.js';
import type { RunListener } from './engine.js';
import { Job, type JobOptions, type JobResult } from './job.js';
import { rowsOf } from './job-values.js';
import { Pace } from './pace.js';
import { packBatch, type RunLimits, type TokenizedText } from './packing.js';
import { JobQueue, type RunPart } from './queue.js';
import { RetryQueue, type Run } from './retries.js';

export type { JobOptions, JobResult } from './job.js';
export type { TokenizedText } from './packing.js';

/** The part of a backend that the batcher uses; its properties may change when a backend is replaced. */
export type BatchRunner = Pick<Backend, 'width' | 'padded' | 'lanes' | 'run'>;

export interface BatcherOptions {
  runner: BatchRunner;
  /** Tokens of one run at most; a single longer text still runs. */
  maxBatchTokens: number;
  /** Inputs waiting at most, in equal parts for those that wait; a client's larger job is taken when it has no other. */
  maxQueue: number;
  /** How long one run should take at most. */
  targetRunMs?: number;
  /** Monotonic milliseconds. */
  now?: () => number;
  /** Told of every run as it starts; must not throw. */
  onRun?: RunListener | undefined;
}

/** A job whose texts may be given piece by piece; it runs what it has. */
export interface OpenJob {
  /** True once the job has ended in any way; more texts are then ignored. */
  readonly ended: boolean;
  /** Resolves when all inputs are through. */
  readonly result: Promise<JobResult>;
  add(texts: readonly TokenizedText[]): void;
  /** Ends the job with this error, for example when the rest could not be tokenized. */
  fail(error: VecinityError): void;
}

export interface QueueStatistics {
  inputs: number;
  tokens: number;
}

const defaultTargetRunMs = 200;

/** Callers take no longer advice, and a guess of more would be a bad one: their own rush has slowed down what was measured. */
const longestRetryMs = 60_000;

/** Below this many tokens a run is not split for the sake of an idle lane: its fixed costs would outweigh the gain. */
const minSharedTokens = 256;

/** Tokens of an input that is not tokenized yet, when no other waits to judge by. */
const guessedTokens = 64;

/** Queue, packer and dispatcher of one backend. No timers: whatever ends starts what comes next. */
export class Batcher {
  readonly #runner: BatchRunner;
  readonly #options: BatcherOptions;
  readonly #now: () => number;
  readonly #queue = new JobQueue<Job>();
  readonly #retries = new RetryQueue();
  readonly #pace = new Pace();
  readonly #running = new Set<Run>();
  readonly #jobs = new Set<Job>();
  #disposed = false;

  constructor(options: BatcherOptions) {
    this.#options = options;
    this.#runner = options.runner;
    this.#now = options.now ?? (() => performance.now());
  }

  get statistics(): QueueStatistics {
    const { places, tokens } = this.#queue.waiting;
    return { inputs: places, tokens };
  }

  /** Admits a job of `total` inputs. Throws `overloaded`, `aborted`, `disposed`. */
  open(total: number, options: JobOptions = {}): OpenJob {
    this.#admit(total, options);
    const onEnd = (ended: Job): void => this.#forget(ended);
    const job = new Job({ ...options, total, width: this.#runner.width, now: this.#now, onEnd });
    this.#jobs.add(job);
    this.#queue.add(job);
    return {
      get ended() {
        return job.ended;
      },
      result: job.result,
      add: (texts) => this.#feed(job, texts),
      fail: (error) => job.fail(error),
    };
  }

  /** A job whose texts are all known. Rejects as `open` throws, and with the backend's errors. */
  async submit(texts: readonly TokenizedText[], options: JobOptions = {}): Promise<JobResult> {
    const job = this.open(texts.length, options);
    job.add(texts);
    return await job.result;
  }

  /** Rejects every job that has not ended; runs in flight are left to the backend. */
  dispose(): void {
    this.#disposed = true;
    for (const job of [...this.#jobs]) job.fail(disposedError());
  }

  #admit(total: number, { signal, client = '' }: JobOptions): void {
    if (this.#disposed) throw disposedError();
    if (signal?.aborted) throw abortError(signal);
    const waiting = this.#queue.inputsOf(client);
    const clients = this.#queue.clientsWith(client);
    const { maxQueue } = this.#options;
    const share = Math.floor(maxQueue / clients);
    if (waiting === 0 || waiting + total <= share) return;
    const tooMany = Math.min(waiting, waiting + total - share);
    const shared = clients === 1 ? '' : ` (${clients} clients share a queue of ${maxQueue})`;
    const message = `${waiting} of at most ${share} inputs are waiting${shared}; ${total} more do not fit.`;
    throw new VecinityError('overloaded', message, { retryAfterMs: this.#retryAfterMs(tooMany * clients) });
  }

  /** The time that this many of the waiting inputs will take. */
  #retryAfterMs(inputs: number): number {
    const { places, texts, tokens } = this.#queue.waiting;
    const tokensEach = texts > 0 ? tokens / texts : guessedTokens;
    const ahead = Math.min(inputs, places) * tokensEach;
    let running = 0;
    for (const run of this.#running) running += run.cost;
    return Math.min(longestRetryMs, Math.ceil(this.#pace.timeFor(ahead + running, this.#runner.lanes)));
  }

  #feed(job: Job, texts: readonly TokenizedText[]): void {
    if (job.ended || texts.length === 0) return;
    job.add(texts);
    job.markReady();
    this.#dispatch();
  }

  #forget(job: Job): void {
    this.#jobs.delete(job);
    this.#queue.delete(job);
    this.#retries.delete(job);
  }

  #dispatch(): void {
    while (this.#running.size < this.#runner.lanes) {
      const run = this.#next();
      if (!run) return;
      void this.#execute(run);
    }
  }

  #next(): Run | null {
    for (const run of this.#running) if (run.alone) return null;
    if (this.#retries.nextIsAlone && this.#running.size > 0) return null;
    const limits = this.#limits();
    const retry = this.#retries.take(limits);
    if (retry) return retry;
    const planned = this.#queue.take(limits);
    return planned && { ...planned, deaths: 0, alone: false };
  }

  #limits(): RunLimits {
    const { maxBatchTokens, targetRunMs = defaultTargetRunMs } = this.#options;
    const { lanes, padded } = this.#runner;
    const share = Math.max(minSharedTokens, Math.ceil(this.#queue.waiting.tokens / lanes));
    return { maxTokens: Math.min(maxBatchTokens, this.#pace.tokensIn(targetRunMs), share), padded };
  }

  async #execute(run: Run): Promise<void> {
    this.#running.add(run);
    for (const { job } of run.parts) job.markStarted();
    try {
      const values = await this.#compute(run);
      this.#running.delete(run);
      deliver(run.parts, values);
      release(values);
    } catch (thrown) {
      this.#running.delete(run);
      this.#retries.add(run, toVecinityError(thrown));
    }
    this.#dispatch();
  }

  async #compute(run: Run): Promise<Float32Array> {
    const startedAt = this.#now();
    const entries = run.parts.flatMap((part) => part.entries);
    const output = run.parts[0]?.job.output ?? 'pooled';
    const batch = packBatch(entries, output);
    this.#options.onRun?.({ texts: entries.length, tokens: batch.inputIds.length });
    const values = await this.#runner.run(batch);
    const rows = entries.reduce((sum, entry) => sum + rowsOf(entry, output), 0);
    const expected = rows * this.#runner.width;
    if (values.length !== expected) {
      const message = `The backend returned ${values.length} values for a run of ${entries.length} texts, not ${expected}.`;
      throw new VecinityError('backend_failed', message);
    }
    this.#pace.record(run.cost, this.#now() - startedAt);
    return values;
  }
}

/** Hands the rows of a run to its jobs, in the order in which they were packed. */
function deliver(parts: readonly RunPart<Job>[], values: Float32Array): void {
  let row = 0;
  for (const { job, entries } of parts) {
    job.complete(entries, values, row);
    row += entries.reduce((sum, entry) => sum + rowsOf(entry, job.output), 0);
  }
}

function disposedError(): VecinityError {
  return new VecinityError('disposed', 'The model was unloaded while the request was waiting.');
}
