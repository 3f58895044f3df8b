/**
 * The use of a model by a request, and models that go when nobody has asked for them for a while (Ollama's `keep_alive`)
 * and come back when somebody does. How long is what the last request said that said it, else the option `keepAliveMs`.
 */
import { isUnknown, type WantedTask } from '../core/default-model.js';
import type { Engine, LoadOptions, ModelStatus } from '../core/engine.js';
import { pickChoice } from '../core/load-choice.js';
import { abortError } from '../errors.js';
import { modelIdOf } from '../models/resolve.js';
import { longestTimerMs, unref } from '../pause.js';
import { findModel, resolveModel } from './names.js';
import type { ApiContext, CallContext } from './route.js';
import { findUse, sleepers, type Use, useOf } from './uses.js';

/**
 * Finds the model of a request and lets the request use it: a model that went comes back, and none goes while it is
 * used. Throws as `resolveModel` does, and what `work` throws.
 */
export async function useModel<Result>(
  name: string | null,
  { task, context }: { task: WantedTask; context: CallContext },
  work: (model: ModelStatus) => Promise<Result>,
): Promise<Result> {
  const model = await findCertain(name, task, context);
  const use = useOf(context.engine, model.id);
  use.running += 1;
  try {
    return await work(model);
  } finally {
    use.running -= 1;
    // How a model goes is no concern of the request that it has answered.
    if (use.due && use.running === 0) await goToSleep(context.engine, model.id).catch(() => {});
    else startIdleClock(model.id, context);
  }
}

/** The model of a request; waits for those that load when only they can tell whether they are the one. */
async function findCertain(name: string | null, task: WantedTask, context: CallContext): Promise<ModelStatus> {
  const { engine, signal } = context;
  for (;;) {
    await wakeModel(name, context);
    const model = resolveModel(name, task, context);
    const isNamed = name !== null && findModel(name, context) !== null;
    if (isNamed || !isUnknown(model)) return model;
    // A load that fails leaves the request to the next best model, or to this one's error.
    await engine.load(model.id, signal ? { signal } : {}).catch(() => {});
    if (signal?.aborted) throw abortError(signal);
  }
}

/** Loads a model by hand, and lets it go when nobody asks for it. Rejects as the engine does. */
export async function loadModel(name: string, options: LoadOptions, context: ApiContext): Promise<ModelStatus> {
  const status = await context.engine.load(name, options);
  const use = useOf(context.engine, status.id);
  use.chosen = { ...use.chosen, ...pickChoice(options) };
  startIdleClock(status.id, context);
  return status;
}

/** Starts the option's clock anew, unless a request chose its own or is under way. */
function startIdleClock(id: string, { engine, api }: ApiContext): void {
  const use = useOf(engine, id);
  use.asleep = null;
  if (use.isChosen || use.running > 0 || api.keepAliveMs === null) return;
  startClock(id, api.keepAliveMs, engine);
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
  // Whoever wants longer wants always.
  if (milliseconds < 0 || milliseconds > longestTimerMs) return;
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

/** Unloads a model for good: no request brings it back, also when it is asleep. Rejects as the engine does. */
export async function unloadModel(name: string, context: ApiContext): Promise<void> {
  const { engine } = context;
  const id = findModel(name, context)?.id ?? findAsleep(name, context);
  const isAway = id !== undefined && isAsleep(engine, id) && !statusOf(engine, id);
  if (id !== undefined) Object.assign(useOf(engine, id), { asleep: null, chosen: {} });
  if (!isAway) await engine.unload(name);
}

/** When the model goes, or null when it stays. */
export function expiryOf(id: string, { engine }: ApiContext): Date | null {
  const end = findUse(engine, id)?.end ?? null;
  return end === null ? null : new Date(end);
}

async function goToSleep(engine: Engine, id: string): Promise<void> {
  const use = useOf(engine, id);
  stopClock(use);
  const status = statusOf(engine, id);
  // One that was unloaded by hand in the meantime stays away.
  if (!status) return;
  use.asleep = { ...status, state: 'unloaded', backend: null, progress: null };
  await engine.unload(id);
}

function statusOf(engine: Engine, id: string): ModelStatus | undefined {
  return engine.status().models.find((model) => model.id === id);
}

function stopClock(use: Use): void {
  if (use.timer !== null) clearTimeout(use.timer);
  Object.assign(use, { timer: null, end: null, due: false });
}

/** Loads a model again that went: the one of that name, or any when no other is present. One that fails is tried again. */
async function wakeModel(name: string | null, context: CallContext): Promise<void> {
  const { engine, signal } = context;
  const id = (name !== null && findAsleep(name, context)) || findLonelySleeper(context);
  if (id === undefined) return;
  const use = useOf(engine, id);
  await engine.load(id, { ...use.chosen, ...(signal ? { signal } : {}) });
  use.asleep = null;
}

/** The model of that name, while it is asleep; it is until it is ready again. */
function findAsleep(name: string, context: ApiContext): string | undefined {
  const { engine, api } = context;
  const own = findModel(name, context)?.id;
  if (own !== undefined) return isAsleep(engine, own) ? own : undefined;
  const target = Object.hasOwn(api.aliases, name) ? (api.aliases[name] ?? name) : name;
  return sleepers(engine).find(({ id }) => id === modelIdOf(target))?.id;
}

/** Any model that is asleep, where no other model is present. */
function findLonelySleeper({ engine }: ApiContext): string | undefined {
  const hasOther = engine.status().models.some(({ id }) => !isAsleep(engine, id));
  return hasOther ? undefined : sleepers(engine)[0]?.id;
}

function isAsleep(engine: Engine, id: string): boolean {
  return findUse(engine, id)?.asleep != null;
}
