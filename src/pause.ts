/** A wait that an abort ends. */
import { abortError } from './errors.js';

/** Resolves after that time, without a timer for 0. Throws `aborted` as soon as the signal says so. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) throw abortError(signal);
  if (durationMs === 0) return;
  await new Promise<void>((resolve, reject) => {
    const giveUp = (): void => {
      clearTimeout(timer);
      if (signal) reject(abortError(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    }, durationMs);
    signal?.addEventListener('abort', giveUp, { once: true });
  });
}
