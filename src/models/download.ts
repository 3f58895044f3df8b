/**
 * One HTTP download of a model's file: status, pages of HTML posing as files, lengths, progress, tries after an outage.
 * Going on after a break is in `transfer.ts`; knows nothing of stores and of which files a model has.
 */
import { abortError, VecinityError, wordsOf } from '../errors.js';
import { pause } from '../pause.js';
import { declaredBytes, isWhole, rangeOf } from './body-headers.js';
import { openBody } from './body-reader.js';
import { htmlError, isHtml, isPointer, maxBytesOf, pointerError, tooLargeError } from './content.js';
import type { ReadOptions } from './files.js';
import { createReporter } from './progress.js';

/** The cause of a `download_failed` that the server answered: its status says what a caller may do about it. */
export class HttpStatusError extends Error {
  constructor(readonly status: number) {
    super(`HTTP status ${status}`);
  }

  /** The server would not give the file to this reader, or not tell that it has none. */
  get isRefusal(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface DownloadRequest extends ReadOptions {
  url: string;
  /** The file's name in messages and progress. */
  path: string;
  headers: Record<string, string>;
  fetch: typeof fetch;
  /** Bytes `start` (inclusive) to `end` (exclusive, may be infinite) only; such a read reports no progress. */
  range?: { start: number; end: number };
  /** After this long without a word a server is given up; left out: a minute. */
  silenceMs?: number;
  /** A file that everyone may read who may read any beside it: while this one can be had, a refusal means absence. */
  witnessUrl?: string;
  /** True asks the server itself: what a cache on the way has was no good before, or may be of another time. */
  isFresh?: boolean;
  /** See `openBody`; for readers that are through with a piece when they ask for the next. */
  pieceBytes?: number;
}

/** A server that says nothing for so long is given up, and asked again. */
const longestSilenceMs = 60_000;

/** Waits before the tries that follow a failure that may pass: servers that restart, a phone that changes its network. */
export const retryDelaysMs: readonly number[] = [0, 500, 1_000, 2_000, 4_000, 8_000];
/** No try begins later than this after the first one: each may take a minute of silence. */
const patienceMs = 60_000;
/** The longest of these waits for a device that says itself that it has no network: it changes networks, or is offline. */
const longestOfflineDelayMs = 1_000;

/** Statuses below 500 that say "later": too slow, too early, too many. */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/** A `download_failed` that may pass: it is worth another try. */
export class TransientError extends VecinityError {
  constructor(url: string, reason: string, cause?: unknown) {
    super('download_failed', `${url} could not be downloaded: ${reason}`, { cause });
  }
}

/** The file's bytes, or null when the server does not have it. Throws `download_failed`, `model_file_invalid`, `aborted`. */
export function download(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  return tryAgain(request, () => (request.range ? readRange(request, request.range) : readWhole(request)));
}

/** Tries what may pass again, for as long as a short outage takes; a probe at once, and only once more. */
export async function tryAgain<Result>(
  { isProbe = false, signal }: Pick<DownloadRequest, 'isProbe' | 'signal'>,
  operation: () => Promise<Result>,
): Promise<Result> {
  const begunMs = performance.now();
  for (const delayMs of isProbe ? [0] : retryDelaysMs) {
    try {
      return await operation();
    } catch (error) {
      if (!(error instanceof TransientError) || (delayMs > 0 && isLate(begunMs))) throw error;
      if (delayMs > longestOfflineDelayMs && isOffline()) throw error;
    }
    await pause(delayMs, signal);
  }
  return await operation();
}

function isLate(begunMs: number): boolean {
  return performance.now() - begunMs > patienceMs;
}

/** True is sure, false is not. Node says neither. */
function isOffline(): boolean {
  return globalThis.navigator?.onLine === false;
}

async function readWhole(request: DownloadRequest): Promise<Uint8Array<ArrayBuffer> | null> {
  const response = await connect(request);
  return response && collect(reportedBody(request, response), declaredBytes(response), Number.POSITIVE_INFINITY);
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
  if (response.status === 206 && (rangeOf(response)?.start ?? start) !== start) {
    await response.body?.cancel();
    throw new TransientError(request.url, `the server sent another part than the one from byte ${start} on`);
  }
  const body = readBody(request, response);
  if (response.status === 206) return collect(body, end - start, end - start);
  return (await collect(body, end, end)).slice(start);
}

/**
 * The answer (2xx, a part only to a range, or 416 to one), or null when the server does not have the file. Throws
 * `download_failed`, `aborted`.
 */
export async function connect(request: DownloadRequest): Promise<Response | null> {
  const response = await send(request);
  const { status } = response;
  const isForRange = status === 206 || status === 416;
  if (isForRange ? request.range : response.ok) return response;
  if (status === 206 && isWhole(response)) return new Response(response.body, { headers: response.headers });
  await response.body?.cancel();
  if (status === 206) throw new TransientError(request.url, 'the server sent a part of it, and all was asked for');
  if (status === 404 || status === 410) return null;
  const cause = new HttpStatusError(status);
  if (cause.isRefusal && (await isWitnessed(request))) return null;
  const reason = `the server answered ${status} ${response.statusText}`.trimEnd();
  if (status >= 500 || laterStatuses.has(status)) throw new TransientError(request.url, reason, cause);
  throw new VecinityError('download_failed', `${request.url} could not be downloaded: ${reason}`, { cause });
}

async function isWitnessed({ witnessUrl, ...request }: DownloadRequest): Promise<boolean> {
  if (witnessUrl === undefined) return false;
  const response = await send({ ...request, url: witnessUrl });
  await response.body?.cancel();
  return response.ok;
}

async function send(request: DownloadRequest): Promise<Response> {
  const headers = new Headers(request.headers);
  if (request.range) {
    const { start, end } = request.range;
    headers.set('range', `bytes=${start}-${Number.isFinite(end) ? end - 1 : ''}`);
  }
  const answer = request.fetch(request.url, {
    headers,
    // Which page uses which model is nobody's business; some mirrors also refuse foreign referrers.
    referrerPolicy: 'no-referrer',
    ...(request.isFresh ? { cache: 'reload' } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
  });
  // An answer that comes after it was given up is let go.
  const letGo = (): void => void answer.then((late) => late.body?.cancel()).catch(() => {});
  return await untilStalled(request, answer, letGo);
}

/** Waits for the network. Throws `aborted`, and a failure that may pass for anything else that goes wrong, silence too. */
async function untilStalled<Result>(
  request: DownloadRequest,
  answer: Promise<Result>,
  giveUp: () => void,
): Promise<Result> {
  const { silenceMs = longestSilenceMs } = request;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      giveUp();
      reject(new Error(`nothing came for ${silenceMs / 1_000} s`));
    }, silenceMs);
  });
  try {
    return await Promise.race([answer, stalled]);
  } catch (cause) {
    throw networkError(request, cause);
  } finally {
    clearTimeout(timer);
  }
}

