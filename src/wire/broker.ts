/**
 * The Service Worker's work without its events: finds a tab with an engine for each request, and another one when that
 * tab goes away. Remembers nothing between requests, because the browser stops a Service Worker whenever it likes.
 */
import { errorResponse } from '../api/error-response.js';
import { VecinityError } from '../errors.js';
import { pause } from '../pause.js';
import type { ToPage, WireRequest, WireResponse } from '../protocol.js';
import { withKey } from './answers.js';
import { EnginePort, poisonError, protocolVersion, requestLimitMs } from './engine-port.js';
import { fromWireResponse, withClient } from './http.js';

/** Between two offers of one round: a frame without an engine costs this much, a tab that answers costs nothing. */
const staggerMs = 50;
/** A frozen tab never answers; one that is starting its engine is asked again in the next round. */
const helloMs = 500;
const roundPauseMs = 250;
const searchMs = 10_000;
/** How often we look whether the tab that works for us is still there. */
const lookMs = 1_000;
const attempts = 3;
const retryAfterMs = 1_000;

/** What the broker needs of a `WindowClient`. */
export interface Page {
  readonly id: string;
  readonly frameType: string;
  readonly visibilityState: string;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

export interface BrokerOptions {
  /** Every window of the origin, controlled or not. */
  pages(): Promise<readonly Page[]>;
  /** Whether a client of any kind is still there; a worker is no window. */
  isThere(clientId: string): Promise<boolean>;
}

export interface Caller {
  /** The client that sent the request; '' where the browser does not say. */
  clientId: string;
  signal: AbortSignal;
}

/** A port that was given to a page. */
interface Offer {
  id: string;
  page: Page;
  port: EnginePort;
  /** Of the request, where it went along with the port. */
  answer: Promise<WireResponse> | null;
}

/** Sends the request through an offered port. */
type Ask = (offer: Offer) => Promise<WireResponse>;

/** The page, or its engine, went away while it worked for us. */
class EngineLost extends Error {}

export class Broker {
  readonly #options: BrokerOptions;
  readonly #serving = new Map<Offer, () => void>();

  constructor(options: BrokerOptions) {
    this.#options = options;
  }

