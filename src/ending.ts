/**
 * How a worker ends that has started workers itself: the inner ones first. Chromium keeps the thread of a worker, and all
 * that it holds, for good when whoever started it is gone before the end of the inner one is through: of 40 pairs that
 * were terminated one right after the other 38 inner threads stayed, and none where 50 ms lay between.
 */
import { pause } from './pause.js';

/** Between the end of inner workers and of the one that has started them. */
export const settleMs = 250;
/** An engine worker that has not seen to its own by then hangs, or never began. */
const outerLimitMs = 3_000;
/** The same for a compute worker, in a long run perhaps: its end must be through before the engine worker's comes. */
export const innerLimitMs = 2_000;

/** The same for one that is known to hang: only its threads may, and then it answers when they have ended. */
export const hungLimitMs = 2 * settleMs;
/** A worker that hangs goes on for so long after it was terminated: only then Chromium ends it by force. */
export const forcedEndMs = 2_000;

/** Terminates a worker as soon as it has ended those that it started, which `told` says, or does not answer in time. */
export async function terminateAfter(
  told: Promise<unknown>,
  terminate: () => void,
  limitMs = outerLimitMs,
): Promise<void> {
  const answered = told.catch(() => {});
  await Promise.race([answered, pause(limitMs)]);
  terminate();
}
