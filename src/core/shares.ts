/**
 * Whose turn it is: clients that wait (tabs, callers of the Service Worker) get the same share of the device, whatever
 * each has queued, and a short job goes first within reason. Start-time fair queueing (Goyal et al. 1996) by tokens.
 */
import type { QueuedJob, Waiting } from './queued-job.js';

/** Runs that may overtake a client's oldest job before it leads one itself. */
const maxOvertakes = 4;

/** A job with at most this many waiting tokens shares the run of another; more would make the other wait noticeably. */
const smallJobTokens = 512;

/** The jobs of one client. */
class Client<J extends QueuedJob> {
  /** In the order of arrival. */
  readonly jobs = new Set<J>();
  /** Tokens that it was given, on a scale that all clients share. */
  served: number;
  overtakes = 0;
  readonly waiting: Waiting = { places: 0, texts: 0, tokens: 0 };

  constructor(served: number) {
    this.served = served;
  }
}

/** What one client could run next. */
interface Turn<J extends QueuedJob> {
  client: Client<J>;
  /** Shortest first. */
  ready: J[];
  oldest: J;
  /** The shortest one, unless the oldest was overtaken too often. */
  next: J;
}

export interface Plan<J extends QueuedJob> {
  lead: J;
  /** Small jobs of all clients in the order in which they may share the run; the lead may be among them. */
  small: J[];
}

/** Jobs by client, and what each client was given so far. */
export class Shares<J extends QueuedJob> {
  readonly #clients = new Map<string, Client<J>>();
  #turns: Turn<J>[] = [];

  add(job: J): void {
    const { client: name } = job;
    const client = this.#clients.get(name) ?? new Client<J>(0);
    // Time without work is not saved up: it would let a client keep all others waiting later.
    if (client.jobs.size === 0) client.served = Math.max(client.served, this.#leastServed());
    client.jobs.add(job);
    job.join(client.waiting);
    this.#clients.set(name, client);
  }

  delete(job: J): void {
    if (this.#clients.get(job.client)?.jobs.delete(job)) job.leave();
    this.#forget();
  }

  /** What waits of all clients. */
  get waiting(): Waiting {
    const sum: Waiting = { places: 0, texts: 0, tokens: 0 };
    for (const { waiting } of this.#clients.values()) {
      sum.places += waiting.places;
      sum.texts += waiting.texts;
      sum.tokens += waiting.tokens;
    }
    return sum;
  }

  /** Inputs of one client that wait. */
  placesOf(client: string): number {
    return this.#clients.get(client)?.waiting.places ?? 0;
  }

  /** Clients with inputs that wait, the given one included. */
  countWith(client: string): number {
    let count = 1;
    for (const [name, other] of this.#clients) if (name !== client && other.waiting.places > 0) count += 1;
    return count;
  }

  /** What the next run is made of, or null when no text waits; a short job may be this many tokens ahead of its turn. */
  plan(aheadTokens: number): Plan<J> | null {
    this.#turns = [...this.#clients.values()].flatMap(turnOf);
    const rank = ({ client, next }: Turn<J>) => client.served - (isSmall(next) ? aheadTokens : 0);
    const order = this.#turns.toSorted((a, b) => rank(a) - rank(b) || a.next.tokens - b.next.tokens);
    const [first] = order;
    return first ? { lead: first.next, small: smallJobs(order) } : null;
  }

  /** Books the run that was made of the latest plan: the tokens that each job got. */
  book(taken: ReadonlyMap<J, number>): void {
    for (const { client, oldest } of this.#turns) {
      const own = [...taken].filter(([job]) => client.jobs.has(job));
      if (own.length === 0) continue;
      client.overtakes = taken.has(oldest) ? 0 : client.overtakes + 1;
      for (const [, tokens] of own) client.served += tokens;
    }
    this.#turns = [];
  }

  #leastServed(): number {
    const served = [...this.#clients.values()].filter(({ jobs }) => jobs.size > 0).map((client) => client.served);
    return served.length === 0 ? 0 : Math.min(...served);
  }

  /** A client that left is remembered while it is ahead of the others: coming back must not make it first again. */
  #forget(): void {
    const least = this.#leastServed();
    const isBusy = [...this.#clients.values()].some(({ jobs }) => jobs.size > 0);
    for (const [name, { jobs, served }] of this.#clients) {
      if (jobs.size === 0 && (!isBusy || served <= least)) this.#clients.delete(name);
    }
  }
}

function isSmall(job: QueuedJob): boolean {
  return job.tokens <= smallJobTokens;
}

function turnOf<J extends QueuedJob>(client: Client<J>): Turn<J>[] {
  const waiting = [...client.jobs].filter((job) => job.waiting.length > 0);
  const ready = waiting.toSorted((a, b) => a.tokens - b.tokens);
  const [[oldest], [shortest]] = [waiting, ready];
  if (!oldest || !shortest) return [];
  return [{ client, ready, oldest, next: client.overtakes >= maxOvertakes ? oldest : shortest }];
}

/** In the order in which their clients would come to them if every job were a run of its own. */
function smallJobs<J extends QueuedJob>(turns: readonly Turn<J>[]): J[] {
  const due: { job: J; at: number }[] = [];
  for (const { client, ready } of turns) {
    let at = client.served;
    for (const job of ready) {
      if (!isSmall(job)) break;
      due.push({ job, at });
      at += job.tokens;
    }
  }
  return due.sort((a, b) => a.at - b.at).map(({ job }) => job);
}
