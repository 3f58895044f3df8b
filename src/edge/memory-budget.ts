/**
 * Several models in a limited memory: the one that nobody has asked for longest goes when another needs the room, and
 * comes back with the next request for it. A model with requests under way never goes, so what it needs may exceed the
 * budget for as long as they take; a model that alone is larger than the budget stays alone.
 */
import type { Engine, EngineStatus, LoadOptions, ModelStatus, RequestOptions } from '../core/engine.js';

interface Member {
  /** As it was asked for, which says more than the id. */
  name: string;
  options: Pick<LoadOptions, 'device' | 'dtype' | 'revision'>;
  /** From when it was last loaded. */
  status: ModelStatus;
  running: number;
  /** Larger is later. */
  lastUse: number;
  asleep: boolean;
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
  /** By id, in the order of loading: the first is the default. */
  readonly #members = new Map<string, Member>();
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
    const known = this.#find(model);
    if (known?.asleep) this.#makeRoom(sizeOf(known));
    const status = await this.#engine.load(model, options);
    const { device, dtype, revision } = options;
    const chosen = Object.entries({ device, dtype, revision }).filter(([, value]) => value !== undefined);
    // The same object as before, because requests under way count themselves in it.
    const fresh = { name: model, running: 0 };
    const rest = { options: Object.fromEntries(chosen), status, lastUse: ++this.#clock, asleep: false };
    this.#members.set(status.id, Object.assign(this.#members.get(status.id) ?? fresh, rest));
    this.#makeRoom(0, status.id);
    return status;
  }

  async unload(model: string): Promise<void> {
    const member = this.#find(model);
    if (member) this.#members.delete(member.status.id);
    if (!member?.asleep) await this.#engine.unload(model);
  }

  /** A model that has gone is ready: the next request brings it back. */
  status(): EngineStatus {
    const status = this.#engine.status();
    const present = new Set(status.models.map(({ id }) => id));
    const asleep = [...this.#members.values()].filter(({ asleep, status: { id } }) => asleep && !present.has(id));
    const gone = asleep.map((member): ModelStatus => ({ ...member.status, state: 'ready', backend: null }));
    const [first] = this.#members.keys();
    return { ...status, models: [...status.models, ...gone], defaultModel: first ?? status.defaultModel };
  }

  dispose(): Promise<void> {
    this.#members.clear();
    return this.#engine.dispose();
  }

  async #use<Request extends ModelRequest, T>(request: Request, work: (own: Request) => Promise<T>): Promise<T> {
    const member = this.#find(request.model);
    if (!member) return await work(request);
    member.running += 1;
    try {
      if (member.asleep) await this.#wake(member, request.signal);
      return await work({ ...request, model: member.status.id });
    } finally {
      member.running -= 1;
      member.lastUse = ++this.#clock;
      this.#makeRoom(0);
    }
  }

  /** Requests that come together share one load. */
  async #wake(member: Member, signal: AbortSignal | undefined): Promise<void> {
    this.#makeRoom(sizeOf(member), member.status.id);
    member.status = await this.#engine.load(member.name, { ...member.options, ...(signal ? { signal } : {}) });
    member.asleep = false;
  }

  /** Lets idle models go, the least recently used first, until so many bytes are free. */
  #makeRoom(neededBytes: number, keep: string | null = null): void {
    const awake = [...this.#members.values()].filter((member) => !member.asleep);
    let usedBytes = awake.reduce((sum, member) => sum + sizeOf(member), neededBytes);
    const idle = awake.filter(({ running, status }) => running === 0 && status.id !== keep);
    idle.sort((a, b) => a.lastUse - b.lastUse);
    for (const member of idle) {
      if (usedBytes <= this.#budgetBytes) return;
      // A model that alone is too large would otherwise go after each request.
      if (usedBytes === sizeOf(member)) return;
      usedBytes -= sizeOf(member);
      member.asleep = true;
      // It is gone from the engine at once; how its threads end is nobody's concern who waits for an answer.
      this.#engine.unload(member.status.id).catch(() => {});
    }
  }

  #find(model: string | null): Member | undefined {
    const members = [...this.#members.values()];
    if (model === null) return members[0];
    return members.find(({ name, status }) => status.id === model || name === model);
  }
}

function sizeOf({ status }: Member): number {
  return status.backend?.memoryBytes ?? 0;
}
