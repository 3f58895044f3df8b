/**
 * Threads that work on one text together, step by step, over words of shared memory. One leads: it waits for nobody who
 * has not begun, so a short text is not held up by a thread that is slow to wake. The others stay for a while, asleep, so
 * that the next text needs no message. Spins for moments only, and never without work at hand.
 */
import { VecinityError } from '../../errors.js';

/** What a team works on, in the lead's own numbers. */
export type Order = readonly [number, number, number];

/** A piece of a step: the `index`th of `parts` equal parts. */
export interface Share {
  index: number;
  parts: number;
}

/** What a follower has taken: a share of the `step`th step of an order, counted from 0. */
export interface Task {
  order: Order;
  step: number;
  share: Share;
}

/** Where a team's words are, and the invitation that a follower came for. */
export interface TeamPlace {
  memory: WebAssembly.Memory;
  address: number;
  term: number;
}

/**
 * `state` holds a number that changes with every step, how many parts the step has and, in its low byte, how many of
 * them are taken. Whoever has taken one may read `step` and `order` until it has arrived.
 */
const word = { state: 0, term: 1, joined: 2, awake: 3, arrived: 4, failed: 5, step: 6, order: 7 } as const;
export const teamBytes = 40;

/** A wake-up costs tens of microseconds; a step's end is often nearer than that. */
const spinMs = 0.1;
/** Far above any step: who waits longer than that waits for a dead thread. */
const timeoutMs = 30_000;
/** How long a follower stays without work before it looks for messages. */
const stayMs = 1_000;
const maxParts = 255;

/** A follower threw in the middle of a step; what it threw is known to whoever started it. */
export class FollowerError extends VecinityError {
  constructor() {
    super('backend_failed', 'A thread of the WASM engine failed in the middle of a text.');
  }
}

/** The thread that says what is done next. One order at a time. */
export class TeamLead {
  readonly #words: Int32Array;
  #steps = 0;
  #most = 1;

  /** Over `teamBytes` zeroed bytes at an address of a shared memory. */
  constructor(memory: WebAssembly.Memory, address: number) {
    this.#words = teamWords(memory, address);
  }

