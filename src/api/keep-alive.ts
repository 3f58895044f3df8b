/**
 * Models that go when nobody has asked for them for a while (Ollama's `keep_alive`) and come back when somebody does.
 * Only requests that say how long start a clock; without one a model stays.
 */
import type { Engine } from '../core/engine.js';
import { findModel } from './names.js';
import type { ApiContext, CallContext } from './route.js';

interface Sleepers {
  /** Running clocks by the model's id. */
  timers: Map<string, ReturnType<typeof setTimeout>>;
  /** When a model with a clock goes, in ms since 1970. */
  ends: Map<string, number>;
  /** Ids of models that went. */
  asleep: Set<string>;
}

const sleepersOf = new WeakMap<Engine, Sleepers>();

/** Timers hold 31 bits of milliseconds; whoever wants longer wants always. */
const longestMs = 2 ** 31 - 1;

/** Unloads the model after `milliseconds` without a further call of this; 0 at once, a negative number never. */
export async function keepAlive(id: string, milliseconds: number, { engine }: ApiContext): Promise<void> {
  const { timers, ends, asleep } = sleepers(engine);
  clearTimeout(timers.get(id));
  timers.delete(id);
  ends.delete(id);
  const unload = () => {
    asleep.add(id);
    timers.delete(id);
    ends.delete(id);
    return engine.unload(id);
  };
  if (milliseconds === 0) return await unload();
  if (milliseconds < 0 || milliseconds > longestMs) return;
  ends.set(id, Date.now() + milliseconds);
  // A model that was unloaded or failed in the meantime is gone, which is what was asked for.
  timers.set(id, unref(setTimeout(() => void unload().catch(() => {}), milliseconds)));
}

/** When the model goes, or null when it stays. */
export function expiryOf(id: string, { engine }: ApiContext): Date | null {
  const end = sleepersOf.get(engine)?.ends.get(id);
  return end === undefined ? null : new Date(end);
}

/** Loads a model again that `keepAlive` unloaded: the one of that name, or any when no model is present. */
export async function wakeModel(name: string | null, context: CallContext): Promise<void> {
  const { engine, api, signal } = context;
  const { asleep } = sleepers(engine);
  if (asleep.size === 0 || (name !== null && findModel(name, context))) return;
  const isEmpty = engine.status().models.length === 0;
  const own = name === null ? undefined : [name, api.aliases[name]].find((id) => id !== undefined && asleep.has(id));
  const id = own ?? (isEmpty ? asleep.values().next().value : undefined);
  if (id === undefined) return;
  await engine.load(id, signal ? { signal } : {});
  asleep.delete(id);
}

function sleepers(engine: Engine): Sleepers {
  const known = sleepersOf.get(engine) ?? { timers: new Map(), ends: new Map(), asleep: new Set() };
  sleepersOf.set(engine, known);
  return known;
}

/** On Node a clock does not keep the process alive; in a browser a timer is a number. */
function unref(timer: ReturnType<typeof setTimeout>): ReturnType<typeof setTimeout> {
  if (typeof timer === 'object' && 'unref' in timer) (timer as { unref(): void }).unref();
  return timer;
}
