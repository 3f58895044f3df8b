/**
 * One HTTP download of a model's file: status, HTML pages posing as files, lengths, progress, one retry.
 * Knows nothing of caches (`url-files.ts`) and of which files a model has.
 */
import { abortError, VecinityError } from '../errors.js';
import { htmlError, isHtml } from './content.js';
import type { ReadOptions } from './files.js';
import { createReporter } from './progress.js';

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
  /** Bytes `start` (inclusive) to `end` (exclusive) only; such a read reports no progress. */
  range?: { start: number; end: number };
}

/** A `download_failed` that may pass: the download is tried once more. */
class TransientError extends VecinityError {
  constructor(url: string, reason: string, cause?: unknown) {
    super('download_failed', `${url} could not be downloaded: ${reason}`, { cause });
  }
}

/** The file's bytes, or null when the server does not have it. Throws `download_failed`, `model_file_invalid`, `aborted`. */
export function download(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  return tryTwice(() => (request.range ? readRange(request, request.range) : readWhole(request)));
}

export interface DownloadStream {
  /** Errs with the errors of `download`, also for a page of HTML and when the file ends early. */
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Null when the server does not say, or says the length of an encoded form. */
  totalBytes: number | null;
}

/** Like `download` for a file that should not be held; a failure after the first byte is not tried again. */
export async function openDownload(request: DownloadRequest): Promise<DownloadStream | null> {
  const response = await tryTwice(() => connect(request));
  return response && { body: checkedBody(request, response), totalBytes: declaredBytes(response) };
}

async function tryTwice<Result>(operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    return operation();
  }
}

async function readWhole(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  const response = await connect(request);
  return response && collect(checkedBody(request, response), declaredBytes(response), Number.POSITIVE_INFINITY);
}

/** A server that knows no ranges sends the whole file: it is read up to the last byte that is wanted. */
async function readRange(
  request: DownloadRequest,
  { start, end }: { start: number; end: number },
): Promise<Uint8Array<ArrayBuffer> | null> {
  const response = await connect(request);
  if (!response) return null;
  if (response.status === 416) {
    await response.body?.cancel();
    return new Uint8Array(0);
  }
  const body = checkedBody({ ...request, onProgress: () => undefined }, response);
  if (response.status === 206) return collect(body, end - start, end - start);
  return (await collect(body, end, end)).slice(start);
}

/** The answer, or null when the server does not have the file. */
async function connect(request: DownloadRequest): Promise<Response | null> {
  const response = await send(request);
  if (response.ok || (response.status === 416 && request.range)) return response;
  await response.body?.cancel();
  const { status } = response;
  if (status === 404 || status === 410) return null;
  const cause = new HttpStatusError(status);
  const reason = `the server answered ${status} ${response.statusText}`.trimEnd();
  if (status >= 500) throw new TransientError(request.url, reason, cause);
  throw new VecinityError('download_failed', `${request.url} could not be downloaded: ${reason}`, { cause });
}

async function send(request: DownloadRequest): Promise<Response> {
  const headers = new Headers(request.headers);
  if (request.range) headers.set('range', `bytes=${request.range.start}-${request.range.end - 1}`);
  try {
    return await request.fetch(request.url, {
      headers,
      // Which page uses which model is nobody's business; some mirrors also refuse foreign referrers.
      referrerPolicy: 'no-referrer',
      ...(request.signal ? { signal: request.signal } : {}),
    });
  } catch (cause) {
    throw networkError(request, cause);
  }
}

function networkError(request: DownloadRequest, cause: unknown): Error {
  if (request.signal?.aborted) return abortError(request.signal);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TransientError(request.url, `the network failed (${reason})`, cause);
}

/** The body with progress, which errs for what is not the whole file. */
function checkedBody(request: DownloadRequest, response: Response): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  const totalBytes = declaredBytes(response);
  const reporter = createReporter(request.path, request.onProgress);
  let length = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const { done, value } = await reader.read().catch((cause: unknown) => {
        throw networkError(request, cause);
      });
      if (length === 0 && isHtml(value ?? new Uint8Array(0), response.headers.get('content-type'))) {
        await reader.cancel();
        throw htmlError(request.path, request.url);
      }
      if (!done) {
        length += value.length;
        reporter.advance(length, totalBytes !== null && length <= totalBytes ? totalBytes : null);
        return controller.enqueue(value);
      }
      checkLength(request, response, length);
      reporter.finish(length);
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** Reads a body into one buffer, allocated once when the length is known, so that a big file is in memory only once. */
async function collect(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  expectedBytes: number | null,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let buffer = new Uint8Array(expectedBytes ?? 65_536);
  let length = 0;
  while (length < limit) {
    const { done, value } = await reader.read();
    if (done) break;
    const chunk = value.subarray(0, limit - length);
    buffer = withRoom(buffer, length + chunk.length);
    buffer.set(chunk, length);
    length += chunk.length;
  }
  await reader.cancel(); // Ends a transfer that was left early; a body that ended is not affected.
  return length === buffer.length ? buffer : buffer.slice(0, length);
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, needed: number): Uint8Array<ArrayBuffer> {
  if (needed <= buffer.length) return buffer;
  const grown = new Uint8Array(Math.max(needed, buffer.length * 2));
  grown.set(buffer);
  return grown;
}

function declaredBytes(response: Response): number | null {
  const encoding = response.headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return encoding === 'identity' && Number.isSafeInteger(length) ? length : null;
}

/**
 * Throws when a body ended early. Across origins `content-encoding` is hidden while `content-length` (the encoded
 * length) is not, so there only a length that no encoding could explain counts: gzip, deflate and brotli enlarge
 * incompressible data by less than one part in a thousand and 64 bytes.
 */
function checkLength(request: DownloadRequest, response: Response, length: number): void {
  const expected = declaredBytes(response);
  if (expected === null || length === expected) return;
  if (response.type === 'cors' && length + length / 1000 + 64 >= expected) return;
  throw new TransientError(request.url, `it ended after ${length} of ${expected} bytes`);
}
