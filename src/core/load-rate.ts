/** How fast bytes come in: over the last seconds, so that it is steady enough to read and still follows the network. */

const windowMs = 5_000;
/** Less than this says more about buffers than about the network. */
const leastMs = 500;

export class RateMeter {
  readonly #now: () => number;
  #samples: { atMs: number; bytes: number }[] = [];

  /** `now` gives monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Notes how many bytes have come so far; fewer than before mean that it starts again. */
  note(bytes: number): void {
    const atMs = this.#now();
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples = [];
    this.#samples.push({ atMs, bytes });
    // One sample at or before the window's start stays: after a silence it is what the rate is measured from.
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - windowMs) this.#samples.shift();
  }

  /** Null until there is enough to tell. */
  get bytesPerSecond(): number | null {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (!first || !last || last.atMs - first.atMs < leastMs) return null;
    return ((last.bytes - first.bytes) / (last.atMs - first.atMs)) * 1_000;
  }

  /** How long so many bytes still take; null where nobody can tell. */
  remainingMs(bytes: number | null): number | null {
    const rate = this.bytesPerSecond;
    return rate && bytes !== null ? (bytes / rate) * 1_000 : null;
  }
}
