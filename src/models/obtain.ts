/**
 * Gets a file into a store: one download for all tabs, gone on with where an earlier one broke, judged by length and
 * hash, and committed only then. What is refused is thrown away and fetched once more.
 */
import { VecinityError } from '../errors.js';
import { type Heard, lockDownload } from '../storage/download-lock.js';
import { type FilePart, type FileStore, type KeptFile, unknownVersion } from '../storage/file-store.js';
import { availableBytes, evict, evictOne } from '../storage/room.js';
import { StorageError } from '../storage/storage-error.js';
import { isKnownAbsent, noteAbsence } from './absences.js';
import { foreignContent, problemOf } from './content-check.js';
import type { DownloadRequest } from './download.js';
import type { StorageFull } from './files.js';
import type { TreeEntry } from './hub-tree.js';
import { isPage } from './optional-files.js';
import { createReporter } from './progress.js';
import { ChangedError, isText, openTransfer } from './transfer.js';

export interface Order {
  store: FileStore;
  /** Address of the model, with a trailing slash. */
  base: string;
  request: DownloadRequest;
  /**
   * What the publisher says of the file; null when nothing is known. Asked only before a download, and `again` after one
   * of which nothing was known, when what failed before may be there.
   */
  expected: (again: boolean) => Promise<TreeEntry | null>;
  storageFull: StorageFull;
}

/** What is smaller is used without being kept where there is no room: only weights are worth the user's decision. */
const smallBytes = 1024 * 1024;

/**
 * The kept file, or null when the server does not have it. Throws `download_failed`, `model_file_invalid`,
 * `storage_full`, `aborted`, and `StorageError` when the file can be had but not kept.
 */
export async function obtain(order: Order): Promise<KeptFile | null> {
  const { store, request } = order;
  const { url, path, onProgress, signal } = request;
  const kept = await store.read(url);
  if (kept) return report(kept, request, kept.sizeBytes);
  const onWait = (loadedBytes: number, totalBytes: number | null) =>
    onProgress?.({ file: path, loadedBytes, totalBytes });
  return await lockDownload(url, { signal, onProgress: onWait }, async (tell) => {
    const fetched = await store.read(url);
    return fetched ? report(fetched, request, 0) : await fetchIntoStore(order, tell);
  });
}

function report(file: KeptFile, { path, onProgress }: DownloadRequest, resumedBytes: number): KeptFile {
  const reporter = createReporter(path, onProgress);
  reporter.resume(resumedBytes);
  reporter.finish(file.sizeBytes);
  return file;
}

async function fetchIntoStore(order: Order, tell: Heard): Promise<KeptFile | null> {
  const { store, base, request } = order;
  if (await isKnownAbsent(store, request)) return null;
  const filling: Filling = { order, expected: await order.expected(false), tell };
  const part = await store.openPart({ url: request.url, base, path: request.path });
  let isThere = false;
  // A part that will not be gone on with only takes room.
  let isUseless = false;
  try {
    isThere = await fillAndJudge(part, filling);
    const isVerified = filling.expected !== null && filling.expected.sha256 !== null;
    if (isThere) await withRoom(forSize(order, part.sizeBytes), part.sizeBytes, () => part.commit(isVerified));
  } catch (error) {
    isUseless = error instanceof StorageError;
    throw error;
  } finally {
    part.close();
    if (part.sizeBytes === 0 || isUseless) await store.remove(request.url);
  }
  if (!isThere) {
    // Without this one there is no model, and nothing that could start without the network.
    if (request.path !== 'config.json') await noteAbsence(store, { url: request.url, base, path: request.path });
    return null;
  }
  const file = await store.read(request.url);
  // The user cleared the site's data in between.
  if (file === null) throw new StorageError('unavailable');
  return file;
}

interface Filling {
  order: Order;
  expected: TreeEntry | null;
  tell: Heard;
}

/** False when the server does not have the file. */
async function fillAndJudge(part: FilePart, filling: Filling): Promise<boolean> {
  const { order } = filling;
  for (let isLast = false; ; isLast = true) {
    if (isLast) filling.order = { ...order, request: { ...order.request, isFresh: true } };
    let problem: string | null;
    try {
      if (!(await fill(part, filling))) {
        await part.restart(unknownVersion);
        if (!filling.expected) return false;
        throw new WithheldError(order.request.url);
      }
      // A hub has no hashes of small texts.
      const mayHaveHash = part.sizeBytes > smallBytes || !isText(order.request.path);
      if (mayHaveHash) filling.expected ??= await order.expected(true);
      problem = await judge(part, filling.expected);
    } catch (error) {
      if (isLast || !mayPass(error)) throw filling.expected ? asDefect(error) : error;
      if (error instanceof ChangedError) await part.restart(unknownVersion);
      continue;
    }
    if (problem === null) return true;
    await part.restart(unknownVersion);
    if (isLast) throw foreignContent(order.request, `${problem}. It was fetched twice and not kept`);
  }
}

