/**
 * Packs many channels of 8-bit codes at once, by a kernel that is compiled before the first of them comes: a script that
 * has just begun takes several times as long, when a page waits for its model.
 */
import { laneLimit, laneSpan } from './channel.js';
import type { Heap } from './heap.js';
import type { Kernels } from './kernels.js';
import { type LinearPlan, weightBytes } from './plan.js';

export class CodePacker {
  readonly #heap: Heap;
  readonly #pack: Kernels['pack'];
  readonly #staging: number;
  readonly #stagingBytes: number;

  /** Takes at most `stagingBytes` bytes of codes at once. */
  constructor(heap: Heap, pack: Kernels['pack'], stagingBytes: number) {
    this.#heap = heap;
    this.#pack = pack;
    this.#staging = heap.allocate(stagingBytes);
    this.#stagingBytes = stagingBytes;
  }

  /** Whether `codes`, `[columns, width]`, are a linear's columns from `first` on now; else they are to be written one by one. */
  write(linear: LinearPlan, first: number, codes: Int8Array): boolean {
    const { address, form, width } = linear;
    if (weightBytes(form) > 1 || codes.length > this.#stagingBytes) return false;
    this.#heap.i8.set(codes, this.#staging);
    const span = laneSpan(form);
    const largest = this.#pack(address, this.#staging, first, codes.length / width, span);
    // Lanes of two codes cannot overflow.
    return span <= 4 || largest <= laneLimit;
  }
}
