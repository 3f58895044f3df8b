/**
 * Remembers which files of a model its server does not have: a model that is kept starts without the network although
 * many lack some optional file. A note is believed only while nobody answers; files may be added at any time.
 */
import { type FileName, type FileStore, unknownVersion } from '../storage/file-store.js';
import { connect, type DownloadRequest, TransientError } from './download.js';

/** Stands behind the file's own address, as nothing that is read does. */
const mark = '?vecinity=absent';
/** A network that swallows what is sent, instead of failing, must not hold up the start for long. */
const silenceMs = 5_000;

/** Whether a stored name is a note and no file. */
export function isNote({ path }: Pick<FileName, 'path'>): boolean {
  return path.endsWith(mark);
}

/** Without room for the note, or while another tab writes it, there is none: then the server is asked the next time. */
export async function noteAbsence(store: FileStore, { url, base, path }: FileName): Promise<void> {
  try {
    const part = await store.openPart({ url: url + mark, base, path: path + mark });
    try {
      await part.restart(unknownVersion);
      await part.digest();
      await part.commit(false);
    } finally {
      part.close();
    }
  } catch {
    await forgetAbsence(store, url);
  }
}

async function forgetAbsence(store: FileStore, url: string): Promise<void> {
  await store.remove(url + mark);
}

/**
 * Whether the server did not have the file at an earlier visit, and has not said otherwise since. Throws `download_failed`
 * for an answer that is neither yes nor no, and `aborted`.
 */
export async function isKnownAbsent(store: FileStore, request: DownloadRequest): Promise<boolean> {
  if ((await store.read(request.url + mark)) === null) return false;
  try {
    const response = await connect({ ...request, silenceMs });
    await response?.body?.cancel();
    if (response === null) return true;
  } catch (error) {
    if (error instanceof TransientError) return true;
    throw error;
  }
  await forgetAbsence(store, request.url);
  return false;
}
