/**
 * `AbortController` without Node's event machinery, which takes most of the time of a simulation: what the requests
 * between tabs use of it, alike in order and effect.
 */

class QuickSignal {
  aborted = false;
  reason: unknown;
  /** One or two, so that a list is less to make and to search than a set. */
  #listeners: (() => void)[] = [];

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.#listeners.includes(listener)) this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  fire(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }
}

/** A global for tests: `vi.stubGlobal('AbortController', QuickAbortController)`. */
export class QuickAbortController {
  readonly signal = new QuickSignal();

  abort(reason: unknown = 'aborted'): void {
    this.signal.fire(reason);
  }
}
