/**
 * The page's line to an engine worker that may die: starts it on the first call, tells it the options, loads the same
 * models again after a death, and ends every wait. Knows nothing of embeddings.
 */
import { transfer } from 'comlink';
import type { ApiConfig, EngineConfig } from '../config.js';
import type { LoadOptions, ModelStatus } from '../core/engine.js';
import type { EnginePast } from '../core/past.js';
import { abortError, toErrorData, toVecinityError, VecinityError, wordsOf } from '../errors.js';
import { untilAbort } from '../pause.js';
import type { WireRequest, WireResponse } from '../protocol.js';
import { installTransferHandlers, releaseCall } from '../wire/calls.js';
import { withEnd } from '../wire/ended.js';
import { disposedError } from '../wire/engine-line.js';
import { EnginePort } from '../wire/engine-port.js';
import { ModelNames } from '../wire/names.js';
import { EngineSession, type EngineWorker, type RemoteEngine } from './engine-session.js';

const heartbeatMs = 5_000;
const missedBeats = 4;
const missedBeatsAtStart = 24;
/** Before a model is asked for once more that a new worker could not load again. */
const reloadPauseMs = 2_000;

export interface EngineLinkOptions {
  startWorker(): EngineWorker;
  engine: EngineConfig;
  api: ApiConfig;
  /** Engines of other tabs that had this one's place. */
  ended?: EnginePast['ended'] | undefined;
  /** Called when a worker is gone, whatever the reason; what it had accepted is lost. */
  onEnd(error: VecinityError): void;
}

export class EngineLink {
  readonly #options: EngineLinkOptions;
  /** How each was asked for: by loads without an answer, and by the last one that succeeded. */
  readonly #models = new Map<string, Set<LoadOptions>>();
  readonly #names = new ModelNames();
  /** Of those, what this session's worker could not load again, with the time of it. */
  readonly #missing = new Map<string, number>();
  /** What could not be loaded at all: the next worker tells those who ask for it why. */
  readonly #failed = new Map<string, VecinityError>();
  #ended: EnginePast['ended'];
  #session: EngineSession | null = null;
  /** To the engine of this session, for all whole requests; opened by the first. */
  #port: EnginePort | null = null;
  #disposed = false;

  constructor(options: EngineLinkOptions) {
    installTransferHandlers();
    this.#options = options;
    this.#ended = options.ended ?? [];
  }

