/** A value as a JSON response. By itself, because a page's `fetch` answers with no others and counts bytes. */

export const jsonType = { 'content-type': 'application/json' } as const;

export interface JsonResponseOptions {
  status?: number;
  headers?: Record<string, string>;
}

export function plainJsonResponse(body: object, { status = 200, headers }: JsonResponseOptions = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { ...jsonType, ...headers } });
}
