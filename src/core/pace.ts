/** How fast runs go, from the runs themselves: sizes the next run and says when a refused caller should come back. */

/** What older runs still count for after one more run; about the last five runs decide. */
const keep = 0.8;

/** Tokens of a run before anything was measured: small enough for a slow phone, enough to measure by. */
const firstRunTokens = 512;

/** Running speed of one lane. Sums of tokens and of time decay together, so that short runs with fixed costs weigh little. */
export class Pace {
  #tokens = 0;
  #ms = 0;

  record(costTokens: number, elapsedMs: number): void {
    this.#tokens = this.#tokens * keep + costTokens;
    this.#ms = this.#ms * keep + elapsedMs;
  }

  /** Null until a run took measurable time. */
  get tokensPerMs(): number | null {
    return this.#ms > 0 ? this.#tokens / this.#ms : null;
  }

  /** Tokens that one run gets through in this time, at least 1. */
  tokensIn(timeMs: number): number {
    const rate = this.tokensPerMs;
    if (rate === null) return this.#tokens > 0 ? Number.POSITIVE_INFINITY : firstRunTokens;
    return Math.max(1, Math.floor(rate * timeMs));
  }

  /** Milliseconds until this many tokens are through on this many lanes; a second when nothing was measured yet. */
  timeFor(tokens: number, lanes: number): number {
    const rate = this.tokensPerMs;
    return rate ? tokens / (rate * lanes) : 1_000;
  }
}
