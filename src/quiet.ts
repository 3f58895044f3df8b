/** A moment in which nobody asks for anything: for work that would hold up whoever asks. */
import { pause } from './pause.js';

export interface QuietOptions {
  /** How long nothing must have been asked. */
  quietMs: number;
  /** Where somebody always asks, it is waited for so long. */
  mostMs: number;
}

export class QuietMoment {
  #askedMs = Number.NEGATIVE_INFINITY;

  /** Somebody asks for something now. */
  disturb(): void {
    this.#askedMs = performance.now();
  }

  /** Resolves after `quietMs` at the earliest. */
  async wait({ quietMs, mostMs }: QuietOptions): Promise<void> {
    const endMs = performance.now() + mostMs;
    for (let leftMs = quietMs; leftMs > 0; ) {
      await pause(leftMs);
      leftMs = Math.min(this.#askedMs + quietMs, endMs) - performance.now();
    }
  }
}
