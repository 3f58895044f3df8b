/**
 * Threads that work on one text together, step by step, over words of shared memory. One leads: it never waits for a
 * thread that has not begun, so a short text is not held up by a thread that is slow to wake; who comes later takes part
 * from the next step on. Sleeps, does not spin long.
 */
import { VecinityError } from '../../errors.js';

/** Words `[state, joined, arrived, failed]`; `state` is the step's number and, in its low byte, who takes part. */
export const teamBytes = 16;

/** A wake-up costs tens of microseconds; a step's end is often nearer than that. */
const spins = 20_000;
/** Far above any step: a thread that does not arrive by then is dead. */
const timeoutMs = 30_000;
const ended = -1;
const maxMembers = 255;

const word = { state: 0, joined: 1, arrived: 2, failed: 3 } as const;

/** One thread's part of a step: the `index`th of `members` equal parts. */
export interface Share {
  index: number;
  members: number;
}

/** The thread that says what is done next. One piece of work at a time; its followers must have ended before the next. */
export class TeamLead {
  readonly #words: Int32Array;
  #step = 0;

  /** Over `teamBytes` at an address of a shared memory. */
  constructor(memory: WebAssembly.Memory, address: number) {
    this.#words = teamWords(memory, address);
    this.#words.fill(0);
  }

  /** Runs the next step with all who have joined; returns when everyone's part is done. Throws `backend_failed` when one failed. */
  run(work: (share: Share) => void): void {
    const words = this.#words;
    const members = Math.min(maxMembers, 1 + Atomics.load(words, word.joined));
    this.#step += 1;
    Atomics.store(words, word.arrived, 0);
    Atomics.store(words, word.state, this.#step * 256 + members);
    Atomics.notify(words, word.state);
    work({ index: 0, members });
    for (;;) {
      const arrived = Atomics.load(words, word.arrived);
      if (arrived === members - 1) break;
      awaitChange(words, word.arrived, arrived);
    }
    if (Atomics.load(words, word.failed) !== 0) throw failed();
  }

  /** Lets everyone go; must be called once, also after a failure. */
  end(): void {
    Atomics.store(this.#words, word.state, ended);
    Atomics.notify(this.#words, word.state);
  }
}

/** Takes part in every step that begins after this call until the lead ends the work; `step` counts from 0. */
export function followTeam(
  memory: WebAssembly.Memory,
  address: number,
  work: (step: number, share: Share) => void,
): void {
  const words = teamWords(memory, address);
  const index = Atomics.add(words, word.joined, 1) + 1;
  let state = Atomics.load(words, word.state);
  for (; state !== ended; state = awaitChange(words, word.state, state)) {
    const members = state & 255;
    if (index >= members) continue;
    try {
      work((state >> 8) - 1, { index, members });
    } catch (error) {
      Atomics.store(words, word.failed, 1);
      throw error;
    } finally {
      Atomics.add(words, word.arrived, 1);
      Atomics.notify(words, word.arrived);
    }
  }
}

/** The word's value once it is no longer `value`. Throws `backend_failed` when it stays for too long. */
function awaitChange(words: Int32Array, index: number, value: number): number {
  for (let i = 0; i < spins; i++) {
    const now = Atomics.load(words, index);
    if (now !== value) return now;
  }
  for (;;) {
    if (Atomics.wait(words, index, value, timeoutMs) === 'timed-out') throw failed();
    const now = Atomics.load(words, index);
    // A thread that was interrupted between a change and its call wakes those who have long seen that change.
    if (now !== value) return now;
  }
}

function teamWords(memory: WebAssembly.Memory, address: number): Int32Array {
  return new Int32Array(memory.buffer, address, teamBytes / 4);
}

function failed(): VecinityError {
  return new VecinityError('backend_failed', 'A thread of the WASM engine failed in the middle of a text.');
}
