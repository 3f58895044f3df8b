/** The engine's linear memory: a bump allocator and typed views that stay valid when the memory grows. */
import { VecinityError } from '../../errors.js';
import { writeConstants } from './constants.js';

const pageBytes = 65_536;
const maximumPages = 65_536;
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

  /** Address of `bytes` zeroed bytes, aligned to 64. Throws `backend_failed` when the device has no more memory. */
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
    try {
      this.memory.grow(missing);
    } catch (error) {
      const needed = Math.ceil(end / 2 ** 20);
      throw new VecinityError('backend_failed', `The WASM engine could not get ${needed} MiB of memory.`, {
        cause: error,
      });
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

/** A new memory; shared ones can be posted to other threads and need cross-origin isolation in a browser. */
export function createMemory(shared: boolean): WebAssembly.Memory {
  return new WebAssembly.Memory(
    shared ? { initial: 1, maximum: maximumPages, shared: true } : { initial: 1, maximum: maximumPages },
  );
}
