/** Ids of requests and responses. */

const sane = /^[\w.:-]{1,128}$/;

/** A random id. `crypto.randomUUID` is missing on plain http origins, `getRandomValues` is not. */
export function createId(prefix = ''): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The caller's `x-request-id` when it is short and plain, else a new one. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id');
  return given !== null && sane.test(given) ? given : createId('req-');
}
