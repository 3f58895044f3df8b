/**
 * A file as a stream of pieces that goes on where the network broke, by a range. What comes after a break is of the
 * same version as what came before, by length and ETag, or the transfer ends; hashes are the receiver's business.
 */
import { VecinityError } from '../errors.js';
import { pause } from '../pause.js';
import type { PartVersion } from '../storage/file-store.js';
import { declaredBytes, isEncoded, rangeOf } from './body-headers.js';
import { connect, type DownloadRequest, readBody, retryDelaysMs, TransientError, tryAgain } from './download.js';

export interface Transfer {
  /** Where the first piece belongs: what the receiver has before it is still good. */
  startsAt: number;
  version: PartVersion;
  /** Throws `download_failed`, `model_file_invalid`, `aborted`. */
  pieces: AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>;
}

/** Begins where the receiver's part ends, or at the start if the server will not. Null when it does not have the file. */
export async function openTransfer(
  request: DownloadRequest,
  part: { sizeBytes: number; version: PartVersion },
): Promise<Transfer | null> {
  const wanted = isText(request.path) ? 0 : part.sizeBytes;
  const response = await tryAgain(request, () => reconnect(request, wanted, part.version));
  if (response === null) return null;
  const startsAt = response.status === 206 ? wanted : 0;
  const found = versionOf(response, startsAt);
  const version = startsAt === 0 ? found : completed(found, part.version);
  return { startsAt, version, pieces: readOn(request, response, { position: startsAt, version }) };
}

/** The file was replaced on the server during its download. */
export class ChangedError extends VecinityError {
  constructor(url: string) {
    super('download_failed', `${url} could not be downloaded: it changed on the server meanwhile.`);
  }
}

interface Place {
  position: number;
  version: PartVersion;
}

async function* readOn(
  request: DownloadRequest,
  first: Response,
  { position, version }: Place,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  // Tries that brought no byte.
  let tries = 0;
  let response: Response | null = first;
  let from = position;
  for (;;) {
    try {
      response ??= await goOn(request, from, version, isText(request.path) || isEncoded(first));
      const start = response.status === 206 ? { start: from, end: Number.POSITIVE_INFINITY } : null;
      let at = start?.start ?? 0;
      for await (const piece of readBody(start ? { ...request, range: start } : request, response)) {
        // A server that knows no ranges sends again what is there already.
        const fresh = piece.subarray(Math.max(0, from - at));
        at += piece.length;
        if (fresh.length === 0) continue;
        from += fresh.length;
        tries = 0;
        yield fresh;
      }
      checkEnd(request, response, { from, at, totalBytes: version.totalBytes });
      return;
    } catch (error) {
      const delayMs = retryDelaysMs[tries++];
      if (!(error instanceof TransientError) || delayMs === undefined) throw error;
      response = null;
      await pause(delayMs, request.signal);
    }
  }
}

interface End {
  /** What the receiver has. */
  from: number;
  /** How far the answer came. */
  at: number;
  /** What was said of the file before. */
  totalBytes: number | null;
}

/** A server may send less than the rest of a file, and one that sends it all again may have a shorter one by now. */
function checkEnd(request: DownloadRequest, response: Response, { from, at, ...before }: End): void {
  if (at < from) throw new ChangedError(request.url);
  // An answer in one piece has been held to its own length.
  if (response.status !== 206) return;
  const totalBytes = rangeOf(response)?.totalBytes ?? before.totalBytes ?? from;
  if (from < totalBytes) throw new TransientError(request.url, `it ended after ${from} of ${totalBytes} bytes`);
}

/** The rest of a file from `position` on, or all of it from a server that knows no ranges. */
async function goOn(
  request: DownloadRequest,
  position: number,
  version: PartVersion,
  whole: boolean,
): Promise<Response> {
  const response = await reconnect(request, whole ? 0 : position, version);
  const found = response && versionOf(response, response.status === 206 ? position : 0);
  if (response && found && agree(found, version)) return response;
  await response?.body?.cancel();
  throw new ChangedError(request.url);
}

/** An answer from `position` on (206), or from the start where the server has no such range of this version. */
async function reconnect(request: DownloadRequest, position: number, version: PartVersion): Promise<Response | null> {
  if (position === 0) return await connect(request);
  const range = { start: position, end: Number.POSITIVE_INFINITY };
  const response = await connect({ ...request, range });
  if (response === null || response.status === 200) return response;
  if (response.status === 206 && !isEncoded(response) && continues(response, position, version)) return response;
  await response.body?.cancel();
  return await connect(request);
}

function continues(response: Response, position: number, version: PartVersion): boolean {
  const start = rangeOf(response)?.start ?? position;
  return start === position && agree(versionOf(response, position), version);
}

/** Across origins a server may show neither ETag nor range; then the length must do. */
function versionOf(response: Response, startsAt: number): PartVersion {
  const length = declaredBytes(response);
  const totalBytes = rangeOf(response)?.totalBytes ?? (length && length + startsAt);
  return { etag: response.headers.get('etag'), totalBytes };
}

/** What an answer says and, where it says nothing, what the one before it said. */
function completed(found: PartVersion, before: PartVersion): PartVersion {
  return { etag: found.etag ?? before.etag, totalBytes: found.totalBytes ?? before.totalBytes };
}

function agree(found: PartVersion, wanted: PartVersion): boolean {
  return matches(found.etag, wanted.etag) && matches(found.totalBytes, wanted.totalBytes);
}

function matches(found: string | number | null, wanted: string | number | null): boolean {
  return found === null || wanted === null || found === wanted;
}

/** Servers compress text as they like, so that positions in it mean nothing to them. */
export function isText(path: string): boolean {
  return /\.(?:json|txt)$/.test(path);
}
