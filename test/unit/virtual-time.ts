/** Virtual time: pieces of work at their moments, in order, with the promises between them. Nothing waits for a clock. */

/** Who decides what becomes of its work when the moment comes. */
export interface Actor {
  /** Does the work, keeps it for later or drops it; whether it was done. */
  take(turn: Turn): boolean;
}

/** A piece of work at its moment. */
export interface Turn {
  at: number;
  /** Work of the same moment keeps the order in which it was planned. */
  order: number;
  /** Null once it was called off. */
  work: (() => void) | null;
  readonly actor: Actor | null;
}

/**
 * Turns that are asked of the event loop at once: it settles every promise between two of them, and starts a new round
 * only after the last one, which takes longer than the turns themselves.
 */
const turnsOfRound = 128;

interface Stretch {
  untilMs: number;
  isDone(): boolean;
  resolve(): void;
  reject(thrown: unknown): void;
}

export class VirtualTime {
  now: number;
  /** Turns that were taken so far. */
  turns = 0;
  /** A binary heap: each turn is no later than the two at twice its place. */
  readonly #heap: Turn[] = [];
  #order = 0;
  /** What is being run. */
  #stretch: Stretch | null = null;
  /** Turns of the event loop that are still to come of this round. */
  #left = 0;

  constructor(now: number) {
    this.now = now;
  }

  /** Plans work, of an actor if there is one; who sets the turn's work to null calls it off. */
  plan(delayMs: number, work: () => void, actor: Actor | null = null): Turn {
    const turn = { at: this.now + delayMs, order: this.#order++, work, actor };
    this.#push(turn);
    return turn;
  }

  /** Plans a turn whose moment has passed once more, for this moment. */
  planAgain(turn: Turn): void {
    turn.at = this.now;
    turn.order = this.#order++;
    this.#push(turn);
  }

  /** Takes one turn after the other until the condition holds, time is up, or nothing is left to do. */
  run(untilMs: number, isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stretch = { untilMs, isDone, resolve, reject };
      if (this.#left === 0) this.#beginRound();
    });
  }

  #beginRound(): void {
    this.#left = turnsOfRound;
    for (let at = 0; at < turnsOfRound; at += 1) setImmediate(this.#turn);
  }

  /** One turn of the event loop. */
  readonly #turn = () => {
    this.#left -= 1;
    if (this.#stretch) this.#goOn(this.#stretch);
    if (this.#stretch && this.#left === 0) this.#beginRound();
  };

  #goOn({ untilMs, isDone, resolve, reject }: Stretch): void {
    try {
      if (!isDone() && this.#takeNext(untilMs)) return;
      resolve();
    } catch (thrown) {
      reject(thrown);
    }
    this.#stretch = null;
  }

  /** Takes the next turn in which something is done; false when there is none before time is up. */
  #takeNext(untilMs: number): boolean {
    for (;;) {
      const turn = this.#heap[0];
      if (!turn || turn.at > untilMs) return false;
      this.#pop();
      this.now = turn.at;
      if (!turn.work) continue;
      if (!turn.actor) turn.work();
      else if (!turn.actor.take(turn)) continue;
      this.turns += 1;
      return true;
    }
  }

  #push(turn: Turn): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || isBefore(above, turn)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = turn;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      const left = heap[child];
      const right = heap[child + 1];
      const next = left && right && isBefore(right, left) ? child + 1 : child;
      const below = heap[next];
      if (!below || isBefore(last, below)) break;
      heap[at] = below;
      at = next;
    }
    heap[at] = last;
  }
}

function isBefore(a: Turn, b: Turn): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
