/**
 * How requests of several callers (tabs, and pages without the package that ask through one) come to one engine, whose
 * worker reads them in the order in which they were posted: a few at a time, and the callers take turns. So the rush of
 * one is not read before what another asks after it. What was read waits in the engine's own queue, or is refused there.
 */

/** Takes about ten milliseconds to read, and is more than the engine computes while the next ones are on their way. */
const mostUnread = 32;

export class Entrance {
  readonly #untilRead: () => Promise<unknown>;
  /** What the engine was given and has perhaps not read. */
  readonly #unread = new Set<object>();
  #isAsked = false;
  /** What waits, by caller; the first one is next. */
  readonly #lines = new Map<string, (() => void)[]>();

  /** `untilRead` settles, in whichever way, once the engine has read everything that it was given before. */
  constructor(untilRead: () => Promise<unknown>) {
    this.#untilRead = untilRead;
  }

  /** Gives the engine something, at once or when its caller has its turn, and settles as that does. */
  async pass<T>(caller: string, give: () => Promise<T>): Promise<T> {
    if (!this.#isFull) return await this.#give(give);
    return await new Promise((resolve) => {
      const line = this.#lines.get(caller) ?? [];
      line.push(() => resolve(this.#give(give)));
      this.#lines.set(caller, line);
    });
  }

  get #isFull(): boolean {
    return this.#unread.size >= mostUnread;
  }

  async #give<T>(give: () => Promise<T>): Promise<T> {
    const ticket = {};
    this.#unread.add(ticket);
    try {
      const answer = give();
      if (this.#isFull) this.#ask();
      return await answer;
    } finally {
      // What has an answer was read.
      this.#unread.delete(ticket);
      this.#letIn();
    }
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    const given = [...this.#unread];
    const onRead = () => {
      this.#isAsked = false;
      for (const ticket of given) this.#unread.delete(ticket);
      this.#letIn();
      // Where all of those had an answer before, others have taken their place, and nobody has asked about them.
      if (this.#isFull) this.#ask();
    };
    this.#untilRead().then(onRead, onRead);
  }

  #letIn(): void {
    for (const [caller, line] of this.#lines) {
      if (this.#isFull) return;
      // To the end: the others come first now.
      this.#lines.delete(caller);
      const enter = line.shift();
      if (line.length > 0) this.#lines.set(caller, line);
      enter?.();
    }
  }
}
