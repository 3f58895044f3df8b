/** Which addresses are ours: the page's `fetch` and the Service Worker decide it here, in the same way. */
import { isApiPath } from '../api/paths.js';

export interface Mount {
  /** Only requests to this origin are ours. */
  origin: string;
  /** Path of the page or scope, with a trailing slash: on `/repo/` both `/v1/…` and `/repo/v1/…` are ours. */
  base: string;
  routePrefix: string;
}

/** Whether a Service Worker is ours; a site's own one, which imports ours, begins when the site wants it to. */
export function isStandalone(scriptUrl: string): boolean {
  return new URL(scriptUrl).pathname.endsWith('/vecinity-sw.js');
}

/** Asked for by a page, which wants to know whether its requests reach the Service Worker of this scope at all. */
export function controlUrl(scope: string): string {
  return new URL('vecinity-control', scope).href;
}

/** The address as the engine's API knows it (without `base`), or null when the request is not ours. */
export function engineUrl(url: URL, { origin, base, routePrefix }: Mount): string | null {
  if (url.origin !== origin) return null;
  const roots = ['/', base].filter((root) => url.pathname.startsWith(root));
  const paths = roots.map((root) => url.pathname.slice(root.length - 1));
  const path = paths.find((candidate) => isApiPath(candidate, routePrefix));
  return path === undefined ? null : origin + path + url.search;
}
