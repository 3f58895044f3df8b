/**
 * The models that a tab has loaded: each new leader is asked for them before anything else. One of several that fails
 * does not keep the others from their work; it is asked for again after a while.
 */
import type { ModelStatus } from '../core/engine.js';
import type { CallLife, EngineCall } from '../wire/engine-line.js';
import { ModelNames } from '../wire/names.js';
import type { Requests } from './requests.js';
import type { Surroundings } from './surroundings.js';

/** Before models that could not be loaded are asked for again; doubles each time. */
const shortestPauseMs = 1_000;
const longestPauseMs = 8_000;

type Load = Extract<EngineCall, { operation: 'load' }>;

export interface KeptModelsOptions {
  around: Pick<Surroundings, 'after'>;
  /** Where they are asked for. */
  requests: Pick<Requests, 'add'>;
  /** Hears that none could be loaded; whether there is to be no further try because another tab shall lead. */
  giveUp(pauseMs: number): boolean;
}

export class KeptModels {
  readonly #options: KeptModelsOptions;
  /** How each is asked for. */
  readonly #models = new Map<string, [Load, CallLife]>();
  readonly #names = new ModelNames();
  /** Loads without an answer, of models that were not let go of since. */
  readonly #coming = new Set<Load>();
  /** Fires when the leader who was asked is left. */
  #asking = new AbortController();
  #stopPause = () => {};
  #pauseMs = shortestPauseMs;

  constructor(options: KeptModelsOptions) {
    this.#options = options;
  }

  /** Settles as the load does; its signal is for this one call. */
  async keep(loading: Promise<unknown>, call: Load, { onProgress }: CallLife): Promise<unknown> {
    this.#coming.add(call);
    try {
      const value = await loading;
      // The answer to a load.
      this.#names.learn(call.argument.model, value as ModelStatus);
      if (this.#coming.has(call)) this.#models.set(call.argument.model, [call, onProgress ? { onProgress } : {}]);
      return value;
    } finally {
      this.#coming.delete(call);
    }
  }

  forget(model: string): void {
    const isIt = this.#names.same(model);
    for (const name of this.#models.keys()) if (isIt(name)) this.#models.delete(name);
    for (const call of this.#coming) if (isIt(call.argument.model)) this.#coming.delete(call);
  }

  /** Asks a new leader for all of them, once the one before was left. */
  askForAll(): void {
    this.#asking = new AbortController();
    void this.#askFor([...this.#models.keys()]);
  }

  /** The leader who was asked is left, or the tab is. */
  stop(): void {
    this.#stopPause();
    this.#asking.abort();
  }

  async #askFor(names: readonly string[]): Promise<void> {
    const { signal } = this.#asking;
    const failed: string[] = [];
    const ask = async (name: string) => {
      const [call, life] = this.#models.get(name) ?? [];
      // What was let go of during a pause is asked for no more.
      if (call) await this.#options.requests.add(call, { ...life, signal }).catch(() => failed.push(name));
    };
    await Promise.all(names.map(ask));
    if (signal.aborted) return;
    const missing = failed.filter((name) => this.#models.has(name));
    if (missing.length > 0) this.#tryLater(missing);
    else this.#pauseMs = shortestPauseMs;
  }

  #tryLater(names: readonly string[]): void {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    const { around, giveUp } = this.#options;
    if (names.length >= this.#models.size && giveUp(pauseMs)) return;
    this.#stopPause = around.after(pauseMs, () => void this.#askFor(names));
  }
}
