/** Whole HTTP requests and responses as data and back, for the ports between page, Service Worker and engine worker. */
import type { WireRequest, WireResponse } from '../protocol.js';

/** Which tab or other caller a request is from; the engine's queue gives each a fair share. Never leaves the browser. */
const clientHeader = 'vecinity-client';

/** Reads the request's body to its end; `url` replaces the request's own where a prefix was taken off. */
export async function toWireRequest(request: Request, url: string = request.url): Promise<WireRequest> {
  const body = await request.arrayBuffer();
  return {
    method: request.method,
    url,
    headers: [...request.headers],
    body: body.byteLength === 0 ? null : body,
  };
}

/** The same request in the name of this client, unless it says already whose it is. */
export function withClient(wire: WireRequest, client: string): WireRequest {
  if (clientOfWire(wire) !== undefined) return wire;
  return { ...wire, headers: [...wire.headers, [clientHeader, client]] };
}

/** Who a request as data was sent for, where `withClient` said it. */
export function clientOfWire({ headers }: WireRequest): string | undefined {
  return headers.find(([name]) => name === clientHeader)?.[1];
}

/** Who a request was sent for, where `withClient` said it. */
export function clientOf(request: Request): string | undefined {
  return request.headers.get(clientHeader) ?? undefined;
}

/** Inverse of `toWireRequest`. */
export function fromWireRequest(wire: WireRequest, signal: AbortSignal): Request {
  return new Request(wire.url, { method: wire.method, headers: wire.headers, body: wire.body, signal });
}

/** Reads the response's body to its end; an empty one becomes null, which is all that statuses such as 204 allow. */
export async function toWireResponse(response: Response): Promise<WireResponse> {
  const body = await response.arrayBuffer();
  return {
    status: response.status,
    statusText: response.statusText,
    headers: [...response.headers],
    body: body.byteLength === 0 ? null : body,
  };
}

/** Inverse of `toWireResponse`. */
export function fromWireResponse(wire: WireResponse): Response {
  const { status, statusText, headers, body } = wire;
  return new Response(body, { status, statusText, headers });
}
