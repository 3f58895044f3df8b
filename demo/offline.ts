/**
 * The page's side of its Service Worker: starts it before the engine, so that what the engine fetches is kept, and says
 * when a new version waits. The page is never reloaded without being asked to.
 */

/** The development server has no list of files to keep. */
export const serviceWorkerUrl = import.meta.env.PROD ? '/service-worker.js' : '/vecinity-sw.js';

/** The engine does not wait longer for a first installation; what it fetches then is kept on the next visit. */
const installMs = 10_000;
/** An installed page may stay open for days; the browser itself looks for a new version only when a page is opened. */
const lookAgainMs = 3_600_000;
/** The former Service Worker first ends what tabs have asked of it, for which browsers give it five minutes. */
const takeOverMs = 310_000;

let starting: Promise<void> | null = null;

/** Resolves when requests of new workers pass the Service Worker, or when that will not be. Never rejects. */
export function startOffline(): Promise<void> {
  starting ??= install().catch(ignoreAbsence);
  return starting;
}

/** Without a Service Worker the page works all the same, with a network; its status says what is missing. */
function ignoreAbsence(): void {}

async function install(): Promise<void> {
  const container = navigator.serviceWorker;
  const isFirst = container.controller === null;
  const { active, installing } = await container.register(serviceWorkerUrl, { updateViaCache: 'none' });
  if (!isFirst || active || !installing) return;
  const signal = AbortSignal.timeout(installMs);
  await new Promise<void>((resolve) => {
    const done = () => resolve();
    container.addEventListener('controllerchange', done, { once: true, signal });
    installing.addEventListener('statechange', () => installing.state === 'redundant' && done(), { signal });
    signal.addEventListener('abort', done, { once: true });
  });
}

/** Calls `onReady` when a version newer than this page's waits, or has taken over in another tab. Returns the way to stop. */
export function watchForUpdate(onReady: () => void): () => void {
  const controller = new AbortController();
  void startOffline().then(() => watch(onReady, controller.signal), ignoreAbsence);
  return () => controller.abort();
}

async function watch(onReady: () => void, signal: AbortSignal): Promise<void> {
  const container: ServiceWorkerContainer | undefined = navigator.serviceWorker;
  const registration = await container?.getRegistration();
  if (!registration || signal.aborted) return;
  const lookAt = (worker: ServiceWorker | null) => {
    const look = () => worker?.state === 'installed' && registration.active && onReady();
    worker?.addEventListener('statechange', look, { signal });
    look();
  };
  lookAt(registration.installing);
  lookAt(registration.waiting);
  registration.addEventListener('updatefound', () => lookAt(registration.installing), { signal });
  lookAgainWhenSeen(registration, signal);
}

function lookAgainWhenSeen(registration: ServiceWorkerRegistration, signal: AbortSignal): void {
  let lookedAt = Date.now();
  const look = () => {
    if (document.visibilityState !== 'visible' || Date.now() - lookedAt < lookAgainMs) return;
    lookedAt = Date.now();
    registration.update().catch(ignoreAbsence);
  };
  document.addEventListener('visibilitychange', look, { signal });
}

/**
 * Opens the new version at `address`, which holds what the page would lose. Returns when the new one could not take over
 * in time, because requests of other tabs are still running.
 */
export async function openNewVersion(address: string): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration();
  if (registration?.waiting && !(await takeOver(registration.waiting))) return;
  history.replaceState(history.state, '', address);
  location.reload();
}

function takeOver(waiting: ServiceWorker): Promise<boolean> {
  const signal = AbortSignal.timeout(takeOverMs);
  return new Promise((resolve) => {
    waiting.addEventListener('statechange', () => waiting.state === 'activated' && resolve(true), { signal });
    signal.addEventListener('abort', () => resolve(false), { once: true });
    waiting.postMessage('take-over');
  });
}
