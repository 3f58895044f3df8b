/**
 * Jobs in their order: which one leads the next run and which share it. Knows nothing of devices, promises or time.
 * A job is the inputs of one request; its texts may arrive piece by piece.
 */
import type { RunOutput } from '../backend/backend.js';
import type { Entry, RunLimits, TokenizedText } from './packing.js';
import { RunShape, sortByLength, takeFitting, takeLongest } from './packing.js';

/** Runs that may overtake the oldest job before it leads one itself. */
const maxOvertakes = 4;

/** A job with at most this many waiting tokens shares the run of another; more would make the other wait noticeably. */
const smallJobTokens = 512;

/** The waiting side of one job. */
export class QueuedJob {
  /** Inputs that were admitted and are neither in a run nor done, whether their tokens are known yet or not. */
  places: number;
  /** Tokens of the texts in `waiting`. */
  tokens = 0;
  /** Shortest first. */
  readonly waiting: Entry[] = [];
  /** Runs hold jobs of one kind. */
  readonly output: RunOutput;
  #added = 0;

  constructor(total: number, output: RunOutput = 'pooled') {
    this.places = total;
    this.output = output;
  }

  /** Adds the next inputs; their places in the job follow from the order of the calls. */
  add(texts: readonly TokenizedText[]): void {
    for (const text of texts) {
      const { inputIds, typeIds, skippedTokens = 0 } = text;
      this.waiting.push({ index: this.#added++, inputIds, typeIds, skippedTokens });
      this.tokens += inputIds.length;
    }
    sortByLength(this.waiting);
  }

  /** Books out what was moved from `waiting` into a run. */
  took(entries: readonly Entry[]): void {
    this.places -= entries.length;
    for (const entry of entries) this.tokens -= entry.inputIds.length;
  }
}

/** The texts of one job in a run. */
export interface RunPart<J> {
  job: J;
  entries: Entry[];
}

export interface PlannedRun<J> {
  parts: RunPart<J>[];
  /** Padded tokens for a padded backend, real ones otherwise. */
  cost: number;
}

/** Shortest remaining job first, so that a query overtakes bulk; the oldest job is overtaken only so often. */
export class JobQueue<J extends QueuedJob> {
  /** In the order of arrival. */
  readonly #jobs = new Set<J>();
  #overtakes = 0;

  add(job: J): void {
    this.#jobs.add(job);
  }

  delete(job: J): void {
    this.#jobs.delete(job);
  }

  [Symbol.iterator](): Iterator<J> {
    return this.#jobs.values();
  }

  get inputs(): number {
    return this.#sum((job) => job.places);
  }

  get tokens(): number {
    return this.#sum((job) => job.tokens);
  }

  /** Takes the next run out of the queue, or null when no text waits. */
  take(limits: RunLimits): PlannedRun<J> | null {
    const ready = [...this.#jobs].filter((job) => job.waiting.length > 0);
    const oldest = ready[0];
    if (!oldest) return null;
    const order = ready.toSorted((a, b) => a.tokens - b.tokens);
    const lead = this.#overtakes >= maxOvertakes ? oldest : (order[0] ?? oldest);
    const run = fillRun(lead, order, limits);
    this.#overtakes = run.parts.some((part) => part.job === oldest) ? 0 : this.#overtakes + 1;
    return run;
  }

  #sum(of: (job: J) => number): number {
    let sum = 0;
    for (const job of this.#jobs) sum += of(job);
    return sum;
  }
}

function fillRun<J extends QueuedJob>(lead: J, order: readonly J[], limits: RunLimits): PlannedRun<J> {
  const shape = new RunShape(limits);
  const parts: RunPart<J>[] = [{ job: lead, entries: takeLongest(lead.waiting, shape) }];
  for (const job of order) {
    if (job === lead || job.output !== lead.output) continue;
    if (job.tokens > smallJobTokens) break;
    const entries = takeFitting(job.waiting, shape);
    if (entries.length > 0) parts.push({ job, entries });
  }
  for (const part of parts) part.job.took(part.entries);
  return { parts, cost: shape.cost };
}
