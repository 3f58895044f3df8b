/**
 * One tab among those that share an engine: follows the leader, or leads. All decisions are here; locks, channels and
 * timers come from its `Surroundings`, so that a test can run thousands of tabs in virtual time.
 */

import type { EnginePast } from '../core/past.js';
import { toVecinityError, type VecinityError } from '../errors.js';
import { withEnd } from '../wire/ended.js';
import type { CallLife, EngineCall } from '../wire/engine-line.js';
import { KeptModels } from './kept-models.js';
import { Leadership } from './leadership.js';
import type { Announcement, ToFollower, ToLeader } from './messages.js';
import { pureOperations, Requests } from './requests.js';
import { Silence } from './silence.js';
import type { Conversation, Surroundings } from './surroundings.js';

/** Between two looks at a leader that has our requests, and at ourselves while we lead unseen. */
const lookMs = 1_000;
const betweenStealsMs = 30_000;

export class Member {
  readonly #around: Surroundings;
  readonly #requests = new Requests();
  #conversation: Conversation<ToLeader>;
  readonly #models: KeptModels;
  #leadership: Leadership | null = null;
  #epoch: string | null = null;
  #latestEpoch = '';
  /** Of tabs that led before, as far as we saw it. */
  #endedEngines: EnginePast['ended'] = [];
  #withdraw: () => void = () => {};
  #stopLooks: (() => void) | null = null;
  readonly #silence: Silence;
  #isAwake = true;
  #waking: Promise<void> | null = null;
  #stolenAt = Number.NEGATIVE_INFINITY;
  /** Of an offer of the lead since which the leader has given no sign. */
  #offeredAt = Number.NEGATIVE_INFINITY;
  #ended: VecinityError | null = null;

