/** The end of work that blocks its thread, on Node: its virtual machine can be told to stop, even inside of a pattern. */
import { createContext, Script } from 'node:vm';
import { type Deadline, DeadlineError } from '../core/deadline.js';
import { fieldOf } from '../json-object.js';

/** What the script calls. The work belongs to this program: it is watched here, not kept in a sandbox. */
const idle = (): void => {};
const scope = { work: idle };
const context = createContext(scope);
const script = new Script('work()');

/** A call costs a tenth of a millisecond, for the thread that watches. */
export const withDeadline: Deadline = <Value>(work: () => Value, limitMs: number): Value => {
  const outcome: { value?: Value } = {};
  scope.work = () => {
    outcome.value = work();
  };
  try {
    script.runInContext(context, { timeout: Math.ceil(limitMs) });
  } catch (cause) {
    // An error of the context's own realm, so that it is no `Error` of this one.
    const isLate = fieldOf(cause, 'code') === 'ERR_SCRIPT_EXECUTION_TIMEOUT';
    throw isLate ? new DeadlineError(`it had not ended after ${Math.ceil(limitMs)} ms`, { cause }) : cause;
  } finally {
    // Else the last text would keep its tokenizer in memory when the model is unloaded.
    scope.work = idle;
  }
  // What ends without an error has given its value.
  return outcome.value as Value;
};
