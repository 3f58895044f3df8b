/**
 * What is run again after a run failed, in pieces small enough that only the guilty job ends with the error.
 * A run that fails is split by job, then by halves; one that killed its worker, and a single text that finds no memory,
 * is run again alone, and only once.
 */
import { type ErrorCode, VecinityError } from '../errors.js';
import type { Job } from './job.js';
import { type Entry, type RunLimits, RunShape, sortByLength, takeLongest } from './packing.js';
import type { RunPart } from './queue.js';

/** One run in flight. */
export interface Run {
  parts: RunPart<Job>[];
  cost: number;
  /** Workers that its texts have killed so far. */
  deaths: number;
  /** True when nothing else may run beside it, so that a death has one possible cause. */
  alone: boolean;
}

interface Retry {
  job: Job;
  entries: Entry[];
  deaths: number;
  alone: boolean;
}

/** Errors of the input or of the moment, after which smaller runs can still succeed. */
const splitCodes: ReadonlySet<ErrorCode> = new Set(['backend_failed', 'internal_error', 'out_of_memory']);

/** Errors that took the worker with them. */
const deathCodes: ReadonlySet<ErrorCode> = new Set(['worker_died', 'timeout']);

/** Workers that one job may kill before it is given up. */
const maxDeaths = 2;

export class RetryQueue {
  #retries: Retry[] = [];

  /** True when the next retry has to wait until nothing runs any more. */
  get nextIsAlone(): boolean {
    return this.#retries[0]?.alone ?? false;
  }

  /** Plans what of a failed run is run again, and ends the jobs for which that makes no sense. */
  add(run: Run, error: VecinityError): void {
    const parts = run.parts.filter((part) => !part.job.ended);
    if (deathCodes.has(error.code)) this.#addDeaths(run, parts, error);
    else if (splitCodes.has(error.code)) this.#addSplit(run, parts, error);
    else for (const { job } of parts) job.fail(error);
  }

  take(limits: RunLimits): Run | null {
    const retry = this.#retries[0];
    if (!retry) return null;
    const shape = new RunShape(limits);
    const entries = takeLongest(retry.entries, shape);
    if (retry.entries.length === 0) this.#retries.shift();
    const { job, deaths, alone } = retry;
    return { parts: [{ job, entries }], cost: shape.cost, deaths, alone };
  }

  delete(job: Job): void {
    this.#retries = this.#retries.filter((retry) => retry.job !== job);
  }

  #addDeaths(run: Run, parts: RunPart<Job>[], error: VecinityError): void {
    const deaths = run.deaths + 1;
    for (const { job, entries } of parts) {
      if (deaths >= maxDeaths) job.fail(crashError(deaths, error));
      else this.#push({ job, entries, deaths, alone: true });
    }
  }

  #addSplit(run: Run, parts: RunPart<Job>[], error: VecinityError): void {
    const { deaths, alone } = run;
    for (const { job, entries } of parts) {
      const pieces = run.parts.length > 1 ? [entries] : halves(entries);
      for (const piece of pieces) this.#push({ job, entries: piece, deaths, alone });
      if (pieces.length > 0) continue;
      // There may be memory for it when nothing runs beside it.
      if (error.code === 'out_of_memory' && !alone) this.#push({ job, entries, deaths, alone: true });
      else job.fail(error);
    }
  }

  #push(retry: Retry): void {
    sortByLength(retry.entries);
    this.#retries.push(retry);
  }
}

/** Nothing for a single text. */
function halves(entries: Entry[]): Entry[][] {
  if (entries.length < 2) return [];
  const middle = entries.length >> 1;
  return [entries.slice(0, middle), entries.slice(middle)];
}

function crashError(deaths: number, cause: VecinityError): VecinityError {
  const message = `The input stopped ${deaths} compute workers (${cause.message}); it is not tried again.`;
  return new VecinityError('engine_crashed', message, { cause });
}
