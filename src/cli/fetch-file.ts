/** One file of the hub onto the disk: goes on where an earlier try stopped, and counts only with the right hash. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { abortError, VecinityError } from '../errors.js';
import { type HubFile, type HubSource, hubHeaders } from './hub.js';

export interface FetchOptions {
  /** Where the file is put; beside it `<target>.partial` grows. */
  target: string;
  source: HubSource;
  signal: AbortSignal;
  onBytes: (loadedBytes: number) => void;
}

/** Tries in a row that may bring nothing before the download is given up. */
const fruitlessTries = 2;

/** Does nothing for a file that is there. Throws `download_failed`, `model_file_invalid` for a wrong hash, `aborted`. */
export async function fetchFile(file: HubFile, options: FetchOptions): Promise<void> {
  const { target } = options;
  if ((await sizeOf(target)) === file.sizeBytes && (await hasDigest(target, file))) {
    options.onBytes(file.sizeBytes);
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

/** Until every byte is there; each try goes on where the last one stopped. */
async function complete(file: HubFile, partial: string, options: FetchOptions): Promise<void> {
  let fruitless = 0;
  for (;;) {
    const before = (await sizeOf(partial)) ?? 0;
    if (before > file.sizeBytes) await rm(partial);
    else if (before === file.sizeBytes && before > 0) return;
    const failure = await append(file, partial, options).then(
      () => null,
      (cause: unknown) => cause,
    );
    if (options.signal.aborted) throw abortError(options.signal);
    const after = (await sizeOf(partial)) ?? 0;
    if (after === file.sizeBytes) return;
    fruitless = after > before ? 0 : fruitless + 1;
    if (failure instanceof VecinityError || fruitless >= fruitlessTries) throw toError(file, after, failure);
  }
}

async function append(file: HubFile, partial: string, { source, signal, onBytes }: FetchOptions): Promise<void> {
  const start = (await sizeOf(partial)) ?? 0;
  const range: Record<string, string> = start === 0 ? {} : { range: `bytes=${start}-` };
  const response = await fetch(file.url, { headers: { ...hubHeaders(source), ...range }, signal });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    const message = `${file.url} could not be downloaded: the server answered ${response.status}.`;
    if (response.status < 500) throw new VecinityError('download_failed', message);
    throw new Error(message);
  }
  // A server that knows no ranges sends the whole file again.
  const handle = await open(partial, response.status === 206 ? 'a' : 'w');
  try {
    await copy(response.body, handle, { loaded: response.status === 206 ? start : 0, file, onBytes });
  } finally {
    await handle.close();
  }
}

async function copy(
  body: ReadableStream<Uint8Array>,
  handle: FileHandle,
  { loaded, file, onBytes }: { loaded: number; file: HubFile; onBytes: (loadedBytes: number) => void },
): Promise<void> {
  let length = loaded;
  // Node's streams of the web can be iterated, which the DOM's types do not know.
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > file.sizeBytes) {
      throw new VecinityError('model_file_invalid', `${file.url} is longer than its ${file.sizeBytes} bytes.`);
    }
    await handle.writeFile(chunk);
    onBytes(length);
  }
  await handle.sync();
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

function toError(file: HubFile, loaded: number, cause: unknown): VecinityError {
  if (cause instanceof VecinityError) return cause;
  const place = `it stopped after ${loaded} of ${file.sizeBytes} bytes`;
  return new VecinityError('download_failed', `${file.url} could not be downloaded: ${place}; run the command again.`, {
    cause,
  });
}
