/** Waits that an abort ends, for a time or for work, and for whatever else this thread has to do. */
import { abortError, type VecinityError } from './errors.js';

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

/** Lets this thread take what has come in meanwhile. A message to oneself is, unlike a timer, not delayed by 4 ms. */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Ends with the signal even where a step of the work does not listen to it. */
export async function untilAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = rejection();
  const onAbort = () => aborted.reject(abortError(signal));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** A promise that can only fail (`Promise.withResolvers` is missing in Node 20). */
export function rejection(): { promise: Promise<never>; reject: (error: VecinityError) => void } {
  let reject: (error: VecinityError) => void = () => {};
  const promise = new Promise<never>((_, rejectPromise) => {
    reject = rejectPromise;
  });
  promise.catch(() => {});
  return { promise, reject };
}

/** Timers hold 31 bits of milliseconds; one that is set for longer rings at once. */
export const longestTimerMs = 2 ** 31 - 1;

/** On Node a clock does not keep the process alive; in a browser a timer is a number. */
export function unref(timer: ReturnType<typeof setTimeout>): ReturnType<typeof setTimeout> {
  if (typeof timer === 'object' && 'unref' in timer) (timer as { unref(): void }).unref();
  return timer;
}
