/**
 * Says which URL paths the API answers. Read by the Service Worker, the page's `fetch` and the handler, so it stays
 * tiny and imports nothing. A test holds it against the routes that are mounted.
 */

const routes = /^\/(?:(?:v1|v1-openai)\/(?:embeddings|rerank|models(?:\/.+)?)|rerank|health|info)$/;

/** The path without the prefix (`/ai/v1/embeddings` → `/v1/embeddings`), or null when it is none of ours. */
export function toApiPath(pathname: string, routePrefix: string): string | null {
  const path = pathname.slice(routePrefix.length);
  return pathname.startsWith(routePrefix) && routes.test(path) ? path : null;
}

/** True when the API answers this pathname; `routePrefix` is `ApiConfig.routePrefix`. */
export function isApiPath(pathname: string, routePrefix: string): boolean {
  return toApiPath(pathname, routePrefix) !== null;
}
