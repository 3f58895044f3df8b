/**
 * A tab's surroundings in a browser: Web Locks say who leads and who is gone, BroadcastChannels carry the messages. A
 * conversation has a channel of its own, so that a tab never receives what is meant for another.
 */
import type { Announcement } from './messages.js';
import type { Candidacy, Conversation, Surroundings } from './surroundings.js';

/** Whether it is worth a try: tabs cannot find each other without https, in a sandboxed frame or in an old browser. */
export function canShare(): boolean {
  const hasLocks = typeof navigator === 'object' && 'locks' in navigator;
  return isSecureContext && hasLocks && typeof BroadcastChannel === 'function' && self.origin !== 'null';
}

export interface BrowserTab extends Surroundings {
  listen(heed: (message: Announcement) => void): void;
  close(): void;
}

export interface TabOptions {
  /** Names of tabs that understand each other begin with this. */
  family: string;
  /** The name of those that share an engine. */
  group: Promise<string>;
  startEngine: Surroundings['startEngine'];
}

/**
 * Opens the tab's channel and takes its own lock, whose release tells the others that it is gone; they can see the tab
 * when this resolves. Rejects in the platform's words where locks or channels are there but forbidden, as in a frame of
 * another site whose storage is blocked.
 */
export async function openTab(options: TabOptions): Promise<BrowserTab> {
  const presence = new Presence(options);
  await presence.begin();
  const nameOf = (tab: string) => lifeOf(options.family, tab);
  return {
    get id() {
      return presence.id;
    },
    startEngine: options.startEngine,
    isVisible: () => document.visibilityState === 'visible',
    now: () => Date.now(),
    elapsed: () => performance.now(),
    every(periodMs, work) {
      const timer = setInterval(work, periodMs);
      return () => clearInterval(timer);
    },
    after(delayMs, work) {
      const timer = setTimeout(work, delayMs);
      return () => clearTimeout(timer);
    },
    announce: (message) => presence.announce(message),
    listen(heed) {
      presence.heed = heed;
    },
    follow: (receive) => converse(nameOf(presence.id), receive),
    serve: (follower, receive) => converse(nameOf(follower), receive),
    contend: (candidacy) => contend(`${presence.group}:leader`, candidacy),
    holder: () => holderOf(`${presence.group}:leader`),
    watch: (follower, onGone) => watch(nameOf(follower), onGone),
    sleep: () => presence.end(),
    wake: () => presence.begin(),
    close: () => presence.end(),
  };
}

function lifeOf(family: string, tab: string): string {
  return `${family}:tab:${tab}`;
}

/**
 * What the others see of a tab: its lock and its end of the common channel. None of it is left while the tab sleeps: a
 * page in the history is thrown out of there when a message comes or another tab waits for its lock.
 */
class Presence {
  id = '';
  group = '';
  heed: (message: Announcement) => void = () => {};
  readonly #options: TabOptions;
  #all: BroadcastChannel | null = null;
  #leave = () => {};

  constructor(options: TabOptions) {
    this.#options = options;
  }

  /** Each time under a new name: a tab that watched the old one and sleeps may still be in line for its lock. */
  async begin(): Promise<void> {
    const { family, group } = this.#options;
    const id = crypto.randomUUID();
    const life = holdLock(lifeOf(family, id));
    this.#leave = life.release;
    [this.group] = await Promise.all([group, life.held]);
    if (this.#leave !== life.release) return;
    this.id = id;
    this.#all = openChannel(this.group, life.release);
    this.#all.onmessage = hear((message: Announcement) => this.heed(message));
  }

  announce(message: Announcement): void {
    this.#all?.postMessage(message);
  }

  end(): void {
    this.#all?.close();
    this.#all = null;
    this.#leave();
    this.#leave = () => {};
  }
}

function openChannel(name: string, onRefused: () => void): BroadcastChannel {
  try {
    return new BroadcastChannel(name);
  } catch (refusal) {
    onRefused();
    throw refusal;
  }
}

/** Both ends open the channel; a channel does not hear its own messages. */
function converse<Received, Sent>(name: string, receive: (message: Received) => void): Conversation<Sent> {
  const channel = new BroadcastChannel(name);
  let isOpen = true;
  channel.onmessage = hear(receive);
  return {
    send: (message) => {
      if (isOpen) channel.postMessage(message);
    },
    close() {
      isOpen = false;
      channel.close();
    },
  };
}

/** Passes on what has the form of our messages: any script of the origin can post to a channel by mistake. */
function hear<Received>(receive: (message: Received) => void): (event: MessageEvent<unknown>) => void {
  return ({ data }) => {
    if (isMessage(data)) receive(data as Received); // What a message of this form says is taken on trust.
  };
}

/** All messages have a type and an epoch; a greeting has the latest one, or an empty text where none is known. */
function isMessage(data: unknown): boolean {
  const { type, epoch, latest = epoch } = (data ?? {}) as Partial<Record<'type' | 'epoch' | 'latest', unknown>>;
  return typeof type === 'string' && typeof latest === 'string' && /^(\d{16}:|$)/.test(latest);
}

function holdLock(name: string): { held: Promise<void>; release: () => void } {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = new Promise<void>((resolve, reject) => {
    const hold = () => {
      resolve();
      return released;
    };
    navigator.locks.request(name, hold).catch(reject);
  });
  return { held, release };
}

function contend(name: string, { steal, onGranted, onStolen }: Candidacy): () => void {
  const wait = new AbortController();
  let isOver = false;
  let release = () => {};
  const hold = () =>
    new Promise<void>((resolve) => {
      release = resolve;
      if (isOver) resolve();
      else onGranted();
    });
  // A request that steals takes no signal: it never waits.
  const request = navigator.locks.request(name, steal ? { steal } : { signal: wait.signal }, hold);
  request.catch(() => {
    if (!isOver) onStolen();
  });
  return () => {
    isOver = true;
    wait.abort();
    release();
  };
}

async function holderOf(name: string): Promise<string | null> {
  const { held = [] } = await navigator.locks.query();
  return held.find((lock) => lock.name === name)?.clientId ?? null;
}

function watch(name: string, onGone: () => void): () => void {
  const wait = new AbortController();
  const tell = () => {
    if (!wait.signal.aborted) onGone();
  };
  // The request rejects only when the watch is over, or the page itself ends.
  navigator.locks.request(name, { signal: wait.signal }, tell).catch(() => {});
  return () => wait.abort();
}
