/**
 * The models that a tab has loaded: each new leader is asked for them before anything else. One of several that fails
 * does not keep the others from their work; it is asked for again after a while.
 */
import type { CallLife, EngineCall } from '../wire/engine-line.js';
import type { Surroundings } from './surroundings.js';

/** Before models that could not be loaded are asked for again; doubles each time. */
const shortestPauseMs = 1_000;
const longestPauseMs = 8_000;

/** How a model is asked for. */
interface KeptModel {
  call: EngineCall;
  life: CallLife;
}

export interface KeptModelsOptions {
  around: Pick<Surroundings, 'after'>;
  /** Asks whoever leads. */
  ask(call: EngineCall, life: CallLife): Promise<unknown>;
  /** Hears that none could be loaded; whether there is to be no further try because another tab shall lead. */
  giveUp(pauseMs: number): boolean;
}

export class KeptModels {
  readonly #options: KeptModelsOptions;
  readonly #models = new Map<string, KeptModel>();
  /** Until they are loaded, or the leader who was asked is left. */
  #asking: AbortController | null = null;
  #stopPause = () => {};
  #pauseMs = shortestPauseMs;

  constructor(options: KeptModelsOptions) {
    this.#options = options;
  }

  /** A load that has succeeded; its signal is not kept, which is the business of that one call. */
  keep(model: string, call: EngineCall, { onProgress }: CallLife): void {
    this.#models.set(model, { call, life: onProgress ? { onProgress } : {} });
  }

  forget(model: string): void {
    this.#models.delete(model);
  }

  /** Asks a new leader for all of them. */
  askForAll(): void {
    this.stop();
    this.#asking = new AbortController();
    void this.#askFor([...this.#models.keys()], this.#asking.signal);
  }

  /** The leader who was asked is left, or the tab is. */
  stop(): void {
    this.#stopPause();
    this.#asking?.abort();
    this.#asking = null;
  }

  async #askFor(names: readonly string[], signal: AbortSignal): Promise<void> {
    // What was let go of during a pause is asked for no more.
    const models = [...this.#models].filter(([name]) => names.includes(name));
    const { ask } = this.#options;
    const ends = await Promise.allSettled(models.map(([, { call, life }]) => ask(call, { ...life, signal })));
    if (signal.aborted) return;
    const failed = models.filter((_, at) => ends[at]?.status === 'rejected');
    if (failed.length > 0)
      this.#tryLater(
        failed.map(([name]) => name),
        signal,
      );
    else this.#pauseMs = shortestPauseMs;
  }

  #tryLater(names: readonly string[], signal: AbortSignal): void {
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    const { around, giveUp } = this.#options;
    if (names.length >= this.#models.size && giveUp(pauseMs)) return;
    this.#stopPause = around.after(pauseMs, () => void this.#askFor(names, signal));
  }
}
