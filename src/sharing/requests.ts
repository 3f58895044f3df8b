/**
 * The asking side of a tab: every request that is open, sent again to the next leader until it is answered, once.
 * Requests change nothing that a second run would change again, so each may be run more than once; one that leaders
 * keep dying of is given up.
 */

import { abortError, fromErrorData, toVecinityError, VecinityError, wordsOf } from '../errors.js';
import type { CallLife, EngineCall, Operation } from '../wire/engine-line.js';
import { poisonError } from '../wire/engine-port.js';
import type { ToFollower, ToLeader } from './messages.js';

/** Engines and leading tabs that may die over one request: a crashed tab does not say what it died of. */
const maxDeaths = 3;

/** What the answer of any leader is right for: the others depend on what that leader has loaded. */
export const pureOperations: ReadonlySet<Operation> = new Set(['embeddings', 'rerank', 'exchange']);

/** Where requests go at the moment. */
export interface LeaderLine {
  epoch: string;
  /** How a request gets there, and what is said about it later. */
  way(call: EngineCall): (message: ToLeader) => void;
}

interface OpenRequest {
  id: number;
  call: EngineCall;
  life: CallLife;
  /** Engines and leading tabs that died while they worked on this request. */
  deaths: number;
  /** A leader has it, and has not been pardoned since. */
  atWork: boolean;
  /** The leader that it was sent to last, which may have been left since, and how to tell it something. */
  epoch: string;
  tell(message: ToLeader): void;
  settle(outcome: { value: unknown } | { error: VecinityError }): void;
}

export class Requests {
  readonly #open = new Map<number, OpenRequest>();
  #lastId = 0;
  #leader: LeaderLine | null = null;

  /** Requests without an answer. */
  get size(): number {
    return this.#open.size;
  }

  /** Settles with the engine's answer, `aborted`, `engine_crashed` when engines died of it, or what `end` was given. */
  add(call: EngineCall, life: CallLife = {}): Promise<unknown> {
    const { signal } = life;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      this.#lastId += 1;
      const id = this.#lastId;
      const onAbort = () => this.#abort(id, signal);
      const request: OpenRequest = {
        ...{ id, call, life, deaths: 0, atWork: false, epoch: '', tell: () => {} },
        settle: (outcome) => {
          this.#open.delete(id);
          signal?.removeEventListener('abort', onAbort);
          if ('error' in outcome) reject(outcome.error);
          else resolve(outcome.value);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#open.set(id, request);
      this.#send(request);
    });
  }

  /**
   * Sends everything that is open to this leader. What makes models come and go is first, because the rest needs it, in
   * its own order: what was loaded after it was let go of shall be there. A leader that is gone without a word may have
   * died of what it had.
   */
  follow(leader: LeaderLine): void {
    for (const request of this.#open.values()) if (request.atWork) this.#countDeath(request);
    this.pardon();
    this.#leader = leader;
    const isFirst = ({ call }: OpenRequest) => call.operation === 'load' || call.operation === 'unload';
    const open = [...this.#open.values()];
    for (const request of [...open.filter(isFirst), ...open.filter((other) => !isFirst(other))]) this.#send(request);
  }

  /** Everything waits for the next leader. */
  leave(): void {
    this.#leader = null;
  }

  /** The leader that was left did not die: what it had is not to blame. */
  pardon(): void {
    for (const request of this.#open.values()) request.atWork = false;
  }

  /** Reads what a leader says. Of one that was left only answers count: they are as right as the next one's. */
  receive(message: ToFollower): void {
    const request = 'id' in message ? this.#open.get(message.id) : undefined;
    if (!request) return;
    if (message.epoch !== this.#leader?.epoch) {
      this.#hearLate(request, message);
      return;
    }
    if (message.type === 'accepted') request.atWork = true;
    if (message.type === 'progress') report(request, message.progress);
    if (message.type === 'result') request.settle({ value: message.value });
    if (message.type === 'error') request.settle({ error: fromErrorData(message.error) });
    if (message.type === 'died') this.#countDeath(request);
  }

  /** Rejects everything that is open. */
  end(error: VecinityError): void {
    for (const request of this.#open.values()) this.#cancel(request);
    for (const request of this.#open.values()) request.settle({ error });
    this.#leader = null;
  }

  #abort(id: number, signal: AbortSignal | undefined): void {
    const request = this.#open.get(id);
    if (!request || !signal) return;
    this.#cancel(request);
    request.settle({ error: abortError(signal) });
  }

  #hearLate(request: OpenRequest, message: ToFollower): void {
    if (message.type !== 'result' || !pureOperations.has(request.call.operation)) return;
    this.#cancel(request);
    request.settle({ value: message.value });
  }

  #countDeath(request: OpenRequest): void {
    request.deaths += 1;
    if (request.deaths >= maxDeaths) request.settle({ error: poisonError(request.deaths) });
  }

  #send(request: OpenRequest): void {
    const leader = this.#leader;
    if (!leader) return;
    try {
      const { id, call, deaths, life } = request;
      const [watched, abortable] = [life.onProgress !== undefined, life.signal !== undefined];
      request.epoch = leader.epoch;
      request.tell = leader.way(call);
      request.tell({ type: 'request', epoch: leader.epoch, id, call, deaths, watched, abortable });
    } catch (cause) {
      const reason = wordsOf(cause);
      const message = `The request holds something that cannot be posted to another tab: ${reason}`;
      request.settle({ error: new VecinityError('invalid_request', message, { cause }) });
    }
  }

  /** Also said to a leader that was left: one that was only silent still has the request, and may lead on. */
  #cancel({ id, epoch, tell }: OpenRequest): void {
    tell({ type: 'cancel', epoch, id });
  }
}

/** A callback that throws ends its own request only. */
function report({ life, settle }: OpenRequest, progress: Parameters<NonNullable<CallLife['onProgress']>>[0]): void {
  try {
    life.onProgress?.(progress);
  } catch (thrown) {
    settle({ error: toVecinityError(thrown) });
  }
}
