/**
 * One leadership of a tab: the service that answers all tabs, and a conversation with each of them. When it begins and
 * when it ends is decided in `member.ts`.
 */
import type { EnginePast } from '../core/past.js';
import type { ToFollower, ToLeader } from './messages.js';
import { Service } from './service.js';
import type { Conversation, Surroundings } from './surroundings.js';

/** Looks at an unseen and idle leader before a tab that is seen shall lead. */
const quietLooks = 5;

export interface LeadershipOptions {
  around: Surroundings;
  epoch: string;
  /** The engines of other tabs whose place this one's takes. */
  ended: EnginePast['ended'];
  /** What this tab is told as one of those that are served. */
  hear(message: ToFollower): void;
}

export class Leadership {
  readonly #around: Surroundings;
  readonly #service: Service;
  readonly #hear: LeadershipOptions['hear'];
  /** Tabs that we lead, and the second way of our own. */
  readonly #served = new Map<string, Conversation<ToFollower>>();
  /** Requests of this tab that it has posted to itself and not heard yet. */
  #onWay = 0;
  #quiet = 0;

  /** Starts the engine. */
  constructor({ around, epoch, ended, hear }: LeadershipOptions) {
    this.#around = around;
    this.#service = new Service({ epoch, engine: around.startEngine(ended), around });
    this.#hear = hear;
  }

  get epoch(): string {
    return this.#service.epoch;
  }

  /** The engine's models are asked for before any tab can ask for something else. */
  begin(): void {
    this.#service.join(this.#around.id, { visible: false, isOwn: true, send: this.#hear });
    this.#openWay();
  }

  /** Whether requests of this tab go by way of the others: that others wait, or some of its own that came before. */
  get isBusyWay(): boolean {
    return this.#service.servesOthers || this.#onWay > 0;
  }

  /** From this tab itself, past whatever others have posted. */
  receive(message: ToLeader): void {
    this.#service.receive(this.#around.id, message);
  }

  /** This tab has posted a request to itself. */
  noteOnWay(): void {
    this.#onWay += 1;
  }

  /** Takes a tab on, or hears again from one that is known. */
  welcome(follower: string, visible: boolean): void {
    const conversation = this.#served.get(follower) ?? this.#serve(follower);
    this.#service.join(follower, { visible, isOwn: false, send: (message) => conversation.send(message) });
  }

  /** The user sees this tab, or has just seen it. */
  noteSeen(): void {
    this.#quiet = 0;
  }

  /** Looks at ourselves, unseen: where nobody asks for anything for long, a tab that is seen is offered the lead. */
  look(): void {
    this.#quiet = this.#service.isIdle ? this.#quiet + 1 : 0;
    if (this.#quiet < quietLooks) return;
    this.#quiet = 0;
    this.#service.offer(this.#around.now());
  }

  /** Ends the engine and all conversations. */
  end(): void {
    this.#service.end();
    for (const { close } of this.#served.values()) close();
  }

  /** From this tab to itself, as messages of other tabs come: who skips them gets more of the engine than its share. */
  #openWay(): void {
    const { id } = this.#around;
    const way = `${id}:way`;
    const line = this.#around.serve(id, (message) => {
      if (message.type === 'request' && message.epoch === this.epoch) this.#onWay -= 1;
      this.#service.receive(way, message);
    });
    this.#service.addWay(way, { tab: id, send: (message) => 'id' in message && line.send(message) });
    const close = () => {
      line.close();
      this.#served.delete(way);
    };
    this.#served.set(way, { send: line.send, close });
  }

  #serve(follower: string): Conversation<ToFollower> {
    const line = this.#around.serve(follower, (message) => this.#service.receive(follower, message));
    const close = () => {
      unwatch();
      this.#service.leave(follower);
      line.close();
      this.#served.delete(follower);
    };
    const unwatch = this.#around.watch(follower, close);
    const conversation = { send: line.send, close };
    this.#served.set(follower, conversation);
    return conversation;
  }
}
