/** The engine of a tab in virtual time: slow, failing and dying by a seed. */
import { abortError, VecinityError } from '../../src/errors.js';
import type { CallLife, EngineCall, EngineLine, EngineResult, Operation } from '../../src/wire/engine-line.js';
import type { Random } from './simulated-platform.js';
import type { Tab } from './simulated-tab.js';
import type { Browser } from './simulated-tabs.js';

export interface Faults {
  /** Chance that an engine dies in a run. */
  engineDies: number;
  /** Chance that a model cannot be loaded. */
  loadFails: number;
  /** Chance that the last words of a tab that goes are lost, its farewell among them. */
  wordsLost: number;
  /** Default 300. */
  longestRunMs?: number;
}

const model = 'model';

/** Answers a text with itself, once its model is loaded; a text with `poison` in it kills it. */
export class SimulatedEngine implements EngineLine {
  readonly #browser: Browser;
  readonly #tab: Tab;
  readonly #faults: Faults;
  readonly #random: Random;
  readonly #running = new Set<(error: VecinityError) => void>();
  #loaded: Promise<unknown> | null = null;
  #disposed = false;

  constructor(browser: Browser, tab: Tab, faults: Faults, random: Random) {
    this.#browser = browser;
    this.#tab = tab;
    this.#faults = faults;
    this.#random = random;
  }

  run<O extends Operation>(call: EngineCall<O>, life: CallLife = {}): Promise<EngineResult<O>> {
    // The simulation gives back whatever was asked.
    return this.#answer(call as EngineCall, life) as Promise<EngineResult<O>>;
  }

  async connect(): Promise<void> {}

  dispose(): void {
    this.#disposed = true;
    this.#browser.engines.delete(this);
    this.#end(new VecinityError('disposed', 'The engine was disposed.'));
  }

  async #answer({ operation, argument }: EngineCall, { signal, client }: CallLife): Promise<unknown> {
    if (this.#disposed) throw new VecinityError('disposed', 'The engine was disposed.');
    if (operation === 'load') return this.#join(signal);
    if (operation === 'status') return this.#wait(this.#browser.between(0, 20), null);
    if (operation === 'unload') {
      this.#loaded = null;
      return this.#browser.unloads.push(argument);
    }
    const leave = this.#browser.begin(this.#tab, argument, client);
    try {
      if (!this.#loaded) throw new VecinityError('model_not_loaded', 'The model was not asked for.');
      await this.#loaded;
      return await this.#compute(argument, signal);
    } finally {
      leave();
    }
  }

  #compute(text: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    const isDeadly = String(text).includes('poison') || this.#random() < this.#faults.engineDies;
    const durationMs = this.#browser.between(1, this.#faults.longestRunMs ?? 300);
    if (isDeadly) this.#browser.work(this.#tab, durationMs, () => this.#die());
    return this.#wait(durationMs + (isDeadly ? 1 : 0), text, signal);
  }

  /** Who calls the load off waits no longer; it goes on for the others. */
  #join(signal: AbortSignal | undefined): Promise<unknown> {
    if (!this.#loaded) {
      const loading = this.#load();
      this.#loaded = loading;
      loading.catch(() => {
        if (this.#loaded === loading) this.#loaded = null;
      });
    }
    const loaded = this.#loaded;
    return new Promise((resolve, reject) => {
      loaded.then(resolve, reject);
      if (signal?.aborted) reject(abortError(signal));
      signal?.addEventListener('abort', () => reject(abortError(signal)));
    });
  }

  async #load(): Promise<unknown> {
    await this.#wait(this.#browser.between(20, 400), model);
    if (this.#random() >= this.#faults.loadFails) return model;
    throw new VecinityError('download_failed', 'The model could not be loaded.');
  }

  /** The worker is replaced and loads its models again, as `EngineLink` does it. */
  #die(): void {
    if (!this.#disposed) this.#browser.mourn(this.#tab);
    this.#end(new VecinityError('worker_died', 'The engine worker died.'));
  }

  #end(error: VecinityError): void {
    for (const reject of [...this.#running]) reject(error);
    this.#running.clear();
  }

  #wait(delayMs: number, value: unknown, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      this.#running.add(reject);
      signal?.addEventListener('abort', () => reject(abortError(signal)));
      this.#browser.work(this.#tab, delayMs, () => {
        this.#running.delete(reject);
        resolve(value);
      });
    });
  }
}
