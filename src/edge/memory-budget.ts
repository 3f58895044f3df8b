/**
 * Several models in a limited memory: the one that nobody has asked for longest goes when another needs the room, and
 * comes back with the next request for it. A model with requests under way never goes, so what it needs may exceed the
 * budget for as long as they take; a model that alone is larger than the budget stays alone.
 */
import type { Engine, EngineStatus, LoadOptions, ModelStatus, RequestOptions } from '../core/engine.js';
import { isOther, type LoadChoice, pickChoice } from '../core/load-choice.js';
import { checkLoadChoice, checkModelName } from '../core/options.js';
import { toVecinityError, VecinityError } from '../errors.js';
import { modelIdOf } from '../models/resolve.js';
import { type Loadable, LoadTurns } from './load-turns.js';

interface Member extends Loadable {
  id: string;
  /** As it was asked for, which says more than the id. */
  name: string;
  choice: LoadChoice;
  /** From when it was last loaded; null before. */
  status: ModelStatus | null;
  running: number;
  /** Larger is later. */
  lastUse: number;
}

interface ModelRequest extends RequestOptions {
  model: string | null;
}

/** The same engine within a budget; models without a known size count as nothing. */
export function withMemoryBudget(engine: Engine, budgetBytes: number): Engine {
  return new BudgetEngine(engine, budgetBytes);
}

class BudgetEngine implements Engine {
  readonly #engine: Engine;
  readonly #budgetBytes: number;
  /** By id, in the order in which they were asked for: the first is the default. */
  readonly #members = new Map<string, Member>();
  readonly #turns = new LoadTurns<Member>((bytes, member) => this.#makeRoom(bytes, member));
  #clock = 0;

  constructor(engine: Engine, budgetBytes: number) {
    this.#engine = engine;
    this.#budgetBytes = budgetBytes;
  }

  readonly embed: Engine['embed'] = (request) => this.#use(request, (own) => this.#engine.embed(own));
  readonly embedTokens: Engine['embedTokens'] = (request) => this.#use(request, (own) => this.#engine.embedTokens(own));
  readonly rerank: Engine['rerank'] = (request) => this.#use(request, (own) => this.#engine.rerank(own));
  readonly classify: Engine['classify'] = (request) => this.#use(request, (own) => this.#engine.classify(own));
  readonly tokenize: Engine['tokenize'] = (request) => this.#use(request, (own) => this.#engine.tokenize(own));
  readonly onRun: Engine['onRun'] = (listener) => this.#engine.onRun(listener);
  readonly decode: Engine['decode'] = (request) => this.#use(request, (own) => this.#engine.decode(own));

  async load(model: string, options: LoadOptions = {}): Promise<ModelStatus> {
    const choice = pickChoice(options);
    // Before it is written down: a model that is there must not come back under what no load can have.
    checkModelName(model);
    checkLoadChoice(choice);
    const member = this.#memberOf(model);
    if (isOther(choice, member.choice)) {
      Object.assign(member, { choice: { ...member.choice, ...choice }, awake: false, sizeBytes: null });
    }
    return await this.#hold(member, () => this.#wake(member, options), member);
  }

  async unload(model: string): Promise<void> {
    const member = this.#find(model);
    if (member) {
      this.#members.delete(member.id);
      this.#turns.refuse(new VecinityError('disposed', `The model ${member.id} was unloaded.`), member);
    }
    const known = this.#engine.status().models.some(({ id }) => id === member?.id);
    if (!member || known) await this.#engine.unload(member?.id ?? model);
  }

