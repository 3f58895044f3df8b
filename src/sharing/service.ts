/**
 * The answering side of one leadership: the requests of every tab, given to the leader's engine, each once at a time.
 * A tab that closes takes its work with it; a model goes when the last tab that loaded it lets it go. What was at work
 * when an engine died is tried once more, one request at a time, so that only the guilty one ends with an error.
 */

import type { ModelStatus } from '../core/engine.js';
import { toErrorData, toVecinityError } from '../errors.js';
import { type CallLife, type EngineCall, type EngineLine, NoScript } from '../wire/engine-line.js';
import { poisonError } from '../wire/engine-port.js';
import { clientOfWire } from '../wire/http.js';
import { ModelNames } from '../wire/names.js';
import { Entrance } from './entrance.js';
import type { ToFollower, ToLeader } from './messages.js';
import type { Surroundings } from './surroundings.js';

/** A tab that asks one thing after the other has nothing open while its next request is on the way. */
const pauseMs = 100;

/** A page that is loaded anew, or the next one of a site, wants the same models. */
const unwantedMs = 60_000;

/** Engines that a request may kill before it is given up. */
const maxDeaths = 2;

type Asked = Extract<ToLeader, { type: 'request' }>;

interface Client {
  /** The tab, by which the engine's queue shares itself out. */
  readonly tab: string;
  visible: boolean;
  /** The leader's own tab: it cannot vanish before its engine does. */
  readonly isOwn: boolean;
  send(message: ToFollower): void;
  readonly open: Map<number, AbortController>;
  /** Models that it loads or has loaded, by the requests for them. */
  readonly models: Map<number, string>;
}

export interface ServiceOptions {
  epoch: string;
  engine: EngineLine;
  around: Pick<Surroundings, 'elapsed' | 'after'>;
}

export class Service {
  readonly epoch: string;
  readonly #engine: EngineLine;
  readonly #around: Pick<Surroundings, 'elapsed' | 'after'>;
  readonly #entrance: Entrance;
  readonly #clients = new Map<string, Client>();
  readonly #names = new ModelNames();
  /** The end of the last request that is tried again; that of the last load apart. */
  #suspects: Promise<unknown> = Promise.resolve();
  #suspectLoads: Promise<unknown> = Promise.resolve();
  /** Models that are being loaded, tries after a death among them. */
  readonly #loads = new Set<Promise<unknown>>();
  #heardOthersAt = Number.NEGATIVE_INFINITY;

  constructor({ epoch, engine, around }: ServiceOptions) {
    this.epoch = epoch;
    this.#engine = engine;
    this.#entrance = new Entrance(() => engine.run({ operation: 'status', argument: null }));
    this.#around = around;
  }

  /** Whether no tab waits for anything. */
  get isIdle(): boolean {
    return [...this.#clients.values()].every(({ open }) => open.size === 0);
  }

  /** Whether other tabs than the leader's wait for anything, or did a moment ago. */
  get servesOthers(): boolean {
    if (this.#around.elapsed() - this.#heardOthersAt < pauseMs) return true;
    return [...this.#clients.values()].some(({ isOwn, open }) => !isOwn && open.size > 0);
  }

  /** A second way for requests of the leader's own tab. */
  addWay(clientId: string, { tab, send }: Pick<Client, 'tab' | 'send'>): void {
    this.#add(clientId, { tab, visible: false, isOwn: true, send });
  }

  #add(clientId: string, who: Pick<Client, 'tab' | 'visible' | 'isOwn' | 'send'>): Client {
    const client = { ...who, open: new Map(), models: new Map<number, string>() };
    this.#clients.set(clientId, client);
    return client;
  }

  /** Takes a tab on, or hears again from one that is known; its open requests go on. */
  join(clientId: string, { visible, isOwn, send }: Pick<Client, 'visible' | 'isOwn' | 'send'>): void {
    const client = this.#clients.get(clientId) ?? this.#add(clientId, { tab: clientId, visible, isOwn, send });
    client.visible = visible;
    client.send({ type: 'welcome', epoch: this.epoch });
  }

  receive(clientId: string, message: ToLeader): void {
    const client = this.#clients.get(clientId);
    if (!client || message.epoch !== this.epoch) return;
    if (!client.isOwn && message.type !== 'ping') this.#heardOthersAt = this.#around.elapsed();
    if (message.type === 'ping') client.send({ type: 'pong', epoch: this.epoch });
    if (message.type === 'cancel') this.#cancel(client, message.id);
    if (message.type === 'request') void this.#answer(client, message);
  }

  /** The tab is gone: nobody waits for its answers, nor uses its models unless it comes back soon. */
  leave(clientId: string): void {
    const client = this.#clients.get(clientId);
    if (!client) return;
    this.#clients.delete(clientId);
    cancelAll(client);
    const models = new Set(client.models.values());
    if (models.size === 0) return;
    this.#around.after(unwantedMs, () => {
      for (const model of models) this.#letGo(model);
    });
  }

