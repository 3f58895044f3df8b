/**
 * The asking end of a port to an engine worker: waits for its `hello`, sends one whole request, waits for the response.
 * Used by `vecinity.fetch` and by the Service Worker; the answering end is `port-server.ts`.
 */
import { abortError, VecinityError } from '../errors.js';
import type { FromEnginePort, ProtocolVersion, ToEnginePort, WireRequest, WireResponse } from '../protocol.js';

export const protocolVersion: ProtocolVersion = 1;

const requestId = 'request';

/** One port, used for one request. Always `close` it: nothing tells the engine that the other end was forgotten. */
export class EnginePort {
  readonly #port: MessagePort;
  #onHello: (() => void) | null = null;
  #onResponse: ((response: WireResponse) => void) | null = null;
  #closed = false;
  /** Resolves when an engine that speaks our protocol has taken the port; stays open for ever when none does. */
  readonly hello: Promise<void>;

  constructor(port: MessagePort) {
    this.#port = port;
    this.hello = new Promise((resolve) => {
      this.#onHello = resolve;
    });
    port.onmessage = (event: MessageEvent<FromEnginePort>) => this.#receive(event.data);
  }

  /** The engine's response. Throws `aborted`, or the signal's own `VecinityError`; the engine then drops the request. */
  send(request: WireRequest, signal: AbortSignal): Promise<WireResponse> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.close();
        reject(abortError(signal));
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#onResponse = (response) => {
        signal.removeEventListener('abort', onAbort);
        this.close();
        resolve(response);
      };
      this.#post({ type: 'request', id: requestId, request });
    });
  }

  /** Ends the conversation; a request that is still open is cancelled by the engine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#post({ type: 'close' });
    this.#port.close();
  }

  #post(message: ToEnginePort): void {
    this.#port.postMessage(message);
  }

  #receive(message: FromEnginePort): void {
    if (message.type === 'hello' && message.version === protocolVersion) this.#onHello?.();
    if (message.type === 'response') this.#onResponse?.(message.response);
  }
}

/** The error of a request that killed every engine it was given to. */
export function poisonError(attempts: number): VecinityError {
  return new VecinityError('engine_crashed', `The engine died ${attempts} times while it worked on this request.`);
}
