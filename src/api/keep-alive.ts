/**
 * The use of a model by a request, and models that go when nobody has asked for them for a while (Ollama's `keep_alive`)
 * and come back when somebody does. How long is what the last request said that said it, else the option `keepAliveMs`.
 */
import type { Engine, ModelStatus } from '../core/engine.js';
import { findModel, type RouteTask, resolveModel } from './names.js';
import type { ApiContext, CallContext } from './route.js';

/** What is known of one model by its id. */
interface Use {
  /** Requests that are under way. */
  running: number;
  /** The running clock and when it ends, in ms since 1970. */
  timer: ReturnType<typeof setTimeout> | null;
  end: number | null;
  /** True when the model goes as soon as nothing runs. */
  due: boolean;
  asleep: boolean;
  /** A request has said how long the model stays. */
  isChosen: boolean;
}

const usesOf = new WeakMap<Engine, Map<string, Use>>();

/** Timers hold 31 bits of milliseconds; whoever wants longer wants always. */
const longestMs = 2 ** 31 - 1;

/**
 * Finds the model of a request and lets the request use it: a model that went comes back, and none goes while it is
 * used. Throws as `resolveModel` does, and what `work` throws.
 */
export async function useModel<Result>(
  name: string | null,
  { task, context }: { task: RouteTask; context: CallContext },
  work: (model: ModelStatus) => Promise<Result>,
): Promise<Result> {
  await wakeModel(name, context);
  const model = resolveModel(name, task, context);
  const use = useOf(context.engine, model.id);
  use.running += 1;
  try {
    return await work(model);
  } finally {
    use.running -= 1;
    if (use.due && use.running === 0) await goToSleep(context.engine, model.id);
    else startIdleClock(model.id, context);
  }
}

/** Starts the option's clock anew, unless a request chose its own or is under way. */
export function startIdleClock(id: string, { engine, api }: ApiContext): void {
  const use = useOf(engine, id);
  use.asleep = false;
  if (use.isChosen || use.running > 0 || api.keepAliveMs === null) return;
  startClock(id, api.keepAliveMs, engine);
}

/** Lets a wrapper of an engine know its uses: a model must not go through one door while it is used through the other. */
export function shareUses(engine: Engine, wrapper: Engine): Engine {
  const uses = usesOf.get(engine) ?? new Map<string, Use>();
  usesOf.set(engine, uses);
  usesOf.set(wrapper, uses);
  return wrapper;
}

/** Unloads the model this long after now, or after the next call of this; 0 when it is idle, a negative number never. */
export async function keepAlive(id: string, milliseconds: number, { engine }: ApiContext): Promise<void> {
  const use = useOf(engine, id);
  use.isChosen = true;
  if (milliseconds === 0) await sleepWhenIdle(id, engine);
  else startClock(id, milliseconds, engine);
}

function startClock(id: string, milliseconds: number, engine: Engine): void {
  const use = useOf(engine, id);
  stopClock(use);
  if (milliseconds < 0 || milliseconds > longestMs) return;
  use.end = Date.now() + milliseconds;
  // A model that was unloaded or failed in the meantime is gone, which is what was asked for.
  use.timer = unref(setTimeout(() => void sleepWhenIdle(id, engine).catch(() => {}), milliseconds));
}

async function sleepWhenIdle(id: string, engine: Engine): Promise<void> {
  const use = useOf(engine, id);
  stopClock(use);
  use.due = true;
  if (use.running === 0) await goToSleep(engine, id);
}

/** When the model goes, or null when it stays. */
export function expiryOf(id: string, { engine }: ApiContext): Date | null {
  const end = usesOf.get(engine)?.get(id)?.end ?? null;
  return end === null ? null : new Date(end);
}

async function goToSleep(engine: Engine, id: string): Promise<void> {
  const use = useOf(engine, id);
  stopClock(use);
  use.asleep = true;
  await engine.unload(id);
}

function stopClock(use: Use): void {
  if (use.timer !== null) clearTimeout(use.timer);
  Object.assign(use, { timer: null, end: null, due: false });
}

/** Loads a model again that went: the one of that name, or any when no model is present. */
async function wakeModel(name: string | null, context: CallContext): Promise<void> {
  const { engine, api, signal } = context;
  const uses = usesOf.get(engine) ?? new Map<string, Use>();
  const asleep = [...uses.keys()].filter((id) => uses.get(id)?.asleep);
  if (asleep.length === 0 || (name !== null && findModel(name, context))) return;
  const own = name === null ? undefined : asleep.find((id) => id === name || id === api.aliases[name]);
  const id = own ?? (engine.status().models.length === 0 ? asleep[0] : undefined);
  if (id === undefined) return;
  await engine.load(id, signal ? { signal } : {});
  useOf(engine, id).asleep = false;
}

function useOf(engine: Engine, id: string): Use {
  const uses = usesOf.get(engine) ?? new Map<string, Use>();
  usesOf.set(engine, uses);
  const use = uses.get(id) ?? { running: 0, timer: null, end: null, due: false, asleep: false, isChosen: false };
  uses.set(id, use);
  return use;
}

/** On Node a clock does not keep the process alive; in a browser a timer is a number. */
function unref(timer: ReturnType<typeof setTimeout>): ReturnType<typeof setTimeout> {
  if (typeof timer === 'object' && 'unref' in timer) (timer as { unref(): void }).unref();
  return timer;
}
