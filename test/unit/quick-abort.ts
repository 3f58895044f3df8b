/**
 * `AbortController` without Node's event machinery, which takes most of the time of a simulation: what the requests
 * between tabs use of it, alike in order and effect.
 */

class QuickSignal {
  aborted = false;
  reason: unknown;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  fire(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
    this.#listeners.clear();
  }
}

/** A global for tests: `vi.stubGlobal('AbortController', QuickAbortController)`. */
export class QuickAbortController {
  readonly signal = new QuickSignal();

  abort(reason: unknown = 'aborted'): void {
    this.signal.fire(reason);
  }
}
