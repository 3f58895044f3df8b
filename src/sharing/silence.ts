/**
 * When a silent leader counts as gone although its lock is held: a suspended tab, or one whose page is stuck. Two levels
 * have to fail: several pings over a while, then more of them while the browser says that the same tab holds the lock.
 * Who has slept in between starts anew.
 */

import type { Surroundings } from './surroundings.js';

/** Without a sign for this long a leader is suspected; a busy page may answer late. */
const patienceMs = 7_000;
/** The same for a tab that the user does not see. */
const patienceUnseenMs = 27_000;
/** Looks further apart than this tell that we have slept ourselves, or the machine has. */
const sleptMs = 4_000;
/** The same where the browser may let only one timer a minute pass. */
const sleptUnseenMs = 90_000;
/** Pings to a suspect: time for a tab that has just been woken, perhaps together with us, to say so. */
const lastPings = 3;

export interface SilenceOptions {
  around: Pick<Surroundings, 'isVisible' | 'elapsed' | 'holder'>;
  /** Asks the leader, whoever it is, for a sign. */
  ping(): void;
  /** Both levels have failed. */
  onGone(): void;
}

/** A holder of the lock that did not answer, and the pings that it got since. */
interface Suspect {
  holder: string;
  pings: number;
}

export class Silence {
  readonly #options: SilenceOptions;
  #since: number | null = null;
  #lookedAt: number | null = null;
  #suspect: Suspect | null = null;
  /** Replaced with every sign of life, so that what was asked before it is known to be old. */
  #silence = {};

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** There was a sign of life, or there is nobody to hear from. */
  end(): void {
    this.#since = null;
    this.#lookedAt = null;
    this.#suspect = null;
    this.#silence = {};
  }

  /** Looks once more at somebody from whom we wait for something; to be called about every second. */
  look(): void {
    const { around, ping } = this.#options;
    if (this.#hasSlept()) this.end();
    const at = around.elapsed();
    this.#since ??= at;
    this.#lookedAt = at;
    if (this.#suspect) this.#suspect.pings += 1;
    ping();
    const isLong = at - this.#since >= (around.isVisible() ? patienceMs : patienceUnseenMs);
    if (isLong) void this.#judge();
  }

  #hasSlept(): boolean {
    const { around } = this.#options;
    const sinceMs = this.#lookedAt === null ? 0 : around.elapsed() - this.#lookedAt;
    return sinceMs > (around.isVisible() ? sleptMs : sleptUnseenMs);
  }

  async #judge(): Promise<void> {
    const silence = this.#silence;
    const holder = await this.#options.around.holder();
    if (silence !== this.#silence) return;
    // The answer may be from before a sleep. Nobody, or somebody new: the leader is changing without us.
    if (this.#hasSlept() || holder === null || (this.#suspect && this.#suspect.holder !== holder)) {
      this.end();
      return;
    }
    this.#suspect ??= { holder, pings: 0 };
    if (this.#suspect.pings < lastPings) return;
    this.end();
    this.#options.onGone();
  }
}
