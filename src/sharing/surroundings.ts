/**
 * What a tab that shares an engine needs of the platform: locks, channels, timers and a name. In a browser they are in
 * `browser-tab.ts`, in tests in virtual time.
 */
import type { EnginePast } from '../core/past.js';
import type { EngineLine } from '../wire/engine-line.js';
import type { Announcement, ToFollower, ToLeader } from './messages.js';

export interface Conversation<Sent> {
  send(message: Sent): void;
  close(): void;
}

/** Where the lock of the leader is asked for. */
export interface Candidacy {
  /** Takes the lock from its holder, instead of waiting for it. */
  steal: boolean;
  onGranted(): void;
  /** Another tab took the lock. */
  onStolen(): void;
}

export interface Surroundings {
  /** The tab's name among the others; another one after every sleep. */
  readonly id: string;
  isVisible(): boolean;
  /** The time of day, in ms, which all tabs agree on and the user may set. */
  now(): number;
  /** In ms, by a clock that is never set and means nothing to other tabs. */
  elapsed(): number;
  every(periodMs: number, work: () => void): () => void;
  after(delayMs: number, work: () => void): () => void;
  announce(message: Announcement): void;
  /** Our own conversation with whoever leads. */
  follow(receive: (message: ToFollower) => void): Conversation<ToLeader>;
  /** The leader's end of a follower's conversation. */
  serve(follower: string, receive: (message: ToLeader) => void): Conversation<ToFollower>;
  /** Asks for the leader's lock without a time limit; the result gives the lock or the wait up. */
  contend(candidacy: Candidacy): () => void;
  /** Who holds the leader's lock, in the browser's words; null when nobody does. */
  holder(): Promise<string | null>;
  /** Calls back once the tab is gone; the result stops the watch. */
  watch(follower: string, onGone: () => void): () => void;
  /** Takes the tab away from the others, who see it as gone. */
  sleep(): void;
  /** Brings it back; they see it when this resolves. Rejects where the platform forbids it by now. */
  wake(): Promise<void>;
  /** `ended`: the engines of other tabs whose place it takes. */
  startEngine(ended: EnginePast['ended']): EngineLine;
}
