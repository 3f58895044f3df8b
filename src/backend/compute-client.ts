/**
 * A backend that lives in a compute worker, seen from the engine worker: messages out, promises back.
 * The worker is the unit of recovery: when it dies, hangs or is disposed, everything in flight ends at once and it is
 * not used again. Replacing it is the business of `resilient.ts`.
 */
import { abortError, fromErrorData, toVecinityError, VecinityError } from '../errors.js';
import { longestTimerMs, unref } from '../pause.js';
import type { FromCompute, Question, ToCompute, WithoutId } from '../protocol.js';
import type { Backend, BackendInfo, BackendLoadOptions, BackendRequest, TokenBatch } from './backend.js';

/** What is used of a `Worker`, which may have work to do before it ends; a thread of Node fits with a thin adapter. */
export interface WorkerLike {
  postMessage(message: ToCompute, transfer: Transferable[]): void;
  /** Resolves when its memory is free; one that is known to hang is given less time to end by itself. */
  terminate(isHung: boolean): Promise<unknown>;
  addEventListener(type: 'message' | 'error' | 'messageerror', listener: (event: WorkerEvent) => void): void;
}

/** The parts of `MessageEvent` and `ErrorEvent` that are read. */
export interface WorkerEvent {
  readonly data?: unknown;
  readonly message?: string;
  /** An uncaught error that nobody takes for dealt with goes on to the worker's owner, and would end that too. */
  preventDefault?(): void;
}

export interface ComputeOptions extends BackendLoadOptions {
  createWorker: () => WorkerLike;
  request: BackendRequest;
  /** A run that takes longer is given up together with its worker. */
  runTimeoutMs: number;
  /** A load that shows no sign of life for this long is given up. */
  loadTimeoutMs?: number;
}

const defaultLoadTimeoutMs = 300_000;

/** How long `dispose` waits for the worker to let go of its device by itself. */
const disposeTimeoutMs = 1_000;

type Answer = Exclude<FromCompute, { type: 'progress' | 'ended' }>;

interface Waiter {
  resolve(answer: Answer): void;
  reject(error: VecinityError): void;
  /** When time is up, by `performance.now()`. */
  dueMs: number;
}

/** Starts a compute worker and loads a model in it. Rejects as the loader does, and with `worker_died`, `timeout`, `aborted`. */
export async function createComputeBackend(options: ComputeOptions): Promise<Backend> {
  if (options.signal?.aborted) throw abortError(options.signal);
  const connection = new ComputeConnection(options.createWorker());
  try {
    const loaded = await load(connection, options);
    return new ComputeBackend(connection, loaded, options.runTimeoutMs);
  } catch (thrown) {
    const closed = new VecinityError('disposed', 'The model could not be loaded.');
    connection.close(closed, { isScarce: toVecinityError(thrown).code === 'out_of_memory' });
    await connection.gone;
    throw thrown;
  }
}

type Loaded = Extract<FromCompute, { type: 'loaded' }>;

async function load(connection: ComputeConnection, options: ComputeOptions): Promise<Loaded> {
  const { signal, onProgress, request, loadTimeoutMs = defaultLoadTimeoutMs } = options;
  const answer = connection.call({ type: 'load', request }, { timeoutMs: loadTimeoutMs, what: 'loading' });
  if (onProgress) connection.onProgress = (message) => onProgress(message.progress);
  // Ending the worker ends its downloads too.
  const cancel = (): void => {
    if (signal) connection.close(abortError(signal));
  };
  signal?.addEventListener('abort', cancel);
  try {
    return expectType(await answer, 'loaded');
  } finally {
    signal?.removeEventListener('abort', cancel);
    connection.onProgress = null;
  }
}

class ComputeBackend implements Backend {
  readonly info: BackendInfo;
  readonly width: number;
  readonly padded: boolean;
  readonly lanes: number;
  readonly #connection: ComputeConnection;
  readonly #runTimeoutMs: number;

  constructor(connection: ComputeConnection, loaded: Loaded, runTimeoutMs: number) {
    this.#connection = connection;
    this.#runTimeoutMs = runTimeoutMs;
    this.info = loaded.info;
    this.width = loaded.width;
    this.padded = loaded.padded;
    this.lanes = loaded.lanes;
  }