  /** Runs one call on the worker. Throws the worker's own errors, `aborted`, `worker_died` or `disposed`. */
  async call<T>(work: (api: RemoteEngine) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) throw abortError(signal);
    const answer = this.#open().wait(work).catch(rethrowClearly);
    return await (signal ? untilAbort(answer, signal) : answer);
  }

  /** `call` for methods that take a signal and a progress callback; `options` is what the method is given. */
  async callWith<O extends { signal?: AbortSignal }, T>(
    options: O,
    work: (api: RemoteEngine, options: O) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.call((api) => work(api, options), options.signal);
    } finally {
      releaseCall(options);
    }
  }

  /**
   * Loads a model; after a death of the worker it is loaded again before any other call. Models keep the order in which
   * they were asked for, however fast each comes: the first one answers requests that name none.
   */
  async load(model: string, options: LoadOptions): Promise<ModelStatus> {
    const loading = this.callWith(options, (api, line) => api.load(model, line));
    const { signal: _, ...kept } = options;
    const asked = this.#models.get(model) ?? new Set();
    // After the call: a worker that it has started would be asked for the model twice.
    this.#models.set(model, asked.add(kept));
    this.#failed.delete(model);
    try {
      const status = await loading;
      this.#names.learn(model, status);
      asked.clear();
      asked.add(kept);
      return status;
    } catch (error) {
      asked.delete(kept);
      // One that was unloaded, or asked for otherwise, meanwhile stays as it is.
      if (asked.size === 0 && this.#models.get(model) === asked) this.#giveUp(model, toVecinityError(error));
      throw error;
    }
  }

  #giveUp(model: string, error: VecinityError): void {
    this.#models.delete(model);
    this.#missing.delete(model);
    // Who called it off knows why it is not there.
    if (error.code !== 'aborted') this.#failed.set(model, whyNot(model, error));
  }

  async unload(model: string): Promise<void> {
    const isIt = this.#names.same(model);
    for (const known of [this.#models, this.#missing, this.#failed])
      for (const name of known.keys()) if (isIt(name)) known.delete(name);
    await this.call((api) => api.unload(model));
  }

  /** Gives a port to the engine, which says `hello` at once even while it loads models. */
  async connect(port: MessagePort): Promise<void> {
    await this.#open().wait((api) => api.connect(transfer(port, [port])));
  }

  /** One whole request, answered by the engine's API. Throws `aborted`, `worker_died` or `disposed`. */
  async exchange(request: WireRequest, signal: AbortSignal): Promise<WireResponse> {
    return await this.call(() => this.#openPort().send(request, signal), signal);
  }

  /** Ends the worker; waiting and later calls reject with `disposed`. */
  dispose(): void {
    this.#disposed = true;
    this.#session?.end(disposedError());
  }

  #open(): EngineSession {
    if (this.#disposed) throw disposedError();
    if (this.#session) this.#askForMissing(this.#session);
    this.#session ??= this.#start();
    return this.#session;
  }

  #openPort(): EnginePort {
    if (this.#port) return this.#port;
    const { port1, port2 } = new MessageChannel();
    const port = new EnginePort(port1);
    this.#port = port;
    // An engine that refuses its options refuses every port; the next request asks again.
    this.connect(port2).catch((error: unknown) => {
      if (this.#port === port) this.#closePort(toVecinityError(error));
    });
    return port;
  }

  #closePort(error: VecinityError): void {
    this.#port?.close(error);
    this.#port = null;
  }

  #start(): EngineSession {
    const session = new EngineSession(startClearly(this.#options.startWorker), {
      heartbeatMs,
      missedBeats,
      missedBeatsAtStart,
      onEnd: (error) => {
        this.#session = null;
        this.#missing.clear();
        this.#ended = withEnd(this.#ended, error.message, Date.now());
        this.#closePort(error);
        this.#options.onEnd(error);
      },
    });
    // A worker that cannot be made ready is of no use: whoever waits sees why, and the next call tries again.
    this.#prepare(session).catch((error: unknown) => session.end(toVecinityError(error)));
    return session;
  }

  /**
   * Everything is posted at once: the worker reads it in order, so no later call overtakes it. One model of several that
   * cannot be loaded again leaves the others at work; the worker tells those who ask for it why.
   */
  async #prepare(session: EngineSession): Promise<void> {
    const { engine, api } = this.#options;
    const failed = [...this.#failed].map(([model, error]) => ({ model, error: toErrorData(error) }));
    const past = { ended: this.#ended, failed };
    const configured = session.wait((remote) => remote.configure(engine, api, past));
    const loads = [...this.#models.keys()].map((model) => this.#loadAgain(session, model));
    await configured;
    const failures = (await Promise.all(loads)).filter((failure) => failure !== null);
    if (failures.length > 0 && failures.length === loads.length) throw failures[0];
  }

  /** The reason why not, or null. */
  async #loadAgain(session: EngineSession, model: string): Promise<VecinityError | null> {
    const [kept] = [...(this.#models.get(model) ?? [])].slice(-1);
    const options = { ...kept };
    this.#missing.delete(model);
    try {
      await session.wait((remote) => remote.load(model, options));
      return null;
    } catch (thrown) {
      if (session === this.#session && this.#models.has(model)) this.#missing.set(model, performance.now());
      return toVecinityError(thrown);
    } finally {
      releaseCall(options);
    }
  }

  #askForMissing(session: EngineSession): void {
    for (const [model, failedAt] of [...this.#missing])
      if (performance.now() - failedAt >= reloadPauseMs) void this.#loadAgain(session, model);
  }
}

/** A frame without an origin, or a policy of the site, forbids workers at once and in the platform's own words. */
function startClearly(startWorker: () => EngineWorker): EngineWorker {
  try {
    return startWorker();
  } catch (cause) {
    if (cause instanceof VecinityError) throw cause;
    const reason = wordsOf(cause);
    throw new VecinityError('worker_died', `The engine worker cannot be started here: ${reason}`, { cause });
  }
}

/** What cannot be posted to a worker (a function, a symbol) fails in the platform's own words too. */
function rethrowClearly(thrown: unknown): never {
  if (!(thrown instanceof DOMException && thrown.name === 'DataCloneError')) throw thrown;
  const message = `The request holds something that cannot be posted to the engine worker: ${thrown.message}`;
  throw new VecinityError('invalid_request', message, { cause: thrown });
}

/** A worker that died over a model is gone; the next one only knows that it was so. */
function whyNot(model: string, error: VecinityError): VecinityError {
  if (error.code !== 'worker_died') return error;
  return new VecinityError('engine_crashed', `The model ${model} could not be loaded: ${error.message}`);
}
