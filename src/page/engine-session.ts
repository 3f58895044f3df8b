/**
 * One life of the engine worker, from its start to its death. Comlink never settles a call whose worker died, so every
 * call is raced here against the worker's `error`, `messageerror`, a lost heartbeat and our own `end`.
 */
import { type Remote, wrap } from 'comlink';
import { terminateAfter } from '../ending.js';
import { VecinityError } from '../errors.js';
import type { EngineWorkerApi } from '../protocol.js';
import { NoScript } from '../wire/engine-line.js';

/** What the session needs of a `Worker`; tests give a `MessageChannel` in this shape. */
export interface EngineWorker extends EventTarget {
  postMessage(message: unknown, transfer: Transferable[]): void;
  terminate(): void;
}

export type RemoteEngine = Remote<EngineWorkerApi>;

export interface SessionOptions {
  /** Between two looks at a worker that has calls to answer. */
  heartbeatMs: number;
  /** Looks in a row without an answer before the worker counts as dead. Looks, not time: a suspended page must not kill. */
  missedBeats: number;
  /** The same before its first answer, while its script may still be on the way. */
  missedBeatsAtStart: number;
  onEnd(error: VecinityError): void;
}

/** Comlink drops a call whose proxy was collected while it waits, so a session is held here as long as it lives. */
const living = new Set<EngineSession>();

export class EngineSession {
  readonly api: RemoteEngine;
  readonly #terminateWorker: () => void;
  readonly #worker: EngineWorker;
  readonly #options: SessionOptions;
  readonly #waiters = new Set<(error: VecinityError) => void>();
  #cause: VecinityError | null = null;
  #timer: ReturnType<typeof setInterval> | null = null;
  #missed = 0;
  #allowed: number;
  /** The page is told that it sleeps from now on, or sleeps. */
  #isGoing = false;

  constructor(worker: EngineWorker, options: SessionOptions) {
    this.#worker = worker;
    this.#options = options;
    this.#allowed = options.missedBeatsAtStart;
    this.api = remember(wrap<EngineWorkerApi>(worker));
    // No event tells of a `terminate()` by whoever made the worker, so the call itself is watched.
    this.#terminateWorker = worker.terminate.bind(worker);
    worker.terminate = () => this.end(died('it was terminated'));
    worker.addEventListener('error', this.#onError);
    worker.addEventListener('messageerror', this.#onMessageError);
    for (const [target, type] of goings()) target.addEventListener(type, this.#onGoing);
    living.add(this);
  }

  /** Settles as `work` does, or rejects with the reason of the worker's death, whichever is first. */
  async wait<T>(work: (api: RemoteEngine) => Promise<T>): Promise<T> {
    if (this.#cause) throw this.#cause;
    let waiter: (error: VecinityError) => void = () => {};
    const death = new Promise<never>((_, reject) => {
      waiter = reject;
    });
    this.#waiters.add(waiter);
    try {
      const answer = work(this.api);
      // The worker is at it meanwhile.
      this.#startHeart();
      return await Promise.race([answer, death]);
    } finally {
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) this.#missed = 0;
    }
  }

  /** Rejects every waiting call with `error`, and terminates the worker as soon as its own workers have ended. */
  end(error: VecinityError): void {
    if (this.#cause) return;
    this.#cause = error;
    this.#stopHeart();
    this.#worker.removeEventListener('error', this.#onError);
    this.#worker.removeEventListener('messageerror', this.#onMessageError);
    if (this.#isGoing) this.#terminate();
    else void terminateAfter(this.api.end(), () => this.#terminate());
    for (const reject of this.#waiters) reject(error);
    this.#waiters.clear();
    this.#options.onEnd(error);
  }

  #terminate(): void {
    living.delete(this);
    for (const [target, type] of goings()) target.removeEventListener(type, this.#onGoing);
    this.#terminateWorker();
  }

  /**
   * Nothing is called back in a page that sleeps, and a worker that sleeps with it holds its memory; whoever ends this
   * session then may hear of it before or after.
   */
  readonly #onGoing = ({ type }: Event) => {
    this.#isGoing = type === 'freeze' || type === 'pagehide';
    if (this.#isGoing && this.#cause) this.#terminate();
  };

  readonly #onError = (event: Event) => {
    // A script that cannot be fetched gives a bare event without a message.
    const message = 'message' in event && typeof event.message === 'string' ? event.message : '';
    this.end(message ? died(message) : died('its script could not be loaded (see workerUrl)', new NoScript()));
  };

  readonly #onMessageError = () => this.end(died('a message to or from it could not be read'));

  #startHeart(): void {
    if (this.#timer !== null) return;
    this.#timer = setInterval(() => this.#beat(), this.#options.heartbeatMs);
    // Its script may be on the way or long be there: the first answer tells, and a death after it shows sooner.
    if (this.#allowed !== this.#options.missedBeats) this.#ping();
  }

  #stopHeart(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#missed = 0;
  }

  /** Stops by itself: to start and stop it for every call takes a query a noticeable part of its time. */
  #beat(): void {
    if (this.#waiters.size === 0) {
      this.#stopHeart();
      return;
    }
    if (this.#missed >= this.#allowed) {
      this.end(died('it stopped answering'));
      return;
    }
    this.#missed += 1;
    this.#ping();
  }

  #ping(): void {
    // A rejected ping is an answer too: the worker is alive.
    const answered = () => {
      this.#missed = 0;
      this.#allowed = this.#options.missedBeats;
    };
    void this.api.ping().then(answered, answered);
  }
}

/** Comlink makes a proxy for every method, each time anew and watched for its collection; these are kept. */
function remember<T extends object>(remote: T): T {
  const kept = new Map<PropertyKey, unknown>();
  return new Proxy(remote, {
    get(target, name) {
      const known: unknown = kept.get(name) ?? Reflect.get(target, name);
      kept.set(name, known);
      return known;
    },
  });
}

/** What a page is told of before and after it sleeps. A client in a worker is told of nothing. */
function goings(): [EventTarget, string][] {
  if (typeof document === 'undefined') return [];
  return [
    [document, 'freeze'],
    [document, 'resume'],
    [window, 'pagehide'],
    [window, 'pageshow'],
  ];
}

function died(reason: string, cause?: Error): VecinityError {
  const message = `The engine worker died: ${reason}. The next call starts a new one.`;
  return new VecinityError('worker_died', message, { cause });
}
