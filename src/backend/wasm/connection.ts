/** The wire to one thread of the pool: its messages, its answers, and its death. What it is sent is decided in `pool.ts`. */
import { fromErrorData, VecinityError } from '../../errors.js';
import type { WithoutId } from '../../protocol.js';
import type { Part } from './computer.js';
import type { FromThread, ToThread } from './thread.js';

/** What is used of a `Worker`; a thread of Node fits with a thin adapter. */
export interface ThreadWorker {
  postMessage(message: ToThread, transfer?: Transferable[]): void;
  terminate(): void;
  addEventListener(
    type: 'message' | 'error' | 'messageerror',
    listener: (event: { readonly data?: unknown; readonly message?: string; preventDefault?(): void }) => void,
  ): void;
}

interface Waiter {
  resolve(part: Part | null): void;
  reject(error: VecinityError): void;
}

/** One thread, seen from the outside: every call ends, by an answer or with the thread. */
export class ThreadConnection {
  readonly #worker: ThreadWorker;
  readonly #waiters = new Map<number, Waiter>();
  #nextId = 1;
  #closed: VecinityError | null = null;

  constructor(worker: ThreadWorker) {
    this.#worker = worker;
    worker.addEventListener('message', ({ data }) => this.#settle(data as FromThread));
    worker.addEventListener('error', (event) => {
      // Else it would end this worker too, which can go on without the thread or say what happened.
      event.preventDefault?.();
      this.close(died(event.message));
    });
    worker.addEventListener('messageerror', () => this.close(died('a message could not be read')));
  }

  call(message: WithoutId<ToThread>, transfer: Transferable[] = []): Promise<Part | null> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#worker.postMessage({ ...message, id } as ToThread, transfer);
    });
  }

  close(error: VecinityError): void {
    this.#closed ??= error;
    this.#worker.terminate();
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
  }

  #settle(message: FromThread): void {
    const waiter = this.#waiters.get(message.id);
    this.#waiters.delete(message.id);
    if (message.type === 'error') waiter?.reject(fromErrorData(message.error));
    else waiter?.resolve(message.type === 'part' ? message.part : null);
  }
}

function died(reason: string | undefined): VecinityError {
  return new VecinityError('worker_died', `A thread of the WASM engine died: ${reason ?? 'no reason given'}.`);
}
