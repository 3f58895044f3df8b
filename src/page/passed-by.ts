/**
 * Notices requests of this page that passed the Service Worker by although the page has one: rarely, Chromium 156 sends
 * them to the network for the rest of a page's life.
 */
import { engineUrl, type Mount } from '../wire/routes.js';

export interface Watch {
  mount: Mount;
  /** Sees to it that requests arrive again; false when that cannot be done. */
  repair(): Promise<boolean>;
  /** Ends the watch. */
  signal: AbortSignal;
}

let running: PerformanceObserver | null = null;

/** Has the page repaired after such a request, until that fails once: then it would fail for every other request. */
export function watchRequests({ mount, repair, signal }: Watch): void {
  if (signal.aborted) return;
  let isRepairing = false;
  const observer = new PerformanceObserver(async (list) => {
    if (isRepairing || !list.getEntries().some((entry) => hasPassedBy(entry, mount))) return;
    isRepairing = true;
    const isRepaired = await repair().catch(() => false);
    if (!isRepaired) observer.disconnect();
    isRepairing = false;
  });
  // A page has one Service Worker, however often it was registered.
  running?.disconnect();
  running = observer;
  observer.observe({ type: 'resource' });
  signal.addEventListener('abort', () => observer.disconnect(), { once: true });
}

/** Frames and the like are navigations, which the Service Worker leaves to the network itself. */
function hasPassedBy(entry: PerformanceEntry, mount: Mount): boolean {
  // The cast is safe: the observer asked for entries of this type only.
  const { workerStart, initiatorType, name } = entry as PerformanceResourceTiming;
  return (
    workerStart === 0 && /^(fetch|xmlhttprequest)$/.test(initiatorType) && engineUrl(new URL(name), mount) !== null
  );
}
