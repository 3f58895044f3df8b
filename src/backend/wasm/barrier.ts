/** Where threads that work on one text wait for each other: three words of shared memory. Sleeps, does not spin long. */
import { VecinityError } from '../../errors.js';

export const barrierBytes = 12;

/** A wake-up costs tens of microseconds; a phase's end is often nearer than that. */
const spins = 2_000;
/** Far above any phase: a thread that does not arrive by then is dead. */
const timeoutMs = 30_000;

export class Barrier {
  readonly #words: Int32Array;
  readonly #threads: number;

  /** Over words `[arrived, generation, failed]` at an address of a shared memory. */
  constructor(memory: WebAssembly.Memory, address: number, threads: number) {
    this.#words = new Int32Array(memory.buffer, address, 3);
    this.#threads = threads;
  }

  /** Returns when every thread has called it. Throws `backend_failed` when one of them failed or does not come. */
  wait(): void {
    const generation = Atomics.load(this.#words, 1);
    if (Atomics.add(this.#words, 0, 1) === this.#threads - 1) {
      Atomics.store(this.#words, 0, 0);
      Atomics.add(this.#words, 1, 1);
      Atomics.notify(this.#words, 1);
    } else {
      this.#await(generation);
    }
    if (Atomics.load(this.#words, 2) !== 0) throw failed();
  }

  /** Lets everyone who waits, now or later, throw. */
  fail(): void {
    Atomics.store(this.#words, 2, 1);
    Atomics.add(this.#words, 1, 1);
    Atomics.notify(this.#words, 1);
  }

  /** Ready for another use; only while nobody waits. */
  reset(): void {
    Atomics.store(this.#words, 0, 0);
    Atomics.store(this.#words, 2, 0);
  }

  #await(generation: number): void {
    for (let i = 0; i < spins; i++) if (Atomics.load(this.#words, 1) !== generation) return;
    const result = Atomics.wait(this.#words, 1, generation, timeoutMs);
    if (result === 'timed-out') throw failed();
  }
}

function failed(): VecinityError {
  return new VecinityError('backend_failed', 'A thread of the WASM engine failed in the middle of a text.');
}
