/**
 * Spreads batches over threads: short texts as whole slices that threads take one after the other, a single or long text
 * by rows. The coordinating worker computes too, so one text starts without a message and an idle pool sleeps. A thread
 * that is through with a batch goes on with the next one. What reaches a thread goes by `connection.ts`; what it does then
 * is in `thread.ts`.
 */
import { VecinityError } from '../../errors.js';
import { nextTask } from '../../pause.js';
import { release } from '../../release.js';
import type { TokenBatch } from '../backend.js';
import type { EncoderDescription } from './architectures.js';
import {
  Computer,
  joinParts,
  type ModelSetup,
  type Part,
  rowsAtOnce,
  scratchBytes,
  usualBytes,
  widthOf,
} from './computer.js';
import type { ThreadConnection } from './connection.js';
import type { Heap } from './heap.js';
import { Region } from './region.js';
import { cutSlices, releaseSlices, type Slice } from './slices.js';
import { FollowerError, TeamLead, teamBytes } from './team.js';
import { counterAt } from './thread.js';

export interface PoolOptions {
  module: WebAssembly.Module;
  heap: Heap;
  setup: ModelSetup;
  description: EncoderDescription;
  /** One less than the threads that compute. */
  threads: ThreadConnection[];
}

/** Texts of this many tokens are split even when there are others: their working memory would be needed per thread. */
const longTokens = 1_024;

export class ThreadPool {
  readonly #heap: Heap;
  readonly #shared: boolean;
  readonly #setup: ModelSetup;
  readonly #description: EncoderDescription;
  readonly #computer: Computer;
  readonly #threads: ThreadConnection[];
  readonly #region: Region;
  readonly #regions: Region[];
  /** Addresses of counters that no batch uses. */
  readonly #counters: number[] = [];
  readonly #team: number;
  readonly #lead: TeamLead;
  /** Threads that were invited to the team and are not back, with what ends when they are; it never rejects. */
  readonly #invited = new Map<ThreadConnection, Promise<void>>();
  /** What a thread of the team has failed with since it was last asked. */
  #failure: VecinityError | null = null;
  /** This thread's own work, one piece after the other; it never rejects. */
  #own: Promise<unknown> = Promise.resolve();

  /** Sends every thread its model; rejects as a thread does. */
  static async start(options: PoolOptions): Promise<ThreadPool> {
    const pool = new ThreadPool(options);
    await pool.#startThreads(options.module);
    return pool;
  }

  private constructor({ module, heap, setup, description, threads }: PoolOptions) {
    this.#heap = heap;
    this.#shared = typeof SharedArrayBuffer !== 'undefined' && heap.memory.buffer instanceof SharedArrayBuffer;
    this.#setup = setup;
    this.#description = description;
    this.#computer = new Computer(module, heap, setup);
    this.#threads = threads;
    this.#team = heap.allocate(teamBytes);
    this.#lead = new TeamLead(heap.memory, this.#team);
    this.#region = new Region(heap, usualBytes(setup, this.size));
    this.#regions = threads.map(() => new Region(heap, usualBytes(setup, 1)));
  }

  /** Threads that compute, this one included. */
  get size(): number {
    return this.#threads.length + 1;
  }

  get computer(): Computer {
    return this.#computer;
  }

