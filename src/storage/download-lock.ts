/** One download of a file for all tabs: who comes second waits, and is told how far the first one is. */

/** The protocol's version is part of the names, so that two deployed versions do not wait for each other. */
const prefix = 'vecinity:v1:download:';

/** Bytes of the file so far, and of all of it where that is known. */
export type Heard = (loadedBytes: number, totalBytes: number | null) => void;

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Called with what the tab that downloads says, while this one waits. */
  onProgress?: Heard | undefined;
}

/**
 * Runs `work` while no other tab downloads the file; `work` is given what tells the others how far it is. Where locks are
 * missing or forbidden, as in a frame of another site whose storage is blocked, nobody waits.
 */
export async function lockDownload<Result>(
  url: string,
  options: LockOptions,
  work: (tell: Heard) => Promise<Result>,
): Promise<Result> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return await work(() => {});
  let isBegun = false;
  try {
    return await workLocked(locks, { url, ...options }, (tell) => {
      isBegun = true;
      return work(tell);
    });
  } catch (thrown) {
    const isRefused = thrown instanceof DOMException && thrown.name === 'SecurityError';
    if (isBegun || !isRefused) throw thrown;
    return await work(() => {});
  }
}

async function workLocked<Result>(
  locks: LockManager,
  { url, signal, onProgress }: LockOptions & { url: string },
  work: (tell: Heard) => Promise<Result>,
): Promise<Result> {
  const channel = new BroadcastChannel(prefix + url);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (Array.isArray(data)) onProgress?.(Number(data[0]), data[1] === null ? null : Number(data[1]));
  };
  try {
    return await locks.request(prefix + url, signal ? { signal } : {}, () => {
      channel.onmessage = null;
      return work((loadedBytes, totalBytes) => channel.postMessage([loadedBytes, totalBytes]));
    });
  } finally {
    channel.close();
  }
}
