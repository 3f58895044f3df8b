/** A lock between processes: a file that its owner keeps fresh, so that one of a killed process is taken over. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export interface LockOptions {
  signal: AbortSignal;
  /** Called once when another process has the lock. */
  onWait?: () => void;
  /** A lock that was not refreshed for so long belongs to nobody. */
  staleMs?: number;
}

const usualStaleMs = 15_000;
const pollMs = 200;

/** Runs `work` while no other process holds the lock. Rejects with the work's error, or when the signal fires. */
export async function withLock<T>(file: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  const { staleMs = usualStaleMs } = options;
  await mkdir(dirname(file), { recursive: true });
  await acquire(file, { ...options, staleMs });
  const refresh = () => {
    const now = new Date();
    utimes(file, now, now).catch(() => {}); // A lock that cannot be refreshed is only taken over earlier.
  };
  const heart = setInterval(refresh, staleMs / 3);
  heart.unref();
  try {
    return await work();
  } finally {
    clearInterval(heart);
    await rm(file, { force: true });
  }
}

async function acquire(file: string, options: LockOptions & { staleMs: number }): Promise<void> {
  let told = false;
  while (!(await tryCreate(file))) {
    if (await isStale(file, options.staleMs)) {
      await takeAway(file);
      continue;
    }
    if (!told) options.onWait?.();
    told = true;
    await pause(pollMs, undefined, { signal: options.signal });
  }
}

async function tryCreate(file: string): Promise<boolean> {
  try {
    await writeFile(file, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(file: string, staleMs: number): Promise<boolean> {
  const found = await stat(file).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > staleMs;
}

/** Of several processes that see a stale lock only one moves it away; the others find it gone. */
async function takeAway(file: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`;
  const moved = await rename(file, aside).then(
    () => true,
    () => false,
  );
  if (moved) await rm(aside, { force: true });
}