  constructor(surroundings: Surroundings) {
    this.#around = surroundings;
    this.#silence = new Silence({
      around: surroundings,
      ping: () => this.#ping(),
      onGone: () => this.#despair(),
    });
    this.#models = new KeptModels({
      around: surroundings,
      requests: this.#requests,
      giveUp: (pauseMs) => this.#giveUp(pauseMs),
    });
    this.#conversation = surroundings.follow((message) => this.#hear(message));
    this.#contend(false);
    this.#greet();
  }

  /** Settles with the answer of whichever tab leads; rejects with the reason of the end once there is one. */
  async run(call: EngineCall, life: CallLife = {}): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    const answer = this.#requests.add(call, life);
    this.#look();
    if (call.operation === 'unload') this.#models.forget(call.argument);
    return await (call.operation === 'load' ? this.#models.keep(answer, call, life) : answer);
  }

  /** Hears what a tab says to all. */
  heed(message: Announcement): void {
    if (this.#ended) return;
    if (message.type === 'hello') this.#welcome(message);
    if (message.type !== 'leader') return;
    // Our lock was taken while this tab slept: the word of it comes later than the announcement.
    if (this.#leadership && message.epoch > this.#leadership.epoch) this.#stepDown();
    if (this.#leadership) return;
    // One that began before a leader whom we know: the clock was set back, and it has to hear of that.
    if (message.epoch < this.#latestEpoch) this.#greet();
    else this.#expect(message);
  }

  /** The user sees this tab, or no longer does. */
  visibilityChanged(): void {
    if (this.#ended || !this.#isAwake) return;
    this.#leadership?.noteSeen();
    if (!this.#leadership) this.#greet();
    this.#look();
  }

  /** The page is about to sleep, or to go: whoever is awake shall lead, and hears of it while we can still speak. */
  suspend(): void {
    if (this.#ended || !(this.#isAwake || this.#waking)) return;
    this.#isAwake = false;
    this.#waking = null;
    this.#resign();
    this.#leave({ inPeace: true });
    this.#conversation.close();
    this.#around.sleep();
    this.#look();
  }

  /** The page goes on after all. */
  resume(): void {
    if (this.#ended || this.#isAwake || this.#waking) return;
    const waking = this.#around.wake();
    this.#waking = waking;
    waking.then(
      () => this.#waking === waking && this.#awake(),
      (thrown: unknown) => this.end(toVecinityError(thrown)),
    );
  }

  /** Ends everything of this tab; other tabs go on. */
  end(error: VecinityError): void {
    if (this.#ended) return;
    this.#ended = error;
    this.#models.stop();
    this.#requests.end(error);
    this.#rest();
    this.#resign();
    this.#conversation.close();
  }

  #awake(): void {
    if (this.#ended) return;
    this.#waking = null;
    this.#isAwake = true;
    this.#conversation = this.#around.follow((message) => this.#hear(message));
    this.#contend(false);
    this.#greet();
    this.#look();
  }

  #greet(): void {
    const from = this.#around.id;
    this.#around.announce({ type: 'hello', from, visible: this.#around.isVisible(), latest: this.#latestEpoch });
  }

  #contend(steal: boolean): void {
    this.#withdraw();
    this.#withdraw = this.#around.contend({
      steal,
      onGranted: () => this.#lead(steal),
      onStolen: () => this.#stepDown(),
    });
  }

  #lead(stolen: boolean): void {
    this.#leave({ inPeace: stolen });
    this.#noteEnd(stolen);
    const epoch = nextEpoch(this.#latestEpoch, this.#around);
    const hear = (message: ToFollower) => this.#hear(message);
    const leadership = new Leadership({ around: this.#around, epoch, ended: this.#endedEngines, hear });
    // Before it begins: this tab follows it as the others do, and shall know that it is its own.
    this.#leadership = leadership;
    leadership.begin();
    this.#around.announce({ type: 'leader', epoch, stolen });
  }

  #noteEnd(stolen: boolean): void {
    if (this.#latestEpoch === '') return;
    const reason = stolen
      ? 'Another tab took over from one that was silent, or hidden and idle.'
      : 'The tab that had the engine was closed, crashed, or gave it up.';
    this.#endedEngines = withEnd(this.#endedEngines, reason, this.#around.now());
  }

  #stepDown(): void {
    this.#resign();
    if (this.#ended) return;
    this.#contend(false);
    this.#greet();
    this.#look();
  }

  /** Gives up the lock, or the wait for it, and everything that belongs to a leadership. */
  #resign(): void {
    const leadership = this.#leadership;
    this.#leadership = null;
    leadership?.end();
    this.#withdraw();
  }

  /** The models that made this tab useful cannot be loaded here: another tab may have more luck. */
  #giveUp(pauseMs: number): boolean {
    if (!this.#leadership) return false;
    this.#resign();
    this.#withdraw = this.#around.after(pauseMs, () => this.#contend(false));
    this.#look();
    return true;
  }

  #welcome({ from: follower, visible, latest }: Extract<Announcement, { type: 'hello' }>): void {
    if (!this.#leadership) return;
    if (latest <= this.#leadership.epoch) {
      this.#leadership.welcome(follower, visible);
      return;
    }
    // The clock was set back before we began: whoever knows the leader before us would not believe us.
    this.#latestEpoch = latest;
    this.#stepDown();
  }

  /** Another tab has begun to lead. */
  #expect({ epoch, stolen }: { epoch: string; stolen: boolean }): void {
    if (epoch === this.#epoch) return;
    this.#noteEnd(stolen);
    this.#latestEpoch = epoch;
    this.#leave({ inPeace: stolen });
    this.#greet();
  }

  #hear(message: ToFollower): void {
    if (this.#ended) return;
    if (message.type === 'welcome') this.#follow(message.epoch);
    this.#requests.receive(message);
    // The next leader may be heard of before the last word of the one before.
    if (message.type === 'bye' && this.#epoch === null) this.#requests.pardon();
    if (message.epoch !== this.#epoch) return;
    this.#silence.end();
    if (message.type === 'bye') this.#leave({ inPeace: true });
    if (message.type === 'takeover') this.#consider(message.at);
    if (message.type === 'pong') this.#accept();
  }

  /**
   * An offer of long ago, heard by a tab that slept, is no longer true; one of the future is older than the clock. Where
   * the clock was set, it may look fresh: only a leader that is still there gives a sign.
   */
  #consider(offeredAt: number): void {
    if (!this.#isFresh(offeredAt)) return;
    this.#offeredAt = offeredAt;
    this.#ping();
  }

  #accept(): void {
    const isFresh = this.#isFresh(this.#offeredAt);
    this.#offeredAt = Number.NEGATIVE_INFINITY;
    if (isFresh && this.#around.isVisible() && this.#isAwake) this.#contend(true);
  }

  #isFresh(offeredAt: number): boolean {
    return Math.abs(this.#around.now() - offeredAt) < lookMs;
  }

  #follow(epoch: string): void {
    if (epoch === this.#epoch || epoch < this.#latestEpoch) return;
    const own = this.#leadership;
    if (own && own.epoch !== epoch) return;
    this.#leave({ inPeace: false });
    this.#epoch = epoch;
    this.#latestEpoch = epoch;
    this.#models.askForAll();
    const direct = (message: ToLeader) => own?.receive(message);
    const posted = (message: ToLeader) => {
      this.#conversation.send(message);
      // Afterwards: what cannot be posted is not on its way.
      if (message.type === 'request') own?.noteOnWay();
    };
    const isDirect = ({ operation }: EngineCall) => own && !(pureOperations.has(operation) && own.isBusyWay);
    this.#requests.follow({ epoch, way: (call) => (isDirect(call) ? direct : posted) });
  }

  #leave({ inPeace }: { inPeace: boolean }): void {
    this.#epoch = null;
    this.#offeredAt = Number.NEGATIVE_INFINITY;
    this.#silence.end();
    this.#models.stop();
    this.#requests.leave();
    if (inPeace) this.#requests.pardon();
  }

  /** Looks after the leader, or ourselves, for as long as there is a reason. */
  #look(): void {
    if (this.#ended || !this.#hasReason()) this.#rest();
    else this.#stopLooks ??= this.#around.every(lookMs, () => this.#lookOnce());
  }

  #hasReason(): boolean {
    if (!this.#isAwake) return false;
    return this.#leadership ? !this.#around.isVisible() : this.#requests.size > 0;
  }

  #rest(): void {
    this.#stopLooks?.();
    this.#stopLooks = null;
    this.#silence.end();
  }

  #lookOnce(): void {
    this.#look();
    if (!this.#stopLooks) return;
    if (this.#leadership) this.#leadership.look();
    else this.#silence.look();
  }

  #ping(): void {
    if (this.#epoch === null) this.#greet();
    else this.#conversation.send({ type: 'ping', epoch: this.#epoch });
  }

  /** The lock is held, but its holder is silent. */
  #despair(): void {
    this.#leave({ inPeace: true });
    const elapsed = this.#around.elapsed();
    if (!this.#isAwake || elapsed - this.#stolenAt < betweenStealsMs) return;
    this.#stolenAt = elapsed;
    this.#contend(true);
  }
}

/** Sorts behind the latest epoch even where the clock was set back; the id keeps apart two tabs of one millisecond. */
function nextEpoch(latest: string, around: Surroundings): string {
  const time = Math.max(around.now(), (Number.parseInt(latest, 10) || 0) + 1);
  return `${String(time).padStart(16, '0')}:${around.id}`;
}
