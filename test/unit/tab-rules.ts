/** What tabs that share an engine must never do, held against everything that simulated ones do. */
import type { Tab } from './simulated-tab.js';

/** Longer than any word in this browser is on its way. */
const graceMs = 200;
/** An offer of the lead can be accepted for so long, also when the one that made it is seen again by then. */
const offerMs = 1_000;
/** The browser may say so late that a lock was stolen: the thief says it earlier. */
export const latestWordMs = 400;
/** A leader may be silent for so long, in two levels; for one that has never said a word the second is enough. */
const patienceMs = 9_500;
const secondLevelMs = 2_500;
/** Longer than a page is busy. */
export const sleepMs = 5_000;
/** No tab that has just woken may judge another, which may be about to. */
const wakeMs = 2_500;
/**
 * An answer takes no longer with a leader that is awake: what engines died of is tried one after the other, and a model
 * may fail and be loaded again.
 */
const longestWaitMs = 4_000;
/** The same with one that sleeps: it is taken for gone, by a tab that may have robbed another half a minute ago. */
const longestSilenceMs = 45_000;
const longestSilenceUnseenMs = 65_000;

export class TabRules {
  /** Which tab has announced each epoch, and every breach of the rules. */
  readonly leaders = new Map<string, string>();
  readonly breaches: string[] = [];
  /** When the leader's lock changed hands last. */
  grantedAt = 0;
  /** When the lead was offered last, be it by a tab that does not know yet that it has lost it. */
  #offeredAt = Number.NEGATIVE_INFINITY;
  readonly #now: () => number;
  readonly #holder: () => Tab | undefined;

  /** `holder` is whose lock the leader's is. */
  constructor({ now, holder }: { now: () => number; holder: () => Tab | undefined }) {
    this.#now = now;
    this.#holder = holder;
  }

  /** An epoch has one leader. */
  announced(tab: Tab, epoch: string): void {
    const other = this.leaders.get(epoch);
    if (other !== undefined) this.breaches.push(`${tab.id} and ${other} lead epoch ${epoch}`);
    this.leaders.set(epoch, tab.presence ?? '');
    tab.announcedAt = this.#now();
    tab.epoch = epoch;
  }

  /** Who has work keeps the lead. */
  offered(tab: Tab): void {
    this.#offeredAt = this.#now();
    if (tab.atWork.size > 0) this.breaches.push(`${tab.id} offers its lead in the middle of its work`);
  }

  /** Who has lost the lock takes no request once it can know. */
  served(tab: Tab, epoch: string): void {
    if (this.leaders.get(epoch) !== tab.presence) this.breaches.push(`${tab.id} serves the epoch ${epoch} of another`);
    const holder = this.#holder();
    if (holder === tab) return;
    // The word of one that began earlier, by a clock that was set back, may be old: only the browser's word counts.
    const isTold = holder !== undefined && holder.announcedAt > tab.robbedAt && holder.epoch > epoch;
    const toldAt = isTold ? holder.announcedAt : tab.robbedAt + latestWordMs;
    if (this.#now() - Math.max(toldAt, tab.awakeSince) > graceMs)
      this.breaches.push(`${tab.id} still serves ${epoch} without the lock`);
  }

  /** A leader that the user sees keeps its lock while it is awake, and for a while after. */
  robbed(thief: Tab): void {
    const holder = this.#holder();
    if (!holder || holder.dead || this.#now() - this.#offeredAt < offerMs) return;
    if (thief.visible && this.#now() - thief.wokenAt < wakeMs)
      this.breaches.push(`${thief.id} robs ${holder.id} as soon as it wakes`);
    const isNew = this.grantedAt > holder.frozenSince;
    const isLate = holder.frozen && this.#now() - holder.frozenSince > (isNew ? secondLevelMs : patienceMs);
    if (isLate || !holder.visible) return;
    if (this.#now() - Math.max(holder.awakeSince, this.grantedAt) > graceMs)
      this.breaches.push(`${thief.id} robs ${holder.id}, which is awake or was a moment ago`);
  }

  /** Who is awake is answered in time, with the leader that there is or the next one. */
  waits(tab: Tab, text: string, askedAt: number): void {
    const leader = this.#holder();
    if (!leader || leader.dead || tab.dead || tab.frozen || tab.disposed) return;
    const longestMs = longestSilence(leader, tab);
    const since = Math.max(askedAt, this.grantedAt, tab.thawedAt, leader.frozen ? tab.awakeSince : leader.thawedAt);
    const breach = `${text} waits longer than ${longestMs} ms`;
    if (this.#now() - since > longestMs && this.breaches.at(-1) !== breach) this.breaches.push(breach);
  }

  /** A text runs in its own tab's name, and once at a time; a tab that slept may ask for it again under its next name. */
  began(tab: Tab, text: unknown, client: string | undefined): void {
    if (!isOwn(String(text), client ?? '')) this.breaches.push(`${text} runs in the name of ${client}`);
    for (const other of tab.atWork)
      if (other.text === text && other.client === client)
        this.breaches.push(`${text} runs twice at a time in ${tab.id}`);
  }
}

function longestSilence(leader: Tab, tab: Tab): number {
  if (!leader.frozen) return longestWaitMs;
  return tab.visible ? longestSilenceMs : longestSilenceUnseenMs;
}

/** A text begins with the name of its tab, and a tab's name in the end counts how often it woke. */
function isOwn(text: string, client: string): boolean {
  const at = client.indexOf('~');
  const asker = at === -1 ? client : client.slice(0, at);
  return text.startsWith(asker) && text[asker.length] === ' ';
}