/** A model without a file that it has would give other vectors, and nobody would know. */
export class WithheldError extends VecinityError {
  constructor(url: string) {
    super(
      'download_failed',
      `${url} could not be downloaded: the server does not give it, but its list of files has it.`,
    );
  }
}

/** The next answer may be the file: another version is whole by then, a page of a proxy or a login is gone. */
function mayPass(error: unknown): boolean {
  return error instanceof ChangedError || error instanceof WithheldError || isPage(error);
}

/** In the place of a file that is known to exist a page does not mean that there is none. */
export function asDefect(error: unknown): unknown {
  return isPage(error) ? new VecinityError('model_file_invalid', error.message) : error;
}

async function fill(part: FilePart, { order, expected, tell }: Filling): Promise<boolean> {
  const { request } = order;
  const wholeBytes = expected?.sizeBytes ?? part.version.totalBytes;
  // Only the commit was missing when the last try ended.
  if (part.sizeBytes > 0 && part.sizeBytes === wholeBytes) return true;
  // A part of another file.
  if (wholeBytes !== null && part.sizeBytes > wholeBytes) await part.restart(unknownVersion);
  const reporter = createReporter(request.path, (progress) => {
    request.onProgress?.(progress);
    tell(progress.loadedBytes, progress.totalBytes);
  });
  if (expected) {
    // The size is told before the first byte, so that a total is there from the start, and what is missing.
    reporter.resume(part.sizeBytes);
    reporter.begin(part.sizeBytes, expected.sizeBytes);
    await makeRoom(forSize(order, expected.sizeBytes), expected.sizeBytes - part.sizeBytes);
  }
  const transfer = await openTransfer(request, part);
  if (transfer === null) return false;
  const { startsAt, version, pieces } = transfer;
  const totalBytes = expected?.sizeBytes ?? version.totalBytes;
  const sized = forSize(order, totalBytes);
  let isFirst = true;
  for await (const piece of pieces) {
    if (isFirst) {
      // Not before the first piece is there: a page of HTML costs nothing of what was downloaded.
      if (startsAt === 0) await part.restart(version);
      await makeRoom(sized, (totalBytes ?? piece.length) - startsAt);
      reporter.resume(startsAt);
      isFirst = false;
    }
    await withRoom(sized, (totalBytes ?? 0) - part.sizeBytes, () => part.append(piece));
    const isPlausible = totalBytes !== null && part.sizeBytes <= totalBytes;
    reporter.advance(part.sizeBytes, isPlausible ? totalBytes : null);
  }
  // Nothing is all that the server has, whatever it had before.
  if (isFirst && startsAt === 0) await part.restart(version);
  reporter.finish(part.sizeBytes);
  return true;
}

/** The order of a file of this size. */
function forSize(order: Order, totalBytes: number | null): Order {
  const isSmall = totalBytes !== null && totalBytes <= smallBytes;
  return isSmall && order.storageFull === 'error' ? { ...order, storageFull: 'memory' } : order;
}

/**
 * Browsers round what they say is free, or say the same to everyone, so the disk has the last word: one model after the
 * other makes room where the site allowed that.
 */
async function withRoom(order: Order, neededBytes: number, write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await write();
      return;
    } catch (error) {
      if (!(error instanceof StorageError && error.reason === 'full') || order.storageFull === 'memory') throw error;
      if (order.storageFull === 'evict' && (await evictOne(order.store, order.base))) continue;
      throw noRoom(order.request.path, neededBytes, null);
    }
  }
}

/** Frees what the site allowed to be freed, or says what is missing, before anything is fetched. */
async function makeRoom({ store, base, request, storageFull }: Order, neededBytes: number): Promise<void> {
  if (await hasRoom(neededBytes)) return;
  if (storageFull === 'memory') throw new StorageError('full');
  if (storageFull === 'evict') await evict(store, neededBytes, base);
  if (storageFull === 'evict' && (await hasRoom(neededBytes))) return;
  throw noRoom(request.path, neededBytes, await availableBytes());
}

async function hasRoom(neededBytes: number): Promise<boolean> {
  const available = await availableBytes();
  return available === null || available >= neededBytes;
}

function noRoom(path: string, neededBytes: number, available: number | null): VecinityError {
  const free = available === null ? 'the browser gives no more' : `${megabytes(available)} are free for this site`;
  return new VecinityError(
    'storage_full',
    `The file ${path} needs ${megabytes(neededBytes)} of storage and ${free}. Delete stored models, ` +
      "or allow it with the option storageFull: 'evict' (the least used models go) or 'memory' (nothing is kept).",
    { param: 'storageFull' },
  );
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** What is wrong with a file that is all there, or null. */
async function judge(part: FilePart, expected: TreeEntry | null): Promise<string | null> {
  const digest = await part.digest();
  if (expected) return problemOf(expected, part.sizeBytes, digest);
  return part.sizeBytes === 0 ? 'it is empty' : null;
}
