/**
 * The playground's Service Worker: Vecinity's answers first; then page and engine from a copy that is complete before it
 * is used, and models from the network or, without one, as they were last seen. A new version waits until it is asked
 * to take over, and leaves the former one's files while another tab may need them.
 */
import { cacheNames } from 'workbox-core';
import { PrecacheController, PrecacheRoute } from 'workbox-precaching';
import { createPartialResponse } from 'workbox-range-requests';
import { registerRoute } from 'workbox-routing';
import { CacheFirst, Strategy, type StrategyHandler } from 'workbox-strategies';

/** The build puts in which files page and engine are made of. */
declare const __SHELL__: { url: string; revision: string | null }[];
/** And which are kept when first used, because they are big and for some devices only. Relative to the scope. */
declare const __KEPT_WHEN_USED__: readonly string[];

// The compiler's library knows one `self` for all workers; this script runs in no other.
const scope = self as unknown as ServiceWorkerGlobalScope;
// The listener that is added first is asked first.
scope.importScripts('./vecinity-sw.js');

/** A network that swallows what is sent, instead of failing, must not hold up what is kept for long, nor each file anew. */
const longPatienceMs = 5_000;
const shortPatienceMs = 250;
let patienceMs = longPatienceMs;

/**
 * From the network or, without one and where the server is down, as it was last seen; also that a model lacks a file is
 * known then. Other than `NetworkFirst` it copies only what is new: a copy that nobody reads would hold the whole file,
 * and the request open.
 */
class NetworkOrKept extends Strategy {
  protected async _handle(request: Request, handler: StrategyHandler): Promise<Response> {
    const kept = await handler.cacheMatch(request);
    if (!kept) return await fetchAndKeep(request, handler, kept);
    const response = await soon(request, (asked) => fetchAndKeep(asked, handler, kept)).catch(() => null);
    if (response && response.status < 500) return response;
    return kept.ok && request.headers.has('range') ? await createPartialResponse(request, kept) : kept;
  }
}

async function fetchAndKeep(request: Request, handler: StrategyHandler, kept: Response | undefined): Promise<Response> {
  const response = await handler.fetch(request);
  if (isNewer(response, kept)) void handler.waitUntil(handler.cachePut(handler.request, response.clone()));
  return response;
}

/** Ends the request when its answer does not begin in time; how long that takes then is up to the network. */
async function soon(request: Request, send: (request: Request) => Promise<Response>): Promise<Response> {
  const controller = new AbortController();
  const giveUp = () => {
    patienceMs = shortPatienceMs;
    controller.abort();
  };
  const timer = setTimeout(giveUp, patienceMs);
  try {
    const response = await send(new Request(request, { signal: AbortSignal.any([request.signal, controller.signal]) }));
    patienceMs = longPatienceMs;
    return response;
  } finally {
    clearTimeout(timer);
  }
}

const { pathname: root } = new URL(scope.registration.scope);
const shell = new PrecacheController();
shell.addToCacheList(__SHELL__);

scope.addEventListener('install', (event) => void shell.install(event));
scope.addEventListener('activate', (event) => event.waitUntil(takeOver()));
scope.addEventListener('message', (event) => {
  // Chromium 156 lets requests pass a worker by that has fallen asleep before it takes over.
  if (event.data === 'take-over') event.waitUntil(scope.skipWaiting());
});

// The query names a model, which is the page's business.
registerRoute(new PrecacheRoute(shell, { ignoreURLParametersMatching: [/./] }));
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith(`${root}assets/`),
  new CacheFirst({ cacheName: cacheNames.precache }),
);
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith(`${root}models/`),
  new NetworkOrKept({
    cacheName: 'vecinity-demo-models',
    plugins: [{ cacheWillUpdate: async ({ response }) => response }],
  }),
);

async function takeOver(): Promise<void> {
  const tabs = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (tabs.length <= 1) await dropFormerFiles();
  await scope.clients.claim();
}

async function dropFormerFiles(): Promise<void> {
  const later = __KEPT_WHEN_USED__.map((file) => new URL(file, scope.registration.scope).href);
  const expected = new Set([...shell.getURLsToCacheKeys().values(), ...later]);
  const cache = await caches.open(cacheNames.precache);
  const former = (await cache.keys()).filter(({ url }) => !expected.has(url));
  await Promise.all(former.map((request) => cache.delete(request)));
}

/** Parts of a file, and answers that say nothing about it, are not kept. */
function isNewer({ status, headers }: Response, kept: Response | undefined): boolean {
  if (status === 404) return kept?.status !== 404;
  const etag = headers.get('etag');
  return status === 200 && (etag === null || kept?.headers.get('etag') !== etag);
}
