/**
 * The asking end of a port to an engine worker: waits for its `hello`, sends whole requests, waits for the responses.
 * Used by `vecinity.fetch` and by the Service Worker, with what both have to agree on; the answering end is
 * `port-server.ts`.
 */
import { abortError, VecinityError } from '../errors.js';
import type { FromEnginePort, ProtocolVersion, ToEnginePort, WireRequest, WireResponse } from '../protocol.js';

export const protocolVersion: ProtocolVersion = 1;

/** The most that the Service Worker waits for an answer: Chrome ends every event of it after five minutes. */
export const requestLimitMs = 240_000;

/** A message between a page and the Service Worker; null for what is not ours, or of a peer with another version. */
export function parsePeer<Message extends { vecinity: ProtocolVersion }>(data: unknown): Message | null {
  if (typeof data !== 'object' || data === null || !('vecinity' in data)) return null;
  // The cast is safe: both sides compare the version before they read further.
  return data.vecinity === protocolVersion ? (data as Message) : null;
}

interface Waiter {
  resolve(response: WireResponse): void;
  reject(error: unknown): void;
}

/** One port for any number of requests at a time. Always `close` it: nothing tells the engine that it was forgotten. */
export class EnginePort {
  readonly #port: MessagePort;
  readonly #waiters = new Map<string, Waiter>();
  #onHello: (() => void) | null = null;
  #closed: VecinityError | null = null;
  #lastId = 0;
  /** Resolves when an engine that speaks our protocol has taken the port; stays open for ever when none does. */
  readonly hello: Promise<void>;

  constructor(port: MessagePort) {
    this.#port = port;
    this.hello = new Promise((resolve) => {
      this.#onHello = resolve;
    });
    port.onmessage = (event: MessageEvent<FromEnginePort | null>) => this.#receive(event.data);
  }

  /**
   * The engine's response. Throws `aborted`, or the signal's own `VecinityError`; the engine then drops this request.
   * After `close` it throws what that was given.
   */
  async send(request: WireRequest, signal: AbortSignal): Promise<WireResponse> {
    if (signal.aborted) throw abortError(signal);
    if (this.#closed) throw this.#closed;
    this.#lastId += 1;
    const id = String(this.#lastId);
    let onAbort = () => {};
    try {
      return await new Promise((resolve, reject) => {
        onAbort = () => {
          this.#post({ type: 'cancel', id });
          reject(abortError(signal));
        };
        signal.addEventListener('abort', onAbort, { once: true });
        this.#waiters.set(id, { resolve, reject });
        this.#post({ type: 'request', id, request });
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#waiters.delete(id);
    }
  }

  /** Ends the conversation; requests that are still open reject, and are cancelled by the engine. */
  close(error = new VecinityError('aborted', 'The conversation with the engine was ended.')): void {
    if (this.#closed) return;
    this.#closed = error;
    this.#post({ type: 'close' });
    this.#port.close();
    for (const { reject } of this.#waiters.values()) reject(error);
  }

  #post(message: ToEnginePort): void {
    this.#port.postMessage(message);
  }

  /** A page without the package may answer with anything on the port that it was offered. */
  #receive(message: FromEnginePort | null): void {
    if (message?.type === 'hello' && message.version === protocolVersion) this.#onHello?.();
    if (message?.type === 'response') this.#waiters.get(message.id)?.resolve(message.response);
  }
}

/** The error of a request that killed every engine it was given to; `cause` is the last death, where its words are known. */
export function poisonError(attempts: number, cause?: VecinityError): VecinityError {
  const died = `The engine died ${attempts} times while it worked on this request.`;
  return new VecinityError('engine_crashed', cause ? `${died} The last time: ${cause.message}` : died, { cause });
}
