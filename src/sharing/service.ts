/**
 * The answering side of one leadership: the requests of every tab, given to the leader's engine, each once at a time.
 * A tab that closes takes its work with it; a model goes when the last tab that loaded it lets it go.
 */

import { toErrorData, toVecinityError } from '../errors.js';
import type { EngineCall, EngineLine } from '../wire/engine-line.js';
import type { ToFollower, ToLeader } from './messages.js';

interface Client {
  readonly id: string;
  visible: boolean;
  send(message: ToFollower): void;
  readonly open: Map<number, AbortController>;
  readonly models: Set<string>;
}

export interface ServiceOptions {
  epoch: string;
  engine: EngineLine;
}

export class Service {
  readonly epoch: string;
  readonly #engine: EngineLine;
  readonly #clients = new Map<string, Client>();

  constructor({ epoch, engine }: ServiceOptions) {
    this.epoch = epoch;
    this.#engine = engine;
  }

  /** Whether no tab waits for anything. */
  get isIdle(): boolean {
    return [...this.#clients.values()].every(({ open }) => open.size === 0);
  }

  /** Takes a tab on, or hears again from one that is known; its open requests go on. */
  join(clientId: string, { visible, send }: Pick<Client, 'visible' | 'send'>): void {
    const client = this.#clients.get(clientId) ?? { id: clientId, visible, send, open: new Map(), models: new Set() };
    client.visible = visible;
    this.#clients.set(clientId, client);
    client.send({ type: 'welcome', epoch: this.epoch });
  }

  receive(clientId: string, message: ToLeader): void {
    const client = this.#clients.get(clientId);
    if (!client || message.epoch !== this.epoch) return;
    if (message.type === 'ping') client.send({ type: 'pong', epoch: this.epoch });
    if (message.type === 'cancel') cancel(client, message.id);
    if (message.type === 'request') void this.#answer(client, message.id, message.call);
  }

  /** The tab is gone: nobody waits for its answers. */
  leave(clientId: string): void {
    const client = this.#clients.get(clientId);
    this.#clients.delete(clientId);
    for (const id of [...(client?.open.keys() ?? [])]) if (client) cancel(client, id);
  }

  /** Asks a tab that the user sees to lead; nothing is said when there is none. */
  offer(): void {
    const seen = [...this.#clients.values()].find(({ visible }) => visible);
    seen?.send({ type: 'takeover', epoch: this.epoch });
  }

  /** Ends the leadership and its engine; the tabs ask the next leader. */
  end(): void {
    const clients = [...this.#clients];
    this.#clients.clear();
    for (const [, client] of clients) {
      for (const id of [...client.open.keys()]) cancel(client, id);
      client.send({ type: 'bye', epoch: this.epoch });
    }
    this.#engine.dispose();
  }

  async #answer(client: Client, id: number, call: EngineCall): Promise<void> {
    // A tab that took a slow leader for a dead one asks again: the answer is on its way.
    if (client.open.has(id)) return;
    const controller = new AbortController();
    client.open.set(id, controller);
    client.send({ type: 'accepted', epoch: this.epoch, id });
    const outcome = await this.#work(client, { id, call, signal: controller.signal });
    if (client.open.get(id) !== controller) return;
    client.open.delete(id);
    client.send(outcome);
  }

  async #work(
    client: Client,
    { id, call, signal }: { id: number; call: EngineCall; signal: AbortSignal },
  ): Promise<ToFollower> {
    const { epoch } = this;
    const onProgress = (progress: Extract<ToFollower, { type: 'progress' }>['progress']) => {
      if (!signal.aborted) client.send({ type: 'progress', epoch, id, progress });
    };
    try {
      const value = await this.#run(client, call, { signal, onProgress, client: client.id });
      return { type: 'result', epoch, id, value };
    } catch (thrown) {
      const error = toVecinityError(thrown);
      // A model that cannot be loaded is the answer; anything else may fare better with the next engine.
      const isLost = error.code === 'worker_died' && call.operation !== 'load';
      return isLost ? { type: 'lost', epoch, id } : { type: 'error', epoch, id, error: toErrorData(error) };
    }
  }

  async #run(client: Client, call: EngineCall, life: Parameters<EngineLine['run']>[1]): Promise<unknown> {
    if (call.operation === 'load') client.models.add(call.argument.model);
    if (call.operation === 'unload') {
      client.models.delete(call.argument);
      if (this.#isWanted(call.argument)) return;
    }
    return await this.#engine.run(call, life);
  }

  #isWanted(model: string): boolean {
    return [...this.#clients.values()].some(({ models }) => models.has(model));
  }
}

function cancel({ open }: Client, id: number): void {
  open.get(id)?.abort();
  open.delete(id);
}
