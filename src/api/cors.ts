/** Callers on other origins: who they are, and CORS for those that are let in; the calls of OpenAI's SDKs pass it. */
import type { cors } from 'hono/cors';

/** Headers that a caller may send: ours, and those that OpenAI's SDKs add to every call. */
const allowHeaders = [
  'Authorization',
  'Content-Type',
  'User-Agent',
  'Accept',
  'X-Requested-With',
  'X-Request-Id',
  'X-Api-Key',
  'Traceparent',
  'Tracestate',
  'OpenAI-Beta',
  'OpenAI-Organization',
  'OpenAI-Project',
  ...['arch', 'async', 'custom-poll-interval', 'helper-method', 'lang', 'os', 'package-version'].map(toStainless),
  ...['poll-helper', 'retry-count', 'runtime', 'runtime-version', 'timeout'].map(toStainless),
];

/** Headers that a caller's script may read. */
const exposeHeaders = [
  'x-request-id',
  'traceparent',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'www-authenticate',
  'allow',
  'x-compute-type',
  'x-compute-time',
  'x-compute-characters',
  'x-compute-tokens',
  'x-total-time',
  'x-tokenization-time',
  'x-queue-time',
  'x-inference-time',
  'x-truncated-inputs',
  'metadata',
];

const preflightSeconds = 7200;

/**
 * Whether the page of another origin sent this. A browser asks first, by CORS, before it sends JSON for one; a form or
 * plain text it sends at once and only keeps the answer to itself.
 */
export function isFromElsewhere({ headers, url }: Request): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'same-origin' && site !== 'none';
  const origin = headers.get('origin');
  if (origin === null) return false;
  // A proxy may end TLS, so the scheme may differ; `null` is the origin of a sandboxed frame.
  return !URL.canParse(origin) || new URL(origin).host !== new URL(url).host;
}

/** Options of Hono's CORS middleware for one allowed origin, or `*`. */
export function corsOptions(origin: string): NonNullable<Parameters<typeof cors>[0]> {
  return {
    origin,
    allowHeaders,
    exposeHeaders,
    allowMethods: ['GET', 'POST', 'HEAD', 'OPTIONS'],
    maxAge: preflightSeconds,
  };
}

function toStainless(name: string): string {
  return `X-Stainless-${name}`;
}
