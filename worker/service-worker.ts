/**
 * The Service Worker: answers `/v1/…` of its origin from a tab that has an engine. One classic script without state.
 *
 * Registered as `/vecinity-sw.js` it takes over as soon as the one before it has nothing to do, which is safe because it
 * holds nothing. In a site's own Service Worker, `importScripts('/vecinity-sw.js')` as the first line adds the same answers
 * (the first `respondWith` wins); when to activate and claim is then the site's business, except that
 * `serviceWorker.register()` claims its page. `?prefix=/ai` behind the registered script's name mounts the API below `/ai`.
 */

import type { ToPage, ToServiceWorker } from '../src/protocol.js';
import { Broker, type Page } from '../src/wire/broker.js';
import { buildId } from '../src/wire/build-id.js';
import { parsePeer, protocolVersion } from '../src/wire/engine-port.js';
import { Handover } from '../src/wire/handover.js';
import { toWireRequest } from '../src/wire/http.js';
import { askVersion } from '../src/wire/ping.js';
import { controlUrl, engineUrl, isStandalone } from '../src/wire/routes.js';

// The compiler's library knows one `self` for all workers; this script runs in no other.
const scope = self as unknown as ServiceWorkerGlobalScope;
const script = new URL(scope.location.href);
const isOurs = isStandalone(script.href);
const mount = {
  origin: script.origin,
  base: new URL(scope.registration.scope).pathname,
  routePrefix: script.searchParams.get('prefix') ?? '',
};
const broker = new Broker({
  pages: (): Promise<readonly Page[]> => scope.clients.matchAll({ type: 'window', includeUncontrolled: true }),
  isThere: async (clientId) => (await scope.clients.get(clientId)) !== undefined,
});
const claimMessage: ToServiceWorker = { vecinity: protocolVersion, type: 'claim' };
const handover = new Handover(handOver);
/** Behind the former one's last answers, and well before a page stops waiting for us. */
const againMs = 1_000;

scope.addEventListener('install', (event) => {
  if (isOurs) event.waitUntil(takeTurn());
});

scope.addEventListener('activate', (event) => {
  if (isOurs) event.waitUntil(scope.clients.claim());
});

scope.addEventListener('fetch', (event) => {
  const { request, clientId } = event;
  if (request.url === controlUrl(scope.registration.scope)) return event.respondWith(new Response());
  // A site may well have a page named /info; and a request for the cache alone must not be answered otherwise.
  if (request.mode === 'navigate' || request.cache === 'only-if-cached') return;
  const url = engineUrl(new URL(request.url), mount);
  if (url !== null) event.respondWith(handover.during(answer(request, url, clientId)));
});

// Every message, also `keepalive`, is an event and thereby lets the browser wait longer for open requests.
scope.addEventListener('message', (event) => {
  const message = parsePeer<ToServiceWorker>(event.data);
  if (message?.type === 'claim') event.waitUntil(claim());
  if (message?.type === 'ping') event.waitUntil(handover.during(answerPing(event.ports[0])));
  if (message?.type === 'no-engine' && event.source && 'id' in event.source) broker.engineLost(event.source.id);
});

async function answer(request: Request, url: string, clientId: string): Promise<Response> {
  return await broker.answer(await toWireRequest(request, url), { clientId, signal: request.signal });
}

/**
 * One of ours that is at work hands over when it has a moment; to be asked is work after which it looks. It would end
 * after its last request where we skip it now, and we may sleep by then: Chromium 156 lets the requests of a page pass a
 * worker by that was not running when it became the page's controller.
 */
async function takeTurn(): Promise<void> {
  const former = scope.registration.active;
  const hasTurns = former !== null && isStandalone(former.scriptURL) && (await askVersion(former)) !== null;
  if (hasTurns) return;
  await scope.skipWaiting();
  // Where a question reaches the former one just then, Chromium 156 forgets what it was asked (see handover.ts).
  if (former !== null) setTimeout(() => void scope.skipWaiting(), againMs);
}

/** False until we are activated ourselves, which takes a second and which the other one would have to wait for. */
function handOver(): boolean {
  const { active, waiting, installing } = scope.registration;
  if (!isOurs) return true;
  if (installing || active?.state === 'activating') return false;
  waiting?.postMessage(claimMessage);
  return true;
}

/** Also said to a worker that waits: it takes over first, and stays awake until it has. */
async function claim(): Promise<void> {
  if (isOurs) await scope.skipWaiting();
  await scope.clients.claim();
}

async function answerPing(port: MessagePort | undefined): Promise<void> {
  port?.postMessage({ vecinity: protocolVersion, type: 'pong', build: buildId } satisfies ToPage);
}
