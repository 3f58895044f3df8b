/** What the simulation knows of one tab: whether it sleeps or is gone, and what becomes of its turns then. */
import type { Member } from '../../src/sharing/member.js';
import type { Actor, Turn } from './virtual-time.js';

export interface Run {
  readonly text: unknown;
  readonly client: string | undefined;
}

export class Tab implements Actor {
  readonly id: string;
  /** Of the package that its page was deployed with: tabs of two versions do not know each other. */
  readonly version: number;
  /** Its name among the others, who do not know it while it sleeps. */
  presence: string | null;
  /** How often it was woken. */
  wakes = 0;
  visible: boolean;
  frozen = false;
  /** It was told beforehand that it would be frozen. */
  told = false;
  /** Since when it has been frozen, or was the last time. */
  frozenSince = 0;
  /** When it woke last, and when from more than a moment. */
  thawedAt = 0;
  wokenAt = 0;
  /** When another tab took its lock last. */
  robbedAt = 0;
  /** When it said last that it leads, and which epoch. */
  announcedAt = 0;
  epoch = '';
  /** When it woke last, or was shown. */
  awakeSince: number;
  dead = false;
  /** Since when its words are lost on their way: it died before they were out. */
  mutedAt = Number.POSITIVE_INFINITY;
  disposed = false;
  /** Turns whose moment came while it was frozen. */
  backlog: Turn[] = [];
  member: Member | null = null;
  /** Runs of its engines; two of them may be of the same text. */
  readonly atWork = new Set<Run>();
  /** When its last word to each tab arrives: messages of one tab to another keep their order. */
  readonly arrivals = new Map<Tab, number>();

  constructor(id: string, { visible, version, now }: { visible: boolean; version: number; now: number }) {
    this.id = id;
    this.version = version;
    this.presence = id;
    this.visible = visible;
    this.awakeSince = now;
  }

  /** Lost when it is dead, late when it is frozen. */
  take(turn: Turn): boolean {
    if (this.dead) return false;
    if (this.frozen) {
      this.backlog.push(turn);
      return false;
    }
    turn.work?.();
    return true;
  }
}
