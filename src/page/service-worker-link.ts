/**
 * The page's side of the Service Worker: lends it ports to the engine, keeps it awake while the engine works for it, and
 * tells it when an engine died. How it is registered is in `registration.ts`, which is loaded when a page asks for it.
 */

import { VecinityError, wordsOf } from '../errors.js';
import type { ToPage, ToServiceWorker } from '../protocol.js';
import { parsePeer, protocolVersion, requestLimitMs } from '../wire/engine-port.js';
import { trustScript } from '../wire/trusted-scripts.js';
import type { RegisterOptions, Registration } from './registration.js';

/** Firefox stops a Service Worker 30 s after its last event, whatever it waits for. */
const keepaliveMs = 15_000;

export interface ServiceWorkerLinkOptions {
  connect(port: MessagePort): Promise<void>;
  routePrefix: string;
}

/** The page's clients: what looks after its requests goes on for as long as there is one, whichever has registered. */
const clients = new Set<ServiceWorkerLink>();
let life = new AbortController();
/** As it was done last; null while no client has. */
let registerAgain: (() => Promise<Registration>) | null = null;

/** A request that our engine serves. */
interface Served {
  /** At which it is surely over, by a clock that nobody sets. */
  deadline: number;
  /** Whose it is: while one Service Worker takes over from another, both have some. */
  worker: Pick<ServiceWorker, 'postMessage'> | null;
}

export class ServiceWorkerLink {
  readonly #options: ServiceWorkerLinkOptions;
  /** Absent without https, in a sandboxed frame and in some private windows. */
  readonly #container: ServiceWorkerContainer | undefined;
  readonly #open = new Map<string, Served>();
  readonly #signal = life.signal;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: ServiceWorkerLinkOptions) {
    this.#options = options;
    clients.add(this);
    this.#container = serviceWorkerContainer();
    this.#container?.addEventListener('message', this.#onMessage);
    this.#container?.addEventListener('controllerchange', this.#onControllerChange);
    this.#container?.startMessages();
  }

  /**
   * Registers the script, waits until it is active and controls this page, also after a hard reload.
   * Throws `service_worker_unavailable` with the reason; `vecinity.fetch` works in every such case.
   */
  async register(options: RegisterOptions = {}): Promise<Registration> {
    const { register } = await import('./registration.js').catch(notLoaded);
    const signal = this.#signal;
    const { routePrefix } = this.#options;
    const again = () => register(options, { container: this.#container, routePrefix, trustScript, signal });
    const registration = await again();
    if (!signal.aborted) registerAgain = again;
    return registration;
  }

  /** What the engine had accepted is lost: the Service Worker gives it to another tab, or to our next engine. */
  engineLost(): void {
    this.#tell({ vecinity: protocolVersion, type: 'no-engine' });
    this.#open.clear();
    this.#rest();
  }

  dispose(): void {
    clients.delete(this);
    if (clients.size === 0) endLife();
    this.engineLost();
    this.#container?.removeEventListener('message', this.#onMessage);
    this.#container?.removeEventListener('controllerchange', this.#onControllerChange);
  }

  readonly #onMessage = (event: MessageEvent) => {
    const message = parsePeer<ToPage>(event.data);
    if (!message) return;
    // Where a page has two engines the first one answers; a port can be lent once only.
    event.stopImmediatePropagation();
    const [port] = event.ports;
    // The cast is safe: what comes through the container is from a Service Worker.
    if (message.type === 'connect' && port) this.#lend(message.id, port, event.source as ServiceWorker | null);
    if (message.type === 'done') this.#forget(message.id);
  };

  /** Who clears the site's data takes its Service Worker from open pages, whose requests would go to the network. */
  readonly #onControllerChange = () => {
    const [first] = clients;
    if (this.#container?.controller !== null || first !== this) return;
    // Where it fails, the next `register` says why.
    registerAgain?.().catch(() => {});
  };

  #lend(id: string, port: MessagePort, worker: Served['worker']): void {
    this.#open.set(id, { deadline: performance.now() + requestLimitMs, worker });
    this.#timer ??= setInterval(() => this.#keepAwake(), keepaliveMs);
    this.#options.connect(port).catch(() => this.engineLost());
  }

  #forget(id: string): void {
    this.#open.delete(id);
    if (this.#open.size === 0) this.#rest();
  }

  #keepAwake(): void {
    const now = performance.now();
    for (const [id, { deadline }] of this.#open) if (deadline < now) this.#open.delete(id);
    if (this.#open.size === 0) this.#rest();
    else this.#tell({ vecinity: protocolVersion, type: 'keepalive' });
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Every worker that has a request here. */
  #tell(message: ToServiceWorker): void {
    for (const worker of new Set([...this.#open.values()].map((served) => served.worker))) worker?.postMessage(message);
  }
}

function endLife(): void {
  life.abort();
  life = new AbortController();
  registerAgain = null;
}

function serviceWorkerContainer(): ServiceWorkerContainer | undefined {
  try {
    return navigator.serviceWorker;
  } catch {
    // A sandboxed frame throws at the mere look.
    return undefined;
  }
}

/** A part of the package is missing: the site was deployed anew meanwhile, or this device is offline. */
function notLoaded(cause: unknown): never {
  const message = `The code of register() could not be loaded: ${wordsOf(cause)}`;
  throw new VecinityError('service_worker_unavailable', message, { cause });
}
