/** An engine worker made of a MessageChannel: the page's side believes it has a Worker, the test holds the other end. */
import { expose } from 'comlink';
import type { EngineWorker } from '../../src/page/engine-session.js';
import type { EngineWorkerApi } from '../../src/protocol.js';
import { installTransferHandlers } from '../../src/wire/calls.js';
import { installReceiver } from '../../src/wire/received-calls.js';

export class FakeWorker extends EventTarget implements EngineWorker {
  readonly #port: MessagePort;
  readonly #inner: MessagePort;
  isTerminated = false;

  constructor(api: Partial<EngineWorkerApi>) {
    super();
    installTransferHandlers();
    installReceiver();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#inner = port2;
    port1.onmessage = (event) => this.dispatchEvent(new MessageEvent('message', { data: event.data }));
    expose(api, port2);
  }

  postMessage(message: unknown, transfer: Transferable[]): void {
    this.#port.postMessage(message, transfer);
  }

  terminate(): void {
    this.isTerminated = true;
    this.#port.close();
    this.#inner.close();
  }

  /** What the browser tells a page whose worker threw or could not be loaded. */
  crash(message: string): void {
    this.dispatchEvent(Object.assign(new Event('error'), { message }));
  }
}

/** An engine that answers `ping` and knows nothing else, unless the test says more. */
export function engineApi(api: Partial<EngineWorkerApi>): Partial<EngineWorkerApi> {
  return { async configure() {}, ping() {}, async end() {}, ...api };
}
