/**
 * The one error class of Vecinity, its closed list of codes, and the HTTP status of each code.
 * Errors cross threads as plain data (`toErrorData`, `fromErrorData`) and keep their `code`.
 */

const statusByCode = {
  invalid_request: 400,
  invalid_json: 400,
  context_length_exceeded: 400,
  unsupported_task: 400,
  invalid_api_key: 401,
  model_not_found: 404,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  overloaded: 429,
  aborted: 499,
  backend_failed: 500,
  engine_crashed: 500,
  internal_error: 500,
  model_file_missing: 502,
  model_file_invalid: 502,
  download_failed: 502,
  upstream_failed: 502,
  disposed: 503,
  device_unavailable: 503,
  model_loading: 503,
  model_not_loaded: 503,
  no_engine: 503,
  out_of_memory: 503,
  service_worker_unavailable: 503,
  worker_died: 503,
  timeout: 504,
  storage_full: 507,
} as const;

export type ErrorCode = keyof typeof statusByCode;

export interface ErrorDetails {
  /** The request field or option that is wrong, in the caller's spelling. */
  param?: string | null;
  /** When a retry makes sense, in milliseconds from now. */
  retryAfterMs?: number | null;
  cause?: unknown;
}

/** What an error is while it crosses a thread: plain data, never an `Error` instance. */
export interface ErrorData {
  code: ErrorCode;
  message: string;
  param: string | null;
  retryAfterMs: number | null;
}

/** Every failure that Vecinity reports: `code` is stable, `message` says what came and what is allowed. */
export class VecinityError extends Error {
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'VecinityError';
    this.code = code;
    this.param = details.param ?? null;
    this.retryAfterMs = details.retryAfterMs ?? null;
  }

  /** Each entry of the package is bundled with its own copy of this class; the copies know each other's errors. */
  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    // Subclasses inherit this; they stay inside of one bundle and know only their own.
    // biome-ignore lint/complexity/noThisInStatic: which class is asked is the very question.
    if (this !== VecinityError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return isError(value) && value.name === 'VecinityError' && 'code' in value && isErrorCode(value.code);
  }

  /** The HTTP status that this error's code stands for. */
  get status(): number {
    return statusByCode[this.code];
  }
}

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(statusByCode, value);
}

/** Turns whatever was thrown into data that can be posted to another thread. Inverse of `fromErrorData`. */
export function toErrorData(thrown: unknown): ErrorData {
  const error = toVecinityError(thrown);
  return {
    code: error.code,
    message: error.message,
    param: error.param,
    retryAfterMs: error.retryAfterMs,
  };
}

/** Inverse of `toErrorData`. */
export function fromErrorData(data: ErrorData): VecinityError {
  return new VecinityError(data.code, data.message, {
    param: data.param,
    retryAfterMs: data.retryAfterMs,
  });
}

/** Wraps anything thrown; an abort becomes `aborted`, what is unknown becomes `internal_error`. */
export function toVecinityError(thrown: unknown): VecinityError {
  if (thrown instanceof VecinityError) return thrown;
  if (isAbort(thrown)) {
    return new VecinityError('aborted', 'The request was aborted.', { cause: thrown });
  }
  return new VecinityError('internal_error', wordsOf(thrown), { cause: thrown });
}

/** The message of anything thrown. */
export function wordsOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The error that a wait ends with when its `AbortSignal` fires. */
export function abortError(signal: AbortSignal): VecinityError {
  if (signal.reason instanceof VecinityError) return signal.reason;
  return new VecinityError('aborted', 'The request was aborted.', { cause: signal.reason });
}

function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'name' in value && 'message' in value;
}

function isAbort(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown && thrown.name === 'AbortError';
}
