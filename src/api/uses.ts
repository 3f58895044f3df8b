/** What an API remembers of an engine's models by their ids: who uses them, and which are away until somebody does. */
import type { Engine, ModelStatus } from '../core/engine.js';
import type { LoadChoice } from '../core/load-choice.js';

/** What is known of one model by its id. */
export interface Use {
  /** Requests that are under way. */
  running: number;
  /** The running clock and when it ends, in ms since 1970. */
  timer: ReturnType<typeof setTimeout> | null;
  end: number | null;
  /** True when the model goes as soon as nothing runs. */
  due: boolean;
  /** The model as it is while it is away; null while it is not. */
  asleep: ModelStatus | null;
  /** How the model was asked for, so that it comes back as it was. */
  chosen: LoadChoice;
  /** A request has said how long the model stays. */
  isChosen: boolean;
}

const usesOf = new WeakMap<Engine, Map<string, Use>>();

/** Lets a wrapper of an engine know its uses: a model must not go through one door while it is used through the other. */
export function shareUses(engine: Engine, wrapper: Engine): Engine {
  const uses = usesOf.get(engine) ?? new Map<string, Use>();
  usesOf.set(engine, uses);
  usesOf.set(wrapper, uses);
  return wrapper;
}

/** The use of one model, which begins with this where there was none. */
export function useOf(engine: Engine, id: string): Use {
  const uses = usesOf.get(engine) ?? new Map<string, Use>();
  usesOf.set(engine, uses);
  const use = uses.get(id) ?? newUse();
  uses.set(id, use);
  return use;
}

/** The use of one model, if there was one. */
export function findUse(engine: Engine, id: string): Use | undefined {
  return usesOf.get(engine)?.get(id);
}

/** Models that went and come back with the next request for them. */
export function sleepers(engine: Engine): ModelStatus[] {
  return [...(usesOf.get(engine)?.values() ?? [])].flatMap(({ asleep }) => asleep ?? []);
}

function newUse(): Use {
  return { running: 0, timer: null, end: null, due: false, asleep: null, chosen: {}, isChosen: false };
}
