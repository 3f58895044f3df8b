/** Long work in turns: the event loop of the worker stays free for aborts, new requests and finished runs. */
import { nextTask } from '../pause.js';

const defaultTurnMs = 8;

export interface TurnOptions {
  count: number;
  now: () => number;
  /** Asked before each turn; true ends the work early. */
  stopped: () => boolean;
  /** How long one turn lasts at most, unless a single item takes longer; default 8. */
  turnMs?: number;
}

/** Calls `work(from, until)` turn by turn, where `until` says whether a turn may go on; it returns the next index. */
export async function inTurns(
  work: (from: number, mayGoOn: () => boolean) => number,
  options: TurnOptions,
): Promise<void> {
  const { count, now, stopped, turnMs = defaultTurnMs } = options;
  let next = 0;
  while (next < count && !stopped()) {
    const endMs = now() + turnMs;
    next = work(next, () => now() < endMs);
    if (next < count) await nextTask();
  }
}
