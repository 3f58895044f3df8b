/**
 * An end for work that a file decides about and that may have none, such as a pattern of a tokenizer. In browsers the
 * engine worker's heartbeat is that end; programs on Node, where nothing watches the thread, announce another one here.
 */

/** Runs `work` and gives what it gives. Throws `DeadlineError` when it has not ended after so many milliseconds. */
export type Deadline = <Value>(work: () => Value, limitMs: number) => Value;

export class DeadlineError extends Error {}

let deadline: Deadline = (work) => work();

/** Names what ends work; called once by programs that run on Node. */
export function setDeadline(ending: Deadline): void {
  deadline = ending;
}

/** Runs `work` under the deadline that was announced; without one it may take as long as it likes. */
export const inTime: Deadline = (work, limitMs) => deadline(work, limitMs);