  /** A model that has gone is `unloaded`, until the next request brings it back. */
  status(): EngineStatus {
    const status = this.#engine.status();
    const present = new Map(status.models.map((model) => [model.id, model]));
    const own = [...this.#members.values()].map((member) => present.get(member.id) ?? describeAbsent(member));
    const others = status.models.filter(({ id }) => !this.#members.has(id));
    const [first] = this.#members.keys();
    return { ...status, models: [...own, ...others], defaultModel: first ?? status.defaultModel };
  }

  dispose(): Promise<void> {
    this.#members.clear();
    this.#turns.refuse(new VecinityError('disposed', 'The engine was disposed.'));
    return this.#engine.dispose();
  }

  async #use<Request extends ModelRequest, T>(request: Request, work: (own: Request) => Promise<T>): Promise<T> {
    const member = this.#find(request.model);
    if (!member) return await work(request);
    return await this.#hold(member, async () => {
      if (!member.awake) await this.#wake(member, request.signal ? { signal: request.signal } : {});
      return await work({ ...request, model: member.id });
    });
  }

  /** The member does not go while the work lasts; `keep` does not go right after it either. */
  async #hold<T>(member: Member, work: () => Promise<T>, keep: Member | null = null): Promise<T> {
    member.running += 1;
    try {
      return await work();
    } finally {
      member.running -= 1;
      member.lastUse = ++this.#clock;
      this.#makeRoom(this.#turns.loadingBytes, keep);
    }
  }

  /** Callers that come together share one load, which ends when the last of them has left. */
  async #wake(member: Member, waiting: Pick<LoadOptions, 'signal' | 'onProgress'>): Promise<ModelStatus> {
    const load = () => this.#engine.load(member.name, { ...waiting, ...member.choice });
    if (member.awake) return await load();
    await this.#turns.begin(member, waiting.signal).catch((error: unknown) => this.#forget(member, error));
    try {
      const status = await load();
      Object.assign(member, { status, sizeBytes: status.backend?.memoryBytes ?? 0, awake: true });
      this.#makeRoom(this.#turns.loadingBytes, member);
      return status;
    } catch (error) {
      // The engine keeps the reason of a first load that failed and says it to every request.
      member.awake = member.status === null && toVecinityError(error).code !== 'aborted';
      throw error;
    } finally {
      this.#turns.end(member);
    }
  }

  /** A model that nobody waits for any more and that was never loaded is not known any more. */
  #forget({ id, status, loaders }: Member, error: unknown): never {
    const member = this.#members.get(id);
    if (member && status === null && loaders === 0 && !this.#turns.isWaiting(member)) this.#members.delete(id);
    throw error;
  }

  /**
   * Lets idle models go, the least recently used first, until there is room for so many bytes beside the others. True
   * when there is.
   */
  #makeRoom(neededBytes: number, keep: Member | null = null): boolean {
    const awake = [...this.#members.values()].filter((member) => member.awake && member.sizeBytes);
    let usedBytes = awake.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), neededBytes);
    const idle = awake.filter((member) => member.running === 0 && member !== keep);
    idle.sort((a, b) => a.lastUse - b.lastUse);
    for (const member of idle) {
      const sizeBytes = member.sizeBytes ?? 0;
      // A model that alone is too large would otherwise go after each request.
      if (usedBytes <= this.#budgetBytes || usedBytes === sizeBytes) break;
      usedBytes -= sizeBytes;
      member.awake = false;
      // It is gone from the engine at once; how its threads end is nobody's concern who waits for an answer.
      this.#engine.unload(member.id).catch(() => {});
    }
    return usedBytes <= this.#budgetBytes;
  }

  #memberOf(name: string): Member {
    const id = modelIdOf(name);
    const known = this.#find(name) ?? this.#members.get(id);
    if (known) return known;
    const nothing = { choice: {}, status: null, awake: false, sizeBytes: null, loaders: 0, running: 0 };
    const member: Member = { id, name, ...nothing, lastUse: ++this.#clock };
    this.#members.set(id, member);
    return member;
  }

  #find(model: string | null): Member | undefined {
    const members = [...this.#members.values()];
    if (model === null) return members[0];
    return members.find(({ name, id }) => id === model || name === model);
  }
}

/** A model that is not in the engine: one that waits for its first load, or one that went. */
function describeAbsent({ id, status }: Member): ModelStatus {
  if (status !== null) return { ...status, state: 'unloaded', backend: null, progress: null };
  return { id, state: 'loading', spec: null, backend: null, tried: [], recoveries: 0, progress: null, error: null };
}