  /** The response of some tab's engine. Never rejects and never goes to the network: a failure is a response too. */
  async answer(request: WireRequest, { clientId, signal }: Caller): Promise<Response> {
    const stop = new AbortController();
    const onAbort = () => stop.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const timer = setTimeout(() => stop.abort(timeoutError()), requestLimitMs);
    const watch = setInterval(() => void this.#watch(clientId, stop), lookMs);
    try {
      return await this.#route(request, { clientId, signal: stop.signal });
    } catch (error) {
      const isFinal = error instanceof VecinityError && error.code === 'timeout';
      return errorResponse(error, isFinal ? { headers: { 'x-should-retry': 'false' } } : {});
    } finally {
      clearTimeout(timer);
      clearInterval(watch);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Nobody waits for an answer to a closed tab. (Chromium 156 tells a Service Worker neither of this nor of an abort of
   * the caller's `fetch`; the engine finishes such a request in vain.)
   */
  async #watch(clientId: string, stop: AbortController): Promise<void> {
    if (clientId !== '' && !(await this.#options.isThere(clientId))) stop.abort();
  }

  /** A page says that whatever its engine had accepted is lost. */
  engineLost(clientId: string): void {
    for (const [{ page }, lose] of this.#serving) if (page.id === clientId) lose();
  }

  /** Embedding has no side effects, so a request may be given to one engine after the other. */
  async #route(request: WireRequest, caller: Caller): Promise<Response> {
    const { clientId, signal } = caller;
    const keyed = withKey(request, clientId);
    const ask: Ask = async ({ page, port }) => await port.send(inNameOf(clientId, page, await keyed), signal);
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const offer = await this.#findEngine(ask, caller);
      try {
        return fromWireResponse(await this.#serve(offer, ask));
      } catch (error) {
        if (!(error instanceof EngineLost)) throw error;
      }
    }
    throw poisonError(attempts);
  }

  async #findEngine(ask: Ask, { clientId, signal }: Caller): Promise<Offer> {
    const deadline = performance.now() + searchMs;
    for (let isFirst = true; performance.now() < deadline; isFirst = false) {
      signal.throwIfAborted();
      const offer = await firstHello(order(await this.#options.pages(), clientId), isFirst ? ask : null);
      if (offer) return offer;
      await pause(roundPauseMs);
    }
    throw new VecinityError('no_engine', 'No tab of this site has an engine: call createVecinity() in one.', {
      retryAfterMs,
    });
  }

  async #serve(offer: Offer, ask: Ask): Promise<WireResponse> {
    let lose = () => {};
    const lost = new Promise<never>((_, reject) => {
      lose = () => reject(new EngineLost());
    });
    this.#serving.set(offer, lose);
    const timer = setInterval(() => void this.#look(offer, lose), lookMs);
    try {
      return await Promise.race([offer.answer ?? ask(offer), lost]);
    } finally {
      clearInterval(timer);
      this.#serving.delete(offer);
      withdraw(offer);
    }
  }

  async #look({ page }: Offer, lose: () => void): Promise<void> {
    const pages = await this.#options.pages();
    if (!pages.some(({ id }) => id === page.id)) lose();
  }
}

/** The caller's own tab first, then visible tabs, then hidden ones; frames, which seldom have an engine, last. */
function order(pages: readonly Page[], clientId: string): Page[] {
  const rank = (page: Page) =>
    (page.frameType === 'nested' ? 4 : 0) + (page.id === clientId ? 0 : page.visibilityState === 'visible' ? 1 : 2);
  return [...pages].sort((a, b) => rank(a) - rank(b));
}

/** A page knows its own requests; what it does for another caller counts as that one's. */
function inNameOf(clientId: string, { id }: Page, request: WireRequest): WireRequest {
  return clientId === '' || clientId === id ? request : withClient(request, clientId);
}

/**
 * Offers a port to page after page without taking earlier offers back; the first `hello` wins. The likeliest page is
 * asked at once, where `ask` is given: its answer does not wait for our hearing of the `hello`.
 */
async function firstHello(pages: readonly Page[], ask: Ask | null): Promise<Offer | null> {
  const offers: Offer[] = [];
  let greet: (offer: Offer) => void = () => {};
  const greeted = new Promise<Offer>((resolve) => {
    greet = resolve;
  });
  let winner: Offer | null = null;
  for (const page of pages) {
    const offer = makeOffer(page, page === pages[0] ? ask : null);
    offers.push(offer);
    void offer.port.hello.then(() => greet(offer));
    const late = pause(page === pages.at(-1) ? helloMs : staggerMs).then(() => null);
    winner = await Promise.race([greeted, late]);
    if (winner) break;
  }
  for (const offer of offers) if (offer !== winner) withdraw(offer);
  return winner;
}

function makeOffer(page: Page, ask: Ask | null): Offer {
  const { port1, port2 } = new MessageChannel();
  const offer: Offer = { id: crypto.randomUUID(), page, port: new EnginePort(port1), answer: null };
  if (ask) offer.answer = ask(offer);
  // Whoever serves the offer sees it; that of another page is of no interest.
  offer.answer?.catch(() => {});
  tell(page, { vecinity: protocolVersion, type: 'connect', id: offer.id }, [port2]);
  return offer;
}

function withdraw({ id, page, port }: Offer): void {
  port.close();
  tell(page, { vecinity: protocolVersion, type: 'done', id }, []);
}

function tell(page: Page, message: ToPage, transfer: Transferable[]): void {
  page.postMessage(message, transfer);
}

function timeoutError(): VecinityError {
  const message = `The request took longer than ${requestLimitMs / 1000} s, the most a Service Worker can wait; send fewer inputs.`;
  return new VecinityError('timeout', message);
}
