/**
 * Failures as responses in OpenAI's shape. The page's `fetch` uses it too, for failures that never reached the engine,
 * so it imports nothing big.
 */
import { type ErrorCode, toVecinityError, type VecinityError } from '../errors.js';
import { plainJsonResponse } from './json-response.js';

/** OpenAI's `error.type` by status; statuses without an entry are `server_error`. */
const typeByStatus: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  413: 'invalid_request_error',
  415: 'invalid_request_error',
  429: 'rate_limit_error',
  499: 'request_aborted_error',
  503: 'unavailable_error',
  504: 'timeout_error',
};

/** Failures that the same request would meet again; OpenAI's SDKs are told not to retry them. */
const permanentCodes: ReadonlySet<ErrorCode> = new Set([
  'engine_crashed',
  'model_file_missing',
  'model_file_invalid',
  'device_unavailable',
  'out_of_memory',
  'disposed',
]);

const defaultRetryAfterMs = 1000;

/**
 * A failure in a dialect's words, null for OpenAI's; `request` is the parsed body that led to it, undefined when none
 * was read.
 */
export type ErrorFormat = (error: VecinityError, request: unknown) => { status?: number; body: object } | null;

export interface ErrorResponseOptions {
  headers?: Record<string, string>;
  /** Put beside OpenAI's `error`. */
  extra?: object;
  /** Used instead of OpenAI's shape. */
  format?: ErrorFormat | undefined;
  /** Handed to `format`. */
  request?: unknown;
}

/** Any failure as a response, in OpenAI's shape or the given one, with its status and retry headers. */
export function errorResponse(
  thrown: unknown,
  { headers = {}, extra = {}, format, request }: ErrorResponseOptions = {},
): Response {
  const error = toVecinityError(thrown);
  const { status = error.status, body } = format?.(error, request) ?? { body: { ...toOpenaiError(error), ...extra } };
  return plainJsonResponse(body, { status, headers: { ...errorHeaders(error), ...headers } });
}

/** All four keys, always: the official SDKs read each of them. */
export function toOpenaiError({ message, status, param, code }: VecinityError) {
  return { error: { message, type: errorType(status), param, code } };
}

/** OpenAI's `error.type` of a status. */
export function errorType(status: number): string {
  return typeByStatus[status] ?? 'server_error';
}

function errorHeaders({ code, status, retryAfterMs }: VecinityError): Record<string, string> {
  const headers: Record<string, string> = {};
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  if (permanentCodes.has(code)) headers['x-should-retry'] = 'false';
  const waitMs = retryAfterMs ?? (status === 429 ? defaultRetryAfterMs : null);
  if (waitMs === null) return headers;
  headers['retry-after'] = String(Math.max(1, Math.ceil(waitMs / 1000)));
  headers['retry-after-ms'] = String(Math.max(1, Math.ceil(waitMs)));
  return headers;
}
