/**
 * Says which URL paths of a site are ours. Read by the Service Worker and the page's `fetch`, so it stays tiny and
 * imports nothing. A server answers every route that is mounted; a page shares its paths with the site around it, so
 * only what no site has itself is taken there, unless a prefix sets ours apart.
 */

const anywhere =
  /^\/(?:(?:v1|v1-openai)\/(?:embeddings|rerank|models(?:\/.+)?)|v1\/(?:score|embed|multi-vector)|v2\/(?:embed|rerank)|rerank|health|info)$/;

/** Ours in a page only below a prefix. Never the start page of a server. */
const belowPrefix =
  /^\/(?:compatible-mode\/v1\/(?:embeddings|models(?:\/.+)?)|v1\/(?:reranking|health|classify)|ping|version|metrics|load|props|slots|reranking|score|pooling|classify|predict|similarity|invocations|tokenize|detokenize|decode|embed|embed_(?:all|sparse)|vertex|embeddings?|models|api\/(?:embed|embeddings|rerank|tags|show|ps|version|pull)|(?:api-doc\/)?openapi\.json|docs(?:\.css)?)$/;

/** The path without the prefix (`/ai/v1/embeddings` → `/v1/embeddings`), or null when it does not lie below it. */
export function withoutPrefix(pathname: string, routePrefix: string): string | null {
  const path = pathname.slice(routePrefix.length) || '/';
  return pathname.startsWith(routePrefix) && path.startsWith('/') ? path : null;
}

/** True when a page's engine answers this pathname; `routePrefix` is `ApiConfig.routePrefix`. */
export function isApiPath(pathname: string, routePrefix: string): boolean {
  const path = withoutPrefix(pathname, routePrefix);
  return path !== null && (anywhere.test(path) || (routePrefix !== '' && belowPrefix.test(path)));
}
