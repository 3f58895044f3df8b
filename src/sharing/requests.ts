/**
 * The asking side of a tab: every request that is open, sent again to the next leader until it is answered, once.
 * Requests change nothing that a second run would change again, so each may be run more than once.
 */

import { abortError, fromErrorData, toVecinityError, VecinityError } from '../errors.js';
import type { CallLife, EngineCall } from '../wire/engine-line.js';
import { poisonError } from '../wire/engine-port.js';
import type { ToFollower, ToLeader } from './messages.js';

/** Engines that may be lost to one request. */
const attempts = 3;

/** Where requests go at the moment. */
export interface LeaderLine {
  epoch: string;
  send(message: ToLeader): void;
}

interface OpenRequest {
  id: number;
  call: EngineCall;
  life: CallLife;
  /** Leaders and engines that took this request; the last one may still be at work. */
  taken: number;
  atWork: boolean;
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

  /** Settles with the engine's answer, `aborted`, `engine_crashed` after three lost engines, or what `end` was given. */
  add(call: EngineCall, life: CallLife = {}): Promise<unknown> {
    const { signal } = life;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortError(signal));
      this.#lastId += 1;
      const id = this.#lastId;
      const onAbort = () => this.#abort(id, signal);
      const request: OpenRequest = {
        ...{ id, call, life, taken: 0, atWork: false },
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

  /** Sends everything that is open to this leader; models come first, because the rest needs them. */
  follow(leader: LeaderLine): void {
    this.leave();
    this.#leader = leader;
    const isLoad = ({ call }: OpenRequest) => call.operation === 'load';
    const open = [...this.#open.values()];
    for (const request of [...open.filter(isLoad), ...open.filter((other) => !isLoad(other))]) this.#send(request);
  }

  /** The leader is gone: what it had taken is lost, everything waits for the next one. */
  leave(): void {
    this.#leader = null;
    for (const request of [...this.#open.values()]) if (request.atWork) this.#lose(request);
  }

  /** Reads what a leader says; the words of one that was left are not heard. */
  receive(message: ToFollower): void {
    const request = 'id' in message && message.epoch === this.#leader?.epoch ? this.#open.get(message.id) : undefined;
    if (!request) return;
    if (message.type === 'accepted') this.#take(request);
    if (message.type === 'progress') report(request, message.progress);
    if (message.type === 'result') request.settle({ value: message.value });
    if (message.type === 'error') request.settle({ error: fromErrorData(message.error) });
    if (message.type === 'lost' && this.#lose(request)) this.#send(request);
  }

  /** Rejects everything that is open. */
  end(error: VecinityError): void {
    for (const { id } of this.#open.values()) this.#tell({ type: 'cancel', id });
    for (const request of [...this.#open.values()]) request.settle({ error });
    this.#leader = null;
  }

  #abort(id: number, signal: AbortSignal | undefined): void {
    this.#tell({ type: 'cancel', id });
    if (signal) this.#open.get(id)?.settle({ error: abortError(signal) });
  }

  #take(request: OpenRequest): void {
    if (!request.atWork) request.taken += 1;
    request.atWork = true;
  }

  /** Whether the request may be given to another engine; otherwise it has ended. */
  #lose(request: OpenRequest): boolean {
    request.atWork = false;
    if (request.taken < attempts) return true;
    request.settle({ error: poisonError(request.taken) });
    return false;
  }

  #send(request: OpenRequest): void {
    try {
      this.#tell({ type: 'request', id: request.id, call: request.call });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `The request holds something that cannot be posted to another tab: ${reason}`;
      request.settle({ error: new VecinityError('invalid_request', message, { cause }) });
    }
  }

  #tell(message: { type: 'request'; id: number; call: EngineCall } | { type: 'cancel'; id: number }): void {
    const leader = this.#leader;
    leader?.send({ ...message, epoch: leader.epoch });
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
