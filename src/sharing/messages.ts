/** What tabs that share an engine say to each other, as types only; all of it is cloned, nothing is transferred. */
import type { JobProgress, LoadProgress } from '../core/engine.js';
import type { ErrorData } from '../errors.js';
import type { EngineCall } from '../wire/engine-line.js';

/**
 * To every tab: a tab that looks for the leader, and knows of the epoch `latest`; and a tab that has become it. Epochs
 * sort by time; `stolen` says that the leader before it was silent, which is no death.
 */
export type Announcement =
  | { type: 'hello'; from: string; visible: boolean; latest: string }
  | { type: 'leader'; epoch: string; stolen: boolean };

/**
 * From a follower, in its own conversation; `epoch` is the leadership that it speaks to, `deaths` how many engines died
 * so far while they worked on the request; who asks for it waits for progress (`watched`) or may call it off
 * (`abortable`).
 */
export type ToLeader =
  | {
      type: 'request';
      epoch: string;
      id: number;
      call: EngineCall;
      deaths: number;
      watched: boolean;
      abortable: boolean;
    }
  | { type: 'cancel'; epoch: string; id: number }
  | { type: 'ping'; epoch: string };

/**
 * From the leader, in the conversation of one follower. `died`: an engine died while it worked on the request, which the
 * next one tries again; `takeover`: the follower shall lead, if it hears of it in time; `bye`: this leadership is over in
 * peace, and what it had accepted is to be asked of the next one.
 */
export type ToFollower =
  | { type: 'welcome'; epoch: string }
  | { type: 'accepted'; epoch: string; id: number }
  | { type: 'progress'; epoch: string; id: number; progress: LoadProgress | JobProgress }
  | { type: 'result'; epoch: string; id: number; value: unknown }
  | { type: 'error'; epoch: string; id: number; error: ErrorData }
  | { type: 'died'; epoch: string; id: number }
  | { type: 'pong'; epoch: string }
  | { type: 'takeover'; epoch: string; at: number }
  | { type: 'bye'; epoch: string };
