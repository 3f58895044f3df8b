/** Counts what this page asked of other origins, from the browser's own record of finished requests. */

/** Names of the other origins, one entry a request; `data:` and `blob:` addresses never leave the page. */
export function foreignOrigins(addresses: readonly string[], ownOrigin: string): string[] {
  return addresses
    .map((address) => new URL(address, ownOrigin))
    .filter(({ protocol }) => ['http:', 'https:', 'ws:', 'wss:'].includes(protocol))
    .map(({ origin }) => origin)
    .filter((origin) => origin !== ownOrigin);
}

/** Calls `onRequests` with the addresses of requests as they finish, earlier ones first. Returns the way to stop. */
export function watchRequests(onRequests: (addresses: string[]) => void): () => void {
  const observer = new PerformanceObserver((list) => onRequests(list.getEntries().map((entry) => entry.name)));
  observer.observe({ type: 'resource', buffered: true });
  return () => observer.disconnect();
}
