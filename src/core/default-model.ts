/** Which model answers a request that names none: for the engine's own calls and for every route of the API. */
import type { EngineStatus, ModelStatus } from './engine.js';

/** What a model shall do. A bi-encoder reranks too, by cosine. */
export type WantedTask = 'embedding' | 'rerank';

/**
 * The model that fits the task best; of several the default wins, then the one that was loaded first. A model that
 * failed is chosen where the others would only refuse, so that the request learns why there is none. Undefined without
 * models.
 */
export function bestModel({ models, defaultModel }: ModelChoice, task: WantedTask): ModelStatus | undefined {
  const rank = (model: ModelStatus) =>
    4 * taskFit(model, task) + (model.state === 'failed' ? 0 : 2) + (model.id === defaultModel ? 1 : 0);
  const [first] = models;
  return first && models.reduce((best, model) => (rank(model) > rank(best) ? model : best), first);
}

type ModelChoice = Pick<EngineStatus, 'models' | 'defaultModel'>;

/** True while nobody knows what the model is made for, so that a choice of it has to be made again later. */
export function isUnknown({ state, spec }: ModelStatus): boolean {
  return state === 'loading' && spec === null;
}

/** 2: made for the task; 1: can do it, or is not known yet; 0: cannot, the engine will say so. */
function taskFit({ spec }: ModelStatus, task: WantedTask): 0 | 1 | 2 {
  if (spec === null) return 1;
  if (spec.task === task) return 2;
  return spec.task === 'rerank' ? 0 : 1;
}
