/** The engine's linear memory: a bump allocator and typed views that stay valid when the memory grows. */
import { VecinityError } from '../../errors.js';
import { inMebibytes } from '../memory.js';
import { writeConstants } from './constants.js';

const pageBytes = 65_536;
const maximumPages = 65_536;
/** Growing costs a copy on some hosts, so it is done in steps of 4 MiB. */
const stepPages = 64;
/** Cache lines, so that no two structures share one. */
const alignment = 64;
/** What lies below belongs to the kernels' constants. */
const firstAddress = 1024;

export class Heap {
  readonly memory: WebAssembly.Memory;
  #end = firstAddress;
  #i8 = new Int8Array(0);
  #i16 = new Int16Array(0);
  #i32 = new Int32Array(0);
  #f32 = new Float32Array(0);

  /** Over a memory of its own, or over one that another thread shares (which alone allocates in it). */
  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    writeConstants(memory);
  }

  /** Bytes allocated so far, the constants included: an image of `[0, usedBytes)` holds everything. */
  get usedBytes(): number {
    return this.#end;
  }

  /** Address of `bytes` zeroed bytes, aligned to 64. Throws `out_of_memory` when the device has no more. */
  allocate(bytes: number): number {
    const address = this.#end;
    const end = address + Math.ceil(bytes / alignment) * alignment;
    this.#reserve(end);
    this.#end = end;
    return address;
  }

  get i8(): Int8Array {
    this.#refresh();
    return this.#i8;
  }

  get i16(): Int16Array {
    this.#refresh();
    return this.#i16;
  }

  get i32(): Int32Array {
    this.#refresh();
    return this.#i32;
  }

  get f32(): Float32Array {
    this.#refresh();
    return this.#f32;
  }

  #reserve(end: number): void {
    const missing = Math.ceil(end / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (missing <= 0) return;
    if (this.#grow(Math.max(missing, stepPages)) === null) return;
    const error = this.#grow(missing);
    if (error !== null) {
      const has = inMebibytes(this.memory.buffer.byteLength);
      const message = `The WASM engine needs ${inMebibytes(end)} of memory and gets no more than the ${has} it has.`;
      throw new VecinityError('out_of_memory', message, { cause: error });
    }
  }

  /** Null when it worked, else what was thrown: the maximum may be nearer than a whole step. */
  #grow(pages: number): unknown {
    try {
      this.memory.grow(pages);
      return null;
    } catch (error) {
      return error;
    }
  }

  // A private memory detaches its buffer when it grows, a shared one hands out a longer one.
  #refresh(): void {
    const { buffer } = this.memory;
    if (this.#i8.byteLength === buffer.byteLength && this.#i8.buffer === buffer) return;
    this.#i8 = new Int8Array(buffer);
    this.#i16 = new Int16Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#f32 = new Float32Array(buffer);
  }
}

/**
 * A new memory; shared ones can be posted to other threads and need cross-origin isolation in a browser. Hosts set the
 * maximum of a shared memory aside as addresses, which small devices do not have without end: then it is halved, down to
 * `leastBytes`. Throws `out_of_memory`.
 */
export function createMemory(
  shared: boolean,
  mostBytes = maximumPages * pageBytes,
  leastBytes = mostBytes,
): WebAssembly.Memory {
  const least = Math.min(maximumPages, Math.ceil(leastBytes / pageBytes));
  let maximum = Math.min(maximumPages, Math.ceil(mostBytes / pageBytes));
  for (;;) {
    try {
      return new WebAssembly.Memory({ initial: 1, maximum, ...(shared ? { shared: true } : {}) });
    } catch (cause) {
      if (maximum > least) maximum = Math.max(least, maximum >> 1);
      else throw noAddresses(maximum * pageBytes, cause);
    }
  }
}

function noAddresses(bytes: number, cause: unknown): VecinityError {
  const message = `The WASM engine could not set ${inMebibytes(bytes)} of memory aside.`;
  return new VecinityError('out_of_memory', message, { cause });
}
