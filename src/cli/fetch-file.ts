/** One file of the hub onto the disk: goes on where an earlier try stopped, and counts only with the right hash. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { VecinityError } from '../errors.js';
import { TransientError } from '../models/download.js';
import { toHubHeaders } from '../models/hub.js';
import { openTransfer, type Transfer } from '../models/transfer.js';
import type { HubFile, HubSource } from './hub.js';

export interface FetchOptions {
  /** Where the file is put; beside it `<target>.partial` grows. */
  target: string;
  source: HubSource;
  signal: AbortSignal;
  /** How much of the file is there, and how much of that has just come. */
  onBytes: (loadedBytes: number, cameBytes: number) => void;
}

/** Does nothing for a file that is there. Throws `download_failed`, `model_file_invalid` for a wrong hash, `aborted`. */
export async function fetchFile(file: HubFile, options: FetchOptions): Promise<void> {
  const { target } = options;
  if ((await sizeOf(target)) === file.sizeBytes && (await hasDigest(target, file))) {
    options.onBytes(file.sizeBytes, 0);
    return;
  }
  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.partial`;
  for (const mayTryAgain of [true, false]) {
    await complete(file, partial, options);
    if (await hasDigest(partial, file)) return await rename(partial, target);
    await rm(partial, { force: true });
    if (!mayTryAgain)
      throw new VecinityError('model_file_invalid', `${file.url} does not have the hash that it should.`);
  }
}

/** Until every byte is there; goes on where an earlier run stopped. */
async function complete(file: HubFile, partial: string, options: FetchOptions): Promise<void> {
  const there = (await sizeOf(partial)) ?? 0;
  if (there === file.sizeBytes && there > 0) return;
  const { source, signal } = options;
  const request = { url: file.url, path: file.path, headers: toHubHeaders(source.hubToken), fetch, signal };
  const part = { sizeBytes: there < file.sizeBytes ? there : 0, version: { etag: null, totalBytes: file.sizeBytes } };
  const transfer = await openTransfer(request, part).catch((cause: unknown) => rethrow(file, there, cause));
  if (transfer === null) throw new VecinityError('download_failed', `${file.url} is not there.`);
  const handle = await open(partial, transfer.startsAt > 0 ? 'a' : 'w');
  try {
    await write(transfer, handle, { file, onBytes: options.onBytes });
  } finally {
    await handle.close();
  }
}

async function write(
  { startsAt, pieces }: Transfer,
  handle: FileHandle,
  { file, onBytes }: Pick<FetchOptions, 'onBytes'> & { file: HubFile },
): Promise<void> {
  let length = startsAt;
  try {
    for await (const piece of pieces) {
      length += piece.length;
      if (length > file.sizeBytes) {
        throw new VecinityError('model_file_invalid', `${file.url} is longer than its ${file.sizeBytes} bytes.`);
      }
      await handle.writeFile(piece);
      onBytes(length, piece.length);
    }
  } catch (cause) {
    rethrow(file, length, cause);
  } finally {
    await handle.sync();
  }
}

async function hasDigest(path: string, { digest, sizeBytes }: HubFile): Promise<boolean> {
  const hash: Hash = createHash(digest.algorithm === 'git' ? 'sha1' : 'sha256');
  if (digest.algorithm === 'git') hash.update(`blob ${sizeBytes}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex') === digest.hex.toLowerCase();
}

async function sizeOf(path: string): Promise<number | null> {
  const found = await stat(path).catch(() => null);
  return found?.isFile() ? found.size : null;
}

/** A failure of the network is told with how far the file is: nothing of it is lost. */
function rethrow(file: HubFile, loadedBytes: number, cause: unknown): never {
  if (!(cause instanceof TransientError)) throw cause;
  const place = `it stopped after ${loadedBytes} of ${file.sizeBytes} bytes`;
  throw new VecinityError('download_failed', `${file.url} could not be downloaded: ${place}; run the command again.`, {
    cause,
  });
}