  async run(batch: TokenBatch): Promise<Float32Array> {
    const limit = { timeoutMs: this.#runTimeoutMs, what: 'a run' };
    const answer = this.#connection.call({ type: 'run', batch }, limit, batchBuffers(batch));
    return expectType(await answer, 'result').values;
  }

  async dispose(): Promise<void> {
    const closed = new VecinityError('disposed', 'The model was unloaded.');
    this.#connection.rejectAll(closed);
    // Who is late with this may be in the middle of a long run.
    const limit = { timeoutMs: disposeTimeoutMs, what: 'disposing', isHang: false };
    // Whether the worker lets go in time or not, it ends here; its answer changes nothing.
    await this.#connection.call({ type: 'dispose' }, limit).catch(() => {});
    this.#connection.close(closed);
    await this.#connection.gone;
  }
}

interface CallLimit {
  timeoutMs: number;
  /** Named in the error when time is up. */
  what: string;
  /** Whether a worker that is late hangs; default true. */
  isHang?: boolean;
}

/** Calls by id on one worker, each of which ends: by an answer, in time, or with the worker. */
class ComputeConnection {
  onProgress: ((message: Extract<FromCompute, { type: 'progress' }>) => void) | null = null;
  /** When a worker that hung or found no memory has let go of its own: the next one shall not come to lie beside it. */
  gone: Promise<unknown> = Promise.resolve();
  readonly #worker: WorkerLike;
  readonly #waiters = new Map<number, Waiter & CallLimit>();
  #closed: VecinityError | null = null;
  #lastId = 0;
  /** One for all calls, left running after the last: to set and clear one takes a query a noticeable part of its time. */
  #alarm: ReturnType<typeof setTimeout> | undefined;
  #alarmMs = Number.POSITIVE_INFINITY;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    // Only the other side of this protocol posts here, and both are built together.
    worker.addEventListener('message', (event) => this.#receive(event.data as FromCompute));
    worker.addEventListener('error', (event) => {
      event.preventDefault?.();
      this.#die(event.message || 'it did not start or threw an error');
    });
    worker.addEventListener('messageerror', () => this.#die('a message could not be read'));
  }

  call(message: WithoutId<Question>, limit: CallLimit, transfer: Transferable[] = []): Promise<Answer> {
    const id = ++this.#lastId;
    const answer = new Promise<Answer>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      const dueMs = performance.now() + limit.timeoutMs;
      this.#waiters.set(id, { resolve, reject, dueMs, ...limit });
      this.#setAlarm(dueMs);
    });
    // The union loses the link between `type` and the rest when `id` is added back.
    this.#post({ ...message, id } as Question, transfer);
    return answer;
  }

  #post(message: Question, transfer: Transferable[]): void {
    if (this.#closed) return;
    try {
      this.#worker.postMessage(message, transfer);
    } catch (thrown) {
      this.#waiters.get(message.id)?.reject(new VecinityError('internal_error', String(thrown), { cause: thrown }));
      this.#waiters.delete(message.id);
    }
  }

  /**
   * Ends the worker, which may be known to hang or to hold memory that is scarce; whatever waits, and whatever is asked
   * later, rejects with this error.
   */
  close(error: VecinityError, { isHung = false, isScarce = false } = {}): void {
    if (this.#closed) return;
    this.#closed = error;
    clearTimeout(this.#alarm);
    const gone = this.#worker.terminate(isHung);
    if (isHung || isScarce) this.gone = gone;
    this.rejectAll(error);
  }

  rejectAll(error: VecinityError): void {
    for (const [id, waiter] of this.#waiters) {
      this.#waiters.delete(id);
      waiter.reject(error);
    }
  }

  #receive(message: FromCompute): void {
    if (message.type === 'ended') return;
    const waiter = this.#waiters.get(message.id);
    if (!waiter) return;
    if (message.type === 'progress') {
      this.#progress(waiter, message);
      return;
    }
    this.#waiters.delete(message.id);
    if (message.type === 'error') waiter.reject(fromErrorData(message.error));
    else waiter.resolve(message);
  }

  /** A sign of life: the time limit starts again. */
  #progress(waiter: Waiter & CallLimit, message: Extract<FromCompute, { type: 'progress' }>): void {
    waiter.dueMs = performance.now() + waiter.timeoutMs;
    this.onProgress?.(message);
  }

  #setAlarm(dueMs: number): void {
    if (dueMs >= this.#alarmMs) return;
    clearTimeout(this.#alarm);
    this.#alarmMs = dueMs;
    this.#alarm = unref(setTimeout(() => this.#ring(), Math.min(dueMs - performance.now(), longestTimerMs)));
  }

  /** Ends what is late; for the others it rings again when the first of them is due. */
  #ring(): void {
    this.#alarmMs = Number.POSITIVE_INFINITY;
    const due = [...this.#waiters.values()].sort((a, b) => a.dueMs - b.dueMs)[0];
    if (due && due.dueMs <= performance.now()) this.#expire(due);
    else if (due) this.#setAlarm(due.dueMs);
  }

  #die(reason: string): void {
    this.close(new VecinityError('worker_died', `The compute worker died: ${reason}.`));
  }

  #expire({ what, timeoutMs, isHang = true }: CallLimit): void {
    const message = `The compute worker did not finish ${what} within ${timeoutMs} ms.`;
    this.close(new VecinityError('timeout', message), { isHung: isHang });
  }
}

function expectType<T extends Answer['type']>(answer: Answer, type: T): Extract<Answer, { type: T }> {
  // The check makes the narrowing sound; a generic discriminant is more than the compiler follows.
  if (answer.type === type) return answer as Extract<Answer, { type: T }>;
  throw new VecinityError('internal_error', `The compute worker answered '${answer.type}' instead of '${type}'.`);
}

function batchBuffers(batch: TokenBatch): Transferable[] {
  const arrays = [batch.inputIds, batch.offsets, batch.typeIds, batch.skippedTokens].filter((array) => array != null);
  // A view of shared memory is copied by `postMessage`; only own buffers can be handed over.
  return arrays.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}
