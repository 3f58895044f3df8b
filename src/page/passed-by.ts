/**
 * Notices that requests of this page pass the Service Worker by although the page has one. Where a Service Worker was not
 * running when it became a page's controller, Chromium 156 sends them to the network for the rest of that page's life.
 */
import { engineUrl, type Mount } from '../wire/routes.js';

export interface Watch {
  mount: Mount;
  /** Tells of a Service Worker that takes the page over, which may be such a one. */
  container: EventTarget;
  /** Sees to it that requests arrive; false when that cannot be done. */
  repair(): Promise<boolean>;
  /** Ends the watch. */
  signal: AbortSignal;
}

let running: AbortController | null = null;

/**
 * Has the page repaired after such a request, and before there is one when its Service Worker changes. A repair that
 * fails ends it until the next change: it would fail for every request.
 */
export function watchRequests({ mount, container, repair, signal }: Watch): void {
  if (signal.aborted) return;
  let isRepairing = false;
  let isAsked = false;
  const check = async () => {
    isAsked = true;
    if (isRepairing) return;
    isRepairing = true;
    // What comes meanwhile may be of another Service Worker than the one that was looked at.
    let works = true;
    while (works && isAsked) {
      isAsked = false;
      works = await repair().catch(() => false);
    }
    if (!works) observer.disconnect();
    isRepairing = false;
  };
  const observer = new PerformanceObserver((list) => {
    if (list.getEntries().some((entry) => hasPassedBy(entry, mount))) void check();
  });
  // A page has one Service Worker, however often it was registered.
  running?.abort();
  const life = new AbortController();
  running = life;
  signal.addEventListener('abort', () => life.abort(), { once: true, signal: life.signal });
  life.signal.addEventListener('abort', () => observer.disconnect(), { once: true });
  const watch = () => observer.observe({ type: 'resource' });
  const onChange = () => {
    watch();
    void check();
  };
  container.addEventListener('controllerchange', onChange, { signal: life.signal });
  watch();
}

/** Frames and the like are navigations, which the Service Worker leaves to the network itself. */
function hasPassedBy(entry: PerformanceEntry, mount: Mount): boolean {
  // The cast is safe: the observer asked for entries of this type only.
  const { workerStart, initiatorType, name } = entry as PerformanceResourceTiming;
  return (
    workerStart === 0 && /^(fetch|xmlhttprequest)$/.test(initiatorType) && engineUrl(new URL(name), mount) !== null
  );
}
