/** Ids of requests, of the traces that they belong to, and of responses. */

import { toHex } from '../hex.js';

/** W3C Trace Context: version, trace id, the caller's span and flags; ids of zeros name nothing. */
const traceparent = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;
const sane = /^[\w.:-]{1,128}$/;

/** A random id. `crypto.randomUUID` is missing on plain http origins, `getRandomValues` is not. */
export function createId(prefix = ''): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return prefix + toHex(bytes);
}

/** For `created`: seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** The caller's `x-request-id` when it is short and plain, else a new one. */
function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id');
  return given !== null && sane.test(given) ? given : createId('req-');
}

/** The trace that a request is a part of, as headers for whom it is passed on to; empty without a valid one. */
export function traceHeaders({ headers }: Request): Record<string, string> {
  const trace = headers.get('traceparent');
  if (trace === null || !traceparent.test(trace)) return {};
  const state = headers.get('tracestate');
  return { traceparent: trace, ...(state === null ? {} : { tracestate: state }) };
}

/** The headers that let a caller find its own request again: ours, and the trace that it is a part of. */
export function correlationHeaders(request: Request): Record<string, string> {
  const { traceparent: trace } = traceHeaders(request);
  return { 'x-request-id': requestIdOf(request), ...(trace === undefined ? {} : { traceparent: trace }) };
}
