/**
 * Jobs that wait, and the next run made of them. Knows nothing of devices, promises or time; whose turn it is, is
 * decided in `shares.ts`. A job is the inputs of one request; its texts may arrive piece by piece.
 */
import { type Entry, type RunLimits, RunShape, takeFitting, takeLongest } from './packing.js';
import { type QueuedJob, tokensOf, type Waiting } from './queued-job.js';
import { type Plan, Shares } from './shares.js';

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

export class JobQueue<J extends QueuedJob> {
  readonly #shares = new Shares<J>();

  add(job: J): void {
    this.#shares.add(job);
  }

  delete(job: J): void {
    this.#shares.delete(job);
  }

  /** What waits of all jobs. */
  get waiting(): Waiting {
    return this.#shares.waiting;
  }

  /** Inputs of one client that wait. */
  inputsOf(client: string): number {
    return this.#shares.placesOf(client);
  }

  /** Clients with inputs that wait, the given one included. */
  clientsWith(client: string): number {
    return this.#shares.countWith(client);
  }

  /** Takes the next run out of the queue, or null when no text waits. */
  take(limits: RunLimits): PlannedRun<J> | null {
    const plan = this.#shares.plan(limits.maxTokens);
    if (!plan) return null;
    const run = fillRun(plan, limits);
    this.#shares.book(new Map(run.parts.map(({ job, entries }) => [job, tokensOf(entries)])));
    for (const { job, entries } of run.parts) job.took(entries);
    return run;
  }
}

function fillRun<J extends QueuedJob>({ lead, small }: Plan<J>, limits: RunLimits): PlannedRun<J> {
  const shape = new RunShape(limits);
  const parts: RunPart<J>[] = [{ job: lead, entries: takeLongest(lead.waiting, shape) }];
  for (const job of small) {
    if (job === lead || job.output !== lead.output) continue;
    const entries = takeFitting(job.waiting, shape);
    if (entries.length > 0) parts.push({ job, entries });
  }
  return { parts, cost: shape.cost };
}