function networkError(request: DownloadRequest, cause: unknown): Error {
  if (request.signal?.aborted) return abortError(request.signal);
  // It comes from a `fetch` of the caller's that is none: trying again would not help.
  if (cause instanceof VecinityError) return cause;
  return new TransientError(request.url, `the network failed (${networkReason(cause)})`, cause);
}

/** Node's fetch says only "fetch failed"; what failed, for example that a name is not known, is in its cause. */
function networkReason(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  return (cause instanceof Error ? cause.message : '') || wordsOf(thrown);
}

/**
 * The pieces of a body, which err for what is not the file: a page of HTML or a pointer in its place, an early end.
 * Leaving it early ends the transfer.
 */
export async function* readBody(
  request: DownloadRequest,
  response: Response,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const reader = openBody(response.body, request.pieceBytes);
  const cancel = (): void => void reader.cancel().catch(() => {});
  let length = 0;
  try {
    if ((declaredBytes(response) ?? 0) > maxBytesOf(request.path)) throw tooLargeError(request.path, request.url);
    for (;;) {
      const { done, value } = await untilStalled(request, reader.read(), cancel);
      if (length === 0) checkStart(request, response, value ?? new Uint8Array(0));
      if (done || value === undefined) break;
      length += value.length;
      if (length > maxBytesOf(request.path)) throw tooLargeError(request.path, request.url);
      yield value;
    }
  } finally {
    cancel();
  }
  checkLength(request, response, length);
}

function checkStart({ path, url, range }: DownloadRequest, response: Response, start: Uint8Array): void {
  if (isHtml(start, response.headers.get('content-type'))) throw htmlError(path, url);
  const isFromStart = range === undefined || range.start === 0 || response.status !== 206;
  if (isFromStart && isPointer(start)) throw pointerError(path, url);
}

async function* reportedBody(
  request: DownloadRequest,
  response: Response,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  const totalBytes = declaredBytes(response);
  const reporter = createReporter(request.path, request.onProgress);
  let length = 0;
  for await (const piece of readBody(request, response)) {
    length += piece.length;
    reporter.advance(length, totalBytes !== null && length <= totalBytes ? totalBytes : null);
    yield piece;
  }
  reporter.finish(length);
}

/** Reads pieces into one buffer, allocated once when the length is known, so that a big file is in memory only once. */
async function collect(
  pieces: AsyncIterable<Uint8Array<ArrayBuffer>>,
  expectedBytes: number | null,
  limit: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(0);
  let length = 0;
  for await (const piece of pieces) {
    const chunk = piece.subarray(0, limit - length);
    // Not before something has come: what a server says of a length may be far from it.
    if (length === 0) buffer = allocate(expectedBytes ?? 65_536);
    buffer = withRoom(buffer, length + chunk.length);
    buffer.set(chunk, length);
    length += chunk.length;
    if (length >= limit) break;
  }
  return length === buffer.length ? buffer : buffer.slice(0, length);
}

function withRoom(buffer: Uint8Array<ArrayBuffer>, needed: number): Uint8Array<ArrayBuffer> {
  if (needed <= buffer.length) return buffer;
  const grown = allocate(Math.max(needed, buffer.length * 2));
  grown.set(buffer);
  return grown;
}

function allocate(sizeBytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes);
  } catch (cause) {
    const message = `A file of the model is said to have ${sizeBytes} bytes, more than there is memory for here.`;
    throw new VecinityError('model_file_invalid', message, { cause });
  }
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
