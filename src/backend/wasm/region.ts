/** A piece of a heap that is used again for every pass and grows when one needs more. */
import type { Heap } from './heap.js';

export class Region {
  readonly #heap: Heap;
  readonly #leastBytes: number;
  #address = 0;
  #bytes = 0;

  /** Sets `leastBytes` aside with the first allocation: what is not written to takes addresses and no memory. */
  constructor(heap: Heap, leastBytes: number) {
    this.#heap = heap;
    this.#leastBytes = leastBytes;
  }

  /** Address of at least `bytes` bytes. What an earlier call gave is not used any more. */
  atLeast(bytes: number): number {
    if (bytes <= this.#bytes) return this.#address;
    // The heap frees nothing: at the end it can be prolonged, anywhere else growing by half bounds what is lost.
    if (this.#address + this.#bytes === this.#heap.usedBytes && this.#bytes > 0) {
      this.#heap.allocate(bytes - this.#bytes);
    } else {
      this.#address = this.#allocate(bytes, Math.max(bytes, this.#bytes * 1.5, this.#leastBytes));
    }
    this.#bytes = this.#heap.usedBytes - this.#address;
    return this.#address;
  }

  /** What is wished for, or where memory is scarce what is needed. Throws `out_of_memory`. */
  #allocate(neededBytes: number, wishedBytes: number): number {
    try {
      return this.#heap.allocate(wishedBytes);
    } catch (error) {
      if (wishedBytes === neededBytes) throw error;
      return this.#heap.allocate(neededBytes);
    }
  }
}