  /** Asks a tab that the user sees to lead; nothing is said when there is none. */
  offer(at: number): void {
    const seen = [...this.#clients.values()].find(({ visible }) => visible);
    seen?.send({ type: 'takeover', epoch: this.epoch, at });
  }

  /** Ends the leadership and its engine; the tabs ask the next leader. */
  end(): void {
    const clients = [...this.#clients];
    this.#clients.clear();
    for (const [, client] of clients) {
      cancelAll(client);
      client.send({ type: 'bye', epoch: this.epoch });
    }
    this.#engine.dispose();
  }

  async #answer(client: Client, asked: Asked): Promise<void> {
    const { id } = asked;
    // A tab that took a slow leader for a dead one asks again: the answer is on its way.
    if (client.open.has(id)) return;
    const controller = new AbortController();
    client.open.set(id, controller);
    const outcome = await this.#work(client, asked, controller.signal);
    if (client.open.get(id) !== controller) return;
    client.open.delete(id);
    if (outcome.type === 'error') client.models.delete(id);
    client.send(outcome);
  }

  async #work(client: Client, asked: Asked, signal: AbortSignal): Promise<ToFollower> {
    const { epoch } = this;
    const { id, call, deaths } = asked;
    const give = async () => {
      // Who is gone, or has called it off, shall not have it run once its turn comes: it may be what engines die of.
      if (signal.aborted) return;
      client.send({ type: 'accepted', epoch, id });
      return await this.#run(client, asked, this.#lifeOf(client, asked, signal));
    };
    const run = () => this.#entrance.pass(callerOf(call) ?? client.tab, give);
    const isLoad = call.operation === 'load';
    const onDeath = () => client.send({ type: 'died', epoch, id });
    const working = this.#try(run, { deaths, isLoad, onDeath });
    if (isLoad) this.#loads.add(working);
    try {
      return { type: 'result', epoch, id, value: await working };
    } catch (thrown) {
      return { type: 'error', epoch, id, error: toErrorData(thrown) };
    } finally {
      this.#loads.delete(working);
    }
  }

  /** Only what somebody may use: signals and progress cross to the engine on a channel that costs as much as a query. */
  #lifeOf(client: Client, { id, watched, abortable }: Asked, signal: AbortSignal): CallLife {
    const { epoch } = this;
    const onProgress: CallLife['onProgress'] = (progress) => {
      if (!signal.aborted) client.send({ type: 'progress', epoch, id, progress });
    };
    return {
      client: client.tab,
      ...(abortable || !client.isOwn ? { signal } : {}),
      ...(watched ? { onProgress } : {}),
    };
  }

  async #try(
    run: () => Promise<unknown>,
    { deaths, isLoad, onDeath }: { deaths: number; isLoad: boolean; onDeath(): void },
  ): Promise<unknown> {
    for (let died = deaths; ; ) {
      try {
        return await (died === 0 ? run() : this.#alone(run, isLoad));
      } catch (thrown) {
        const error = toVecinityError(thrown);
        if (error.code !== 'worker_died') throw error;
        died += 1;
        if (died >= maxDeaths) throw error.cause instanceof NoScript ? error : poisonError(died, error);
        onDeath();
      }
    }
  }

  /**
   * One suspect after the other; what is new goes on beside it and has not been there before. Models come first: the
   * next engine loads only those again that were ready, and tells what needs the others that they failed.
   */
  async #alone(run: () => Promise<unknown>, isLoad: boolean): Promise<unknown> {
    const loads = [...this.#loads];
    const turn = isLoad
      ? this.#suspectLoads.then(run)
      : this.#suspects.then(async () => {
          await Promise.allSettled(loads);
          return await run();
        });
    const end = turn.catch(() => {});
    if (isLoad) this.#suspectLoads = end;
    else this.#suspects = end;
    return await turn;
  }

  async #run(client: Client, { id, call }: Asked, life: CallLife): Promise<unknown> {
    if (call.operation === 'load') return await this.#load(client, id, call, life);
    if (call.operation === 'unload') {
      const isIt = this.#names.same(call.argument);
      // What the tab has loaded since stays, where this is tried once more: loads come first then.
      for (const [load, model] of client.models) if (isIt(model) && load < id) client.models.delete(load);
      if (this.#isWanted(call.argument)) return;
    }
    return await this.#engine.run(call, life);
  }

  async #load({ models }: Client, id: number, call: EngineCall<'load'>, life: CallLife): Promise<ModelStatus> {
    const { model } = call.argument;
    models.set(id, model);
    const status = await this.#engine.run(call, life);
    this.#names.learn(model, status);
    return status;
  }

  /** A load may be there already when the word comes that nobody waits for it. */
  #cancel(client: Client, id: number): void {
    const model = client.models.get(id);
    const isThere = model !== undefined && !client.open.has(id);
    cancel(client, id);
    if (isThere) this.#letGo(model);
  }

  #letGo(model: string): void {
    // Where it cannot go, it is gone or the engine is.
    if (!this.#isWanted(model)) this.#engine.run({ operation: 'unload', argument: model }).catch(() => {});
  }

  #isWanted(model: string): boolean {
    const isIt = this.#names.same(model);
    return [...this.#clients.values()].some(({ models }) => [...models.values()].some(isIt));
  }
}

/** A page without the package asks through one that has it, which shall not stand behind it in one line. */
function callerOf({ operation, argument }: EngineCall): string | undefined {
  return operation === 'exchange' ? clientOfWire(argument) : undefined;
}

function cancelAll(client: Client): void {
  for (const id of client.open.keys()) cancel(client, id);
}

function cancel({ open, models }: Client, id: number): void {
  open.get(id)?.abort();
  open.delete(id);
  models.delete(id);
}
