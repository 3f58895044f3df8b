/**
 * A thread of the pool, seen from the inside: takes its model once, then computes what it is sent. Works on the shared
 * memory of the pool, or on its own copy of the weights where memory cannot be shared.
 */
import { type ErrorData, toErrorData } from '../../errors.js';
import { release } from '../../release.js';
import { Computer, type ModelSetup, type Part, scratchBytes, type ThreadPlace, usualBytes } from './computer.js';
import { createMemory, Heap } from './heap.js';
import { Region } from './region.js';
import { releaseSlices, type Slice } from './slices.js';

/** The memory of the pool, or an image of what lies in it. */
export type ThreadMemory = WebAssembly.Memory | ArrayBuffer;

export interface ThreadStart {
  type: 'start';
  id: number;
  module: WebAssembly.Module;
  memory: ThreadMemory;
  setup: ModelSetup;
}

/** Slices to compute: those that a shared counter gives, or all. */
export interface ThreadSlices {
  type: 'slices';
  id: number;
  slices: Slice[];
  /** Where the counter and this thread's working memory are; null for threads with their own memory. */
  shared: { counter: number; base: number } | null;
}

/** Joins a team for as long as it has work; the answer comes when the thread is back. */
export interface ThreadTeam {
  type: 'team';
  id: number;
  /** Address of the words of the team, and its invitation. */
  address: number;
  term: number;
  place: ThreadPlace;
}

export type ToThread = ThreadStart | ThreadSlices | ThreadTeam;

export type FromThread =
  | { type: 'part'; id: number; part: Part }
  | { type: 'done'; id: number }
  | { type: 'error'; id: number; error: ErrorData };

/** What is used of a worker's global scope, or of a port of Node. */
export interface ThreadPort {
  postMessage(message: FromThread, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

/** Answers every message on this port: each with a result or with an error as data. */
export function serveThread(port: ThreadPort): void {
  let thread: Thread | null = null;
  port.addEventListener('message', ({ data }) => {
    // Only `connection.ts` posts here, and both are built together.
    const message = data as ToThread;
    try {
      if (message.type === 'start') thread = new Thread(message);
      const part = message.type === 'start' ? null : (thread?.compute(message) ?? null);
      if (part === null) port.postMessage({ type: 'done', id: message.id }, []);
      else port.postMessage({ type: 'part', id: message.id, part }, [part.values.buffer]);
    } catch (thrown) {
      port.postMessage({ type: 'error', id: message.id, error: toErrorData(thrown) }, []);
    }
  });
}

class Thread {
  readonly #heap: Heap;
  readonly #region: Region;
  readonly #computer: Computer;
  readonly #setup: ModelSetup;

  constructor({ module, memory, setup }: ThreadStart) {
    this.#heap = memory instanceof ArrayBuffer ? copyHeap(memory) : new Heap(memory);
    this.#region = new Region(this.#heap, usualBytes(setup, 1));
    this.#computer = new Computer(module, this.#heap, setup);
    this.#setup = setup;
  }

  compute(message: ThreadSlices | ThreadTeam): Part | null {
    if (message.type === 'slices') {
      const part = this.#slices(message);
      releaseSlices(message.slices);
      return part;
    }
    const { address, term, place } = message;
    this.#computer.follow({ memory: this.#heap.memory, address, term }, place);
    return null;
  }

  #slices({ slices, shared }: ThreadSlices): Part {
    if (shared !== null) return this.#computer.runSlices(slices, counterAt(this.#heap, shared.counter), shared.base);
    const base = this.#region.atLeast(scratchBytes(this.#setup.plan, slices, 1));
    let next = 0;
    return this.#computer.runSlices(slices, () => next++, base);
  }
}

/** Gives every number once to all threads that count here. */
export function counterAt(heap: Heap, address: number): () => number {
  const words = new Int32Array(heap.memory.buffer, address, 1);
  return () => Atomics.add(words, 0, 1);
}

/** Addresses stay what they were, so the image goes to where it came from. */
function copyHeap(image: ArrayBuffer): Heap {
  const heap = new Heap(createMemory(false));
  heap.allocate(image.byteLength - heap.usedBytes);
  heap.i8.set(new Int8Array(image));
  release(image);
  return heap;
}