  /**
   * `[batch, width]`, or `[tokens, width]` when the batch asks for tokens. A batch that comes while another one runs is
   * begun by the threads that are idle. Rejects with `worker_died` when a thread is gone, and as a thread does.
   */
  async run(batch: TokenBatch): Promise<Float32Array<ArrayBuffer>> {
    const width = widthOf(this.#setup);
    const rows = rowOffsets(batch);
    const values = new Float32Array((rows.at(-1) ?? 0) * width);
    const take = ({ texts, values: part }: Part): void => {
      let at = 0;
      for (const text of texts) {
        const [first, end] = [rows[text] as number, rows[text + 1] as number];
        const next = at + (end - first) * width;
        values.set(part.subarray(at, next), first * width);
        at = next;
      }
      release(part);
    };
    const slices = cutSlices(this.#description, batch, this.size);
    const split = slices.filter((slice) => this.#splits(slice, slices.length));
    const rest = slices.filter((slice) => !split.includes(slice));
    const parts = [...this.#runSlices(rest), ...split.map((slice) => this.#takeTurn(() => this.#runSplit(slice)))];
    for (const part of await settled(parts)) if (part !== null) take(part);
    releaseSlices(slices);
    return values;
  }

  dispose(): void {
    const error = new VecinityError('disposed', 'The model was unloaded.');
    for (const thread of this.#threads) thread.close(error);
  }

  async #startThreads(module: WebAssembly.Module): Promise<void> {
    const { memory, usedBytes } = this.#heap;
    const start = { type: 'start' as const, module, setup: this.#setup };
    if (this.#shared) {
      await Promise.all(this.#threads.map((thread) => thread.call({ ...start, memory })));
      return;
    }
    // One after the other: a copy is as large as the model, and lies beside the thread's own until that has taken it.
    for (const thread of this.#threads) {
      // A heap that is not shared has a private memory.
      const image = memory.buffer.slice(0, usedBytes) as ArrayBuffer;
      await thread.call({ ...start, memory: image }, [image]);
    }
  }

  #splits(slice: Slice, count: number): boolean {
    if (!this.#shared || this.#threads.length === 0 || slice.texts.length > 1) return false;
    return slice.longest >= longTokens || (count === 1 && slice.longest > rowsAtOnce);
  }

  /** Every thread's part; their messages go out at once, so that none of them waits for this one. */
  #runSlices(slices: Slice[]): Promise<Part | null>[] {
    if (slices.length === 0) return [];
    const helpers = this.#threads.slice(0, slices.length - 1);
    if (helpers.length > 0) this.#dismiss();
    const bytes = scratchBytes(this.#setup.plan, slices, 1);
    const base = this.#region.atLeast(bytes);
    if (!this.#shared) return this.#runShares(slices, helpers, base);
    const bases = helpers.map((_, index) => (this.#regions[index] as Region).atLeast(bytes));
    const counter = this.#counters.pop() ?? this.#heap.allocate(4);
    this.#heap.i32[counter / 4] = 0;
    const parts = helpers.map((thread, index) =>
      thread.call({ type: 'slices', slices, shared: { counter, base: bases[index] as number } }),
    );
    parts.push(this.#takeTurn(() => this.#ownSlices(slices, counterAt(this.#heap, counter), base)));
    void Promise.allSettled(parts).then(() => this.#counters.push(counter));
    return parts;
  }

  /** Without shared memory every thread gets its share in advance: the longest slice to the least busy one. */
  #runShares(slices: Slice[], helpers: ThreadConnection[], base: number): Promise<Part | null>[] {
    const shares = Array.from({ length: helpers.length + 1 }, () => ({ tokens: 0, slices: [] as Slice[] }));
    for (const slice of slices) {
      const least = shares.reduce((a, b) => (b.tokens < a.tokens ? b : a));
      least.slices.push(slice);
      least.tokens += slice.inputIds.length;
    }
    const own = shares.pop()?.slices ?? [];
    const parts = helpers.map((thread, index) =>
      thread.call({ type: 'slices', slices: shares[index]?.slices ?? [], shared: null }),
    );
    let next = 0;
    return [...parts, this.#takeTurn(() => this.#ownSlices(own, () => next++, base))];
  }

  /** Slice by slice; between them the next batch may come in and go out to the other threads. */
  async #ownSlices(slices: readonly Slice[], next: () => number, base: number): Promise<Part> {
    const parts: Part[] = [];
    for (let index = next(); index < slices.length; index = next()) {
      parts.push(this.#computer.runSlice(slices[index] as Slice, base));
      if (this.#threads.length > 0) await nextTask();
    }
    return joinParts(parts);
  }

  /** This thread computes one thing at a time, in the order in which it was asked. */
  #takeTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#own.then(work);
    this.#own = result.catch(() => undefined);
    return result;
  }

  async #runSplit(slice: Slice): Promise<Part> {
    this.#takeFailure();
    const threads = this.size;
    const base = this.#region.atLeast(scratchBytes(this.#setup.plan, [slice], threads));
    this.#invite(Math.ceil(slice.longest / rowsAtOnce) - 1);
    try {
      return this.#computer.lead(slice, { base, threads }, this.#lead);
    } catch (error) {
      // The thread's own words tell more, and are not to fail the next text too.
      if (error instanceof FollowerError) await this.#recall();
      this.#takeFailure();
      throw error;
    }
  }

  /** Sees to it that so many threads are in the team, or on their way. */
  #invite(count: number): void {
    const { term } = this.#lead;
    this.#threads.slice(0, count).forEach((thread, index) => {
      if (this.#invited.has(thread)) return;
      const place = { threads: this.size, index: index + 1 };
      const back: Promise<void> = thread.call({ type: 'team', address: this.#team, term, place }).then(
        () => this.#isBack(thread, back),
        (error: VecinityError) => {
          this.#isBack(thread, back);
          this.#failure ??= error;
        },
      );
      this.#invited.set(thread, back);
    });
  }

  #isBack(thread: ThreadConnection, back: Promise<void>): void {
    if (this.#invited.get(thread) === back) this.#invited.delete(thread);
  }

  async #recall(): Promise<void> {
    const invited = [...this.#invited.values()];
    this.#dismiss();
    await Promise.all(invited);
  }

  /** Lets threads see their messages. */
  #dismiss(): void {
    if (this.#invited.size === 0) return;
    this.#invited.clear();
    this.#lead.dismiss();
  }

  /** Throws what a thread of the team failed with since this was last called. */
  #takeFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure;
  }
}

/** What all parts have given; every one of them is awaited, also after a failure, because they share memory. */
async function settled<T>(parts: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(parts);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** Where the rows of each text begin in the result of a run, and where they all end. */
function rowOffsets({ offsets, output }: TokenBatch): Int32Array {
  return output === 'tokens' ? offsets : Int32Array.from(offsets, (_, text) => text);
}
