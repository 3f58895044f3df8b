/**
 * Which model may be loaded next where memory is limited. Loads whose sizes are known run side by side as far as they
 * fit; one of unknown size, or one that does not fit while others are busy, runs alone, so that two loads never go
 * beyond the limit together. Whoever waits may leave.
 */
import { abortError, type VecinityError } from '../errors.js';

/** What a model needs, as far as turns are concerned. */
export interface Loadable {
  /** From when it was last loaded; null before. */
  sizeBytes: number | null;
  /** True while it is in memory. */
  awake: boolean;
  /** Callers that wait for its load in the engine; above 0 it is being loaded. */
  loaders: number;
}

interface Waiter<Model> {
  model: Model;
  start: () => void;
  fail: (error: VecinityError) => void;
}

export class LoadTurns<Model extends Loadable> {
  /** In the order of their coming. */
  readonly #waiters = new Set<Waiter<Model>>();
  readonly #loading = new Set<Model>();
  /** Frees what can be freed and says whether that is enough for so many bytes beside what is loaded. */
  readonly #makeRoom: (bytes: number, model: Model) => boolean;

  constructor(makeRoom: (bytes: number, model: Model) => boolean) {
    this.#makeRoom = makeRoom;
  }

  /** Bytes of the loads that are under way. */
  get loadingBytes(): number {
    return [...this.#loading].reduce((sum, { awake, sizeBytes }) => sum + (awake ? 0 : (sizeBytes ?? 0)), 0);
  }

  isWaiting(model: Model): boolean {
    return [...this.#waiters].some((waiter) => waiter.model === model);
  }

  /** Resolves when this model may be loaded, or is being loaded; `end` has to follow. Rejects with the caller's abort. */
  begin(model: Model, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', giveUp);
      };
      const fail = (error: VecinityError) => {
        leave();
        reject(error);
      };
      const start = () => {
        leave();
        model.loaders += 1;
        this.#loading.add(model);
        resolve();
      };
      const giveUp = () => {
        if (signal) fail(abortError(signal));
        this.#next();
      };
      const waiter: Waiter<Model> = { model, start, fail };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', giveUp);
      if (signal?.aborted) giveUp();
      else this.#next();
    });
  }

  /** The caller's load has ended, in whichever way. */
  end(model: Model): void {
    model.loaders -= 1;
    if (model.loaders > 0) return;
    this.#loading.delete(model);
    this.#next();
  }

  /** Sends everyone away who waits for this model; everyone at all without one. */
  refuse(error: VecinityError, model?: Model): void {
    for (const waiter of [...this.#waiters]) if (model === undefined || waiter.model === model) waiter.fail(error);
  }

  /** Nobody overtakes a model that has to wait; callers for a load that is under way join it. */
  #next(): void {
    let blocked = false;
    for (const { model, start } of [...this.#waiters]) {
      if (model.loaders > 0 || (!blocked && this.#mayStart(model))) start();
      else blocked = true;
    }
  }

  #mayStart(model: Model): boolean {
    const isAlone = this.#loading.size === 0;
    const isKnown = [model, ...this.#loading].every(({ sizeBytes }) => sizeBytes !== null);
    if (!isAlone && !isKnown) return false;
    return this.#makeRoom((model.sizeBytes ?? 0) + this.loadingBytes, model) || isAlone;
  }
}
