/**
 * The life of one model name in an engine: loading, ready or failed. Callers share one load; each may give up waiting
 * for it, and the load itself ends only when the last one has.
 */
import type { DevicePreference, DtypePreference } from '../backend/backend.js';
import type { ResilientBackend } from '../backend/resilient.js';
import { abortError, toVecinityError, VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';
import { rejection, untilAbort } from '../pause.js';
import type { Attempt, LoadProgress, ModelState, ModelStatus } from './engine.js';
import { LoadTracker } from './load-progress.js';
import type { LoadedModel } from './loaded-model.js';
import { type EngineParts, loadModel } from './model-loader.js';

export interface EntryOptions {
  id: string;
  /** The name as it was given: a URL or hub id says more than the id. */
  name: string;
  device: DevicePreference;
  dtype: DtypePreference;
  revision: string | undefined;
}

export interface WaitOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

export class ModelEntry {
  readonly options: EntryOptions;
  readonly #tracker: LoadTracker;
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(progress: LoadProgress) => void>();
  readonly #loaded: Promise<LoadedModel>;
  #waiting = 0;
  #state: ModelState = 'loading';
  #spec: ModelSpec | null = null;
  #model: LoadedModel | null = null;
  #backend: ResilientBackend | null = null;
  #error: VecinityError | null = null;
  #tried: () => Attempt[] = () => [];

  /** Begins to load the model, or is one of which it is known that it could not be loaded. */
  constructor(parts: EngineParts, options: EntryOptions, failure?: VecinityError) {
    this.options = options;
    const tellAll = (progress: LoadProgress): void => {
      for (const listener of this.#listeners) listener(progress);
    };
    this.#tracker = new LoadTracker(options.id, tellAll, parts.now);
    if (failure) this.#stop(failure);
    this.#loaded = failure ? Promise.reject(failure) : this.#load(parts);
    // Whoever waits gets the error; a load that nobody waits for any more is not an unhandled rejection.
    this.#loaded.catch(() => {});
  }

  /** Whether requests can expect an answer from this model, now or once it is loaded. */
  get usable(): boolean {
    return this.#state === 'loading' || (this.#state === 'ready' && !this.#backend?.failure);
  }

  get queue(): { inputs: number; tokens: number } {
    return this.#model?.queue ?? { inputs: 0, tokens: 0 };
  }

  get status(): ModelStatus {
    const error = this.#error ?? this.#backend?.failure ?? null;
    return {
      id: this.options.id,
      state: error && this.#state === 'ready' ? 'failed' : this.#state,
      spec: this.#spec,
      backend: this.#backend?.info ?? null,
      tried: this.#tried(),
      recoveries: this.#backend?.recoveries ?? 0,
      progress: this.#tracker.snapshot,
      error: error && { code: error.code, message: error.message },
    };
  }

  /** Waits for the model. Rejects with the load's error, or `aborted`; the last to give up ends the load. */
  async wait({ signal, onProgress }: WaitOptions = {}): Promise<LoadedModel> {
    if (signal?.aborted) throw abortError(signal);
    if (this.#model) return this.#model;
    const given = rejection();
    const giveUp = () => signal && given.reject(abortError(signal));
    const listen = (progress: LoadProgress) => tell(onProgress, progress, given.reject);
    signal?.addEventListener('abort', giveUp);
    this.#listeners.add(listen);
    this.#waiting += 1;
    try {
      listen(this.#tracker.snapshot);
      return await Promise.race([this.#loaded, given.promise]);
    } finally {
      signal?.removeEventListener('abort', giveUp);
      this.#listeners.delete(listen);
      this.#waiting -= 1;
      if (this.#waiting === 0 && this.#state === 'loading')
        this.#stop(new VecinityError('aborted', 'The load was aborted.'));
    }
  }

  /** Ends the load or the model; everyone who waits is told `disposed`. */
  async dispose(): Promise<void> {
    const model = this.#model;
    this.#stop(new VecinityError('disposed', `The model ${this.options.id} was unloaded.`));
    this.#state = 'unloaded';
    await model?.dispose();
  }

  #stop(reason: VecinityError): void {
    this.#controller.abort(reason);
    if (this.#state !== 'loading') return;
    this.#state = 'failed';
    this.#error = reason;
  }

  async #load(parts: EngineParts): Promise<LoadedModel> {
    const { name, device, dtype, revision } = this.options;
    const { signal } = this.#controller;
    const loading = loadModel(parts, {
      ...{ model: name, device, dtype, revision, signal, tracker: this.#tracker },
      onSpec: (spec) => {
        this.#spec = spec;
      },
      onLadder: (tried) => {
        this.#tried = tried;
      },
    });
    try {
      const { model, backend } = await untilAbort(loading, signal);
      if (signal.aborted) throw abortError(signal);
      return this.#become(model, backend);
    } catch (thrown) {
      // A model that comes too late is let go.
      if (signal.aborted) loading.then(({ model }) => model.dispose()).catch(() => {});
      if (this.#state === 'loading') this.#state = 'failed';
      this.#error ??= toVecinityError(thrown);
      throw this.#error;
    }
  }

  #become(model: LoadedModel, backend: ResilientBackend): LoadedModel {
    this.#model = model;
    this.#backend = backend;
    this.#state = 'ready';
    this.#tracker.ready();
    return model;
  }
}

/** A callback that throws ends the wait of its own caller only, and one that changes what it is told changes its own copy. */
function tell(
  onProgress: WaitOptions['onProgress'],
  progress: LoadProgress,
  fail: (error: VecinityError) => void,
): void {
  try {
    onProgress?.(structuredClone(progress));
  } catch (thrown) {
    fail(toVecinityError(thrown));
  }
}
