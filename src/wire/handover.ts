/**
 * Tells a Service Worker's successor to take over when there is a moment without requests. Chromium 156 stops the former
 * worker once its requests have ended, and when another one arrives just then, starts it again and forgets that it was to
 * go, for five minutes or until it has slept (`ServiceWorkerVersion::StartWorkerInternal` clears
 * `needs_to_be_terminated_asap_`). This can go once it remembers.
 */

/** Long enough to come between two requests of a page, and not between the two halves of one turn of its code. */
const quietMs = 300;
/** Where requests follow each other without a moment between them, it is waited for so long. */
const mostMs = 60_000;

export class Handover {
  readonly #takeOver: () => boolean;
  #open = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Since the first request after a quiet moment. */
  #limit: ReturnType<typeof setTimeout> | undefined;

  /**
   * `takeOver` is called after every stretch of work, and now and then in a long one; whether somebody waits is for it to
   * see. It says false while it is too early to tell: then it is called again.
   */
  constructor(takeOver: () => boolean) {
    this.#takeOver = takeOver;
  }

  /** Settles as the work does. */
  async during<T>(work: Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    this.#limit ??= setTimeout(() => this.#tell(), mostMs);
    this.#open += 1;
    try {
      return await work;
    } finally {
      this.#open -= 1;
      if (this.#open === 0) this.#wait();
    }
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      if (!this.#tell()) this.#wait();
    }, quietMs);
  }

  #tell(): boolean {
    clearTimeout(this.#limit);
    this.#limit = undefined;
    return this.#takeOver();
  }
}
