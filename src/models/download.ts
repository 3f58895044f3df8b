/**
 * One HTTP download of a model's file: status, HTML pages posing as files, lengths, progress, one retry.
 * Knows nothing of caches (`url-files.ts`) and of which files a model has.
 */
import { abortError, VecinityError } from '../errors.js';
import { htmlError, isHtml } from './content.js';
import type { ReadOptions } from './files.js';
import { createReporter, type ProgressReporter } from './progress.js';

/** The cause of a `download_failed` that the server answered: its status says what a caller may do about it. */
export class HttpStatusError extends Error {
  constructor(readonly status: number) {
    super(`HTTP status ${status}`);
  }
}

export interface DownloadRequest extends ReadOptions {
  url: string;
  /** The file's name in messages and progress. */
  path: string;
  headers: Record<string, string>;
  fetch: typeof fetch;
  /** Bytes `start` (inclusive) to `end` (exclusive) only. */
  range?: { start: number; end: number };
}

/** A failure that may pass: the download is tried once more. */
class TransientError extends Error {}

/** The file's bytes, or null when the server does not have it. Throws `download_failed`, `model_file_invalid`, `aborted`. */
export async function download(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return await attempt(request);
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
  }
  try {
    return await attempt(request);
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    throw new VecinityError('download_failed', `${request.url} could not be downloaded: ${error.message}`, {
      cause: error.cause,
    });
  }
}

async function attempt(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  const response = await send(request);
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel();
    return null;
  }
  if (response.status === 416 && request.range) {
    await response.body?.cancel();
    return new Uint8Array(0);
  }
  if (!response.ok) await refuse(request, response);
  const bytes = await readBody(request, response);
  if (isHtml(bytes, response.headers.get('content-type'))) throw htmlError(request.path, request.url);
  return bytes;
}

async function send(request: DownloadRequest): Promise<Response> {
  const headers = new Headers(request.headers);
  if (request.range) headers.set('range', `bytes=${request.range.start}-${request.range.end - 1}`);
  try {
    return await request.fetch(request.url, {
      headers,
      referrerPolicy: 'no-referrer',
      // The HTTP cache may hold the whole file; what we keep ourselves is asked before this is called.
      ...(request.signal ? { signal: request.signal } : {}),
    });
  } catch (cause) {
    throw networkError(request, cause);
  }
}

async function refuse(request: DownloadRequest, response: Response): Promise<never> {
  await response.body?.cancel();
  const cause = new HttpStatusError(response.status);
  if (response.status >= 500) throw new TransientError(`the server answered ${response.status}.`, { cause });
  throw new VecinityError(
    'download_failed',
    `${request.url} could not be downloaded: the server answered ${response.status} ${response.statusText}`.trimEnd(),
    { cause },
  );
}

function networkError(request: DownloadRequest, cause: unknown): Error {
  if (request.signal?.aborted) return abortError(request.signal);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TransientError(`the network failed (${reason}).`, { cause });
}

async function readBody(request: DownloadRequest, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const partial = response.status === 206;
  const whole = request.range !== undefined && !partial;
  const limit = request.range ? (whole ? request.range.end : request.range.end - request.range.start) : null;
  const expected = expectedBytes(response);
  const reporter = createReporter(request.path, request.onProgress);
  const bytes = await collect(request, response, { limit, expected, reporter });
  if (limit === null) checkLength(response, bytes.length, expected);
  const wanted = whole && request.range ? bytes.slice(request.range.start, request.range.end) : bytes;
  reporter.finish(wanted.length);
  return wanted;
}

interface CollectOptions {
  /** Stop after so many bytes; null reads to the end. */
  limit: number | null;
  expected: number | null;
  reporter: ProgressReporter;
}

/** Reads a body into one buffer, allocated once when the length is known, so that a big file is in memory only once. */
async function collect(
  request: DownloadRequest,
  response: Response,
  { limit, expected, reporter }: CollectOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array(0);
  let buffer = new Uint8Array(Math.min(expected ?? 65_536, limit ?? Number.POSITIVE_INFINITY));
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const chunk = limit === null ? value : value.subarray(0, limit - length);
      buffer = withRoom(buffer, length + chunk.length);
      buffer.set(chunk, length);
      length += chunk.length;
      reporter.advance(length, expected !== null && length <= expected ? expected : null);
      if (length === limit) break;
    }
  } catch (cause) {
    throw networkError(request, cause);
  } finally {
    // Also ends a transfer that was left early; a body that ended is not affected.
    await reader.cancel().catch(() => undefined);
  }
  return length === buffer.length ? buffer : buffer.slice(0, length);
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, needed: number): Uint8Array<ArrayBuffer> {
  if (needed <= buffer.length) return buffer;
  const grown = new Uint8Array(Math.max(needed, buffer.length * 2));
  grown.set(buffer);
  return grown;
}

function expectedBytes(response: Response): number | null {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && !isEncoded(response) ? length : null;
}

function isEncoded(response: Response): boolean {
  const encoding = response.headers.get('content-encoding');
  return encoding !== null && encoding.toLowerCase() !== 'identity';
}

/**
 * Throws when a body ended early. Across origins `content-encoding` is hidden while `content-length` (the encoded
 * length) is not, so there only a length that no encoding could explain counts: gzip, deflate and brotli enlarge
 * incompressible data by less than one part in a thousand and 64 bytes.
 */
function checkLength(response: Response, length: number, expected: number | null): void {
  if (expected === null || length === expected) return;
  const encodingMayBeHidden = response.type === 'cors';
  if (encodingMayBeHidden && length + length / 1000 + 64 >= expected) return;
  throw new TransientError(`it ended after ${length} of ${expected} bytes.`);
}
