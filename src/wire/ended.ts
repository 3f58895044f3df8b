/** The record of engines that ended, which the next one shows in its status. */
import type { EnginePast } from '../core/past.js';

/** Ends that are kept; a page that is open for days does not grow its record. */
const maxEnded = 20;

/** The record with one more end, for this reason at `now`, in ms since 1970. */
export function withEnd(ended: EnginePast['ended'], reason: string, now: number): EnginePast['ended'] {
  return [...ended, { at: new Date(now).toISOString(), reason }].slice(-maxEnded);
}
