/** Virtual time: pieces of work at their moments, in order, with the promises between them. Nothing waits for a clock. */

interface Turn {
  at: number;
  /** Work of the same moment keeps the order in which it was planned. */
  order: number;
  /** Null once it was called off. */
  work: (() => void) | null;
}

/**
 * Turns that are asked of the event loop at once: it settles every promise between two of them, and starts a new round
 * only after the last one, which takes longer than the turns themselves.
 */
const turnsOfRound = 32;

export class VirtualTime {
  now: number;
  /** Turns that were taken so far. */
  turns = 0;
  /** A binary heap: each turn is no later than the two at twice its place. */
  readonly #heap: Turn[] = [];
  #order = 0;

  constructor(now: number) {
    this.now = now;
  }

  /** Plans work; the result calls it off. */
  after(delayMs: number, work: () => void): () => void {
    const turn: Turn = { at: this.now + delayMs, order: this.#order++, work };
    this.#push(turn);
    return () => {
      turn.work = null;
    };
  }

  /** Takes one turn after the other until the condition holds, time is up, or nothing is left to do. */
  run(untilMs: number, isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const turn = () => {
        if (isOver) return;
        try {
          isOver = isDone() || !this.#take(untilMs);
        } catch (thrown) {
          isOver = true;
          reject(thrown);
        }
        if (isOver) resolve();
      };
      const round = () => {
        for (let at = 1; at < turnsOfRound; at += 1) setImmediate(turn);
        setImmediate(() => {
          turn();
          if (!isOver) round();
        });
      };
      round();
    });
  }

  /** Takes the next turn that was not called off; false when there is none before time is up. */
  #take(untilMs: number): boolean {
    for (;;) {
      const [turn] = this.#heap;
      if (!turn || turn.at > untilMs) return false;
      this.#pop();
      this.now = turn.at;
      if (!turn.work) continue;
      this.turns += 1;
      turn.work();
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
      const [left, right] = [heap[child], heap[child + 1]];
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