  /** What followers are to be invited with. */
  get term(): number {
    return Atomics.load(this.#words, word.term);
  }

  /** Wakes up to `most - 1` followers for an order; whoever has come takes part in the steps. `end` must follow. */
  begin(order: Order, most: number): void {
    const words = this.#words;
    order.forEach((value, index) => void Atomics.store(words, word.order + index, value));
    Atomics.store(words, word.step, -1);
    Atomics.store(words, word.failed, 0);
    this.#most = Math.min(most, maxParts);
    this.#publish(1);
    this.#wake();
  }

  /**
   * Runs the next step with all who have joined; returns when all of it is done. In one part for each of them, or in as
   * many as are asked for: such steps are short, and whoever has fallen asleep between two of them is left alone, because
   * it shares a processor with this thread (that of a halted virtual one is often not taken). Throws `FollowerError`, and
   * `worker_died` when somebody who has begun does not end: should that one go on, it writes to what is in use for
   * something else.
   */
  run(work: (share: Share) => void, asked?: number): void {
    const words = this.#words;
    const parts = asked ?? this.#members;
    Atomics.store(words, word.arrived, 0);
    const isFirst = Atomics.add(words, word.step, 1) === -1;
    this.#publish(parts);
    if (asked === undefined || isFirst) this.#wake();
    let own = 1;
    try {
      work({ index: 0, parts });
      // What nobody has begun by now is faster done than waited for.
      for (let share = take(words); share !== null; share = take(words)) {
        own += 1;
        work(share);
      }
    } finally {
      // Whoever has begun writes to memory that is used for something else afterwards, also when this thread has failed.
      while (take(words) !== null) own += 1;
      this.#awaitOthers(parts - own);
    }
    if (Atomics.load(words, word.failed) !== 0) throw new FollowerError();
  }

  /** The order is done, or given up. Followers stay for the next one. */
  end(): void {
    this.#publish(0);
  }

  /** Sends all followers away, so that they take their messages; must not be called between `begin` and `end`. */
  dismiss(): void {
    Atomics.add(this.#words, word.term, 1);
    this.#publish(0);
    Atomics.notify(this.#words, word.state);
  }

  get #members(): number {
    return Math.min(this.#most, 1 + Atomics.load(this.#words, word.joined));
  }

  /** Offers a step of so many parts, the first of which is taken; 0: there is no work. */
  #publish(parts: number): void {
    this.#steps = (this.#steps + 1) & 0x7fff;
    Atomics.store(this.#words, word.state, (this.#steps << 16) | (parts << 8) | Math.min(parts, 1));
  }

  /** Wakes as many as are missing; who falls asleep meanwhile sees the new state first. */
  #wake(): void {
    const missing = this.#members - 1 - Atomics.load(this.#words, word.awake);
    if (missing > 0) Atomics.notify(this.#words, word.state, missing);
  }

  #awaitOthers(count: number): void {
    const words = this.#words;
    for (;;) {
      const arrived = Atomics.load(words, word.arrived);
      if (arrived >= count) return;
      if (spin(words, word.arrived, arrived)) continue;
      if (Atomics.wait(words, word.arrived, arrived, timeoutMs) === 'timed-out') throw stuck();
    }
  }
}

/** Takes parts of all steps until the lead sends its followers away, or nothing came for a while. Throws what `work` throws. */
export function followTeam({ memory, address, term }: TeamPlace, work: (task: Task) => void): void {
  const words = teamWords(memory, address);
  Atomics.add(words, word.awake, 1);
  Atomics.add(words, word.joined, 1);
  try {
    for (;;) {
      const state = Atomics.load(words, word.state);
      if (Atomics.load(words, word.term) !== term) return;
      const share = take(words);
      if (share !== null) perform(words, share, work);
      else if (!awaitWork(words, state)) return;
    }
  } finally {
    Atomics.sub(words, word.joined, 1);
    Atomics.sub(words, word.awake, 1);
  }
}

/** The next part of the step that nobody has taken, or null. */
function take(words: Int32Array): Share | null {
  for (;;) {
    const state = Atomics.load(words, word.state);
    const share = { index: state & 255, parts: partsOf(state) };
    if (share.index >= share.parts) return null;
    if (Atomics.compareExchange(words, word.state, state, state + 1) === state) return share;
  }
}

function perform(words: Int32Array, share: Share, work: (task: Task) => void): void {
  const [first, second, third] = [0, 1, 2].map((index) => Atomics.load(words, word.order + index));
  try {
    work({ order: [first, second, third] as Order, step: Atomics.load(words, word.step), share });
  } catch (error) {
    Atomics.store(words, word.failed, 1);
    throw error;
  } finally {
    Atomics.add(words, word.arrived, 1);
    Atomics.notify(words, word.arrived);
  }
}

/** Until the state is another one; false when it stayed for so long that a follower should go. */
function awaitWork(words: Int32Array, state: number): boolean {
  const isIdle = partsOf(state) === 0;
  if (!isIdle && spin(words, word.state, state)) return true;
  Atomics.sub(words, word.awake, 1);
  let isSame = true;
  // In pieces, because the end of an order wakes nobody.
  for (let waitedMs = 0; isSame && waitedMs < (isIdle ? stayMs : timeoutMs); waitedMs += stayMs) {
    isSame = Atomics.wait(words, word.state, state, stayMs) === 'timed-out';
  }
  Atomics.add(words, word.awake, 1);
  return !isSame;
}

/** Whether a word has got another value within a moment. By the clock: code that is not optimised yet loops slowly. */
function spin(words: Int32Array, index: number, value: number): boolean {
  const endMs = performance.now() + spinMs;
  do if (Atomics.load(words, index) !== value) return true;
  while (performance.now() < endMs);
  return false;
}

function partsOf(state: number): number {
  return (state >> 8) & 255;
}

function teamWords(memory: WebAssembly.Memory, address: number): Int32Array {
  return new Int32Array(memory.buffer, address, teamBytes / 4);
}

function stuck(): VecinityError {
  return new VecinityError('worker_died', 'A thread of the WASM engine does not end its part of a text.');
}
