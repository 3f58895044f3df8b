/** Which loaded model answers a request: own names, aliases, and the policy for names that are not known. */
import type { ModelStatus } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';
import { notHere, remoteNameOf } from './remote/remote.js';
import type { ApiContext, CallContext } from './route.js';

/** What a route needs a model to do. A bi-encoder reranks too, by cosine. */
export type RouteTask = 'embedding' | 'rerank';

/**
 * The model that answers `name`. A model's own name always wins, then an alias; any other name is answered by a model
 * that fits the task (policy `any`) or refused (`strict`). Throws `model_not_loaded`, `model_not_found`, and
 * `unsupported_task` for a model of another server.
 */
export function resolveModel(name: string | null, task: RouteTask, context: ApiContext): ModelStatus {
  const remote = remoteNameOf(name, context);
  if (remote !== null) throw notHere(remote);
  const named = name === null ? null : findModel(name, context);
  if (named) return named;
  const present = presentModels(context);
  if (present.length === 0) {
    throw new VecinityError('model_not_loaded', 'No model is loaded, so nothing can answer this request.');
  }
  if (name !== null && context.api.modelPolicy === 'strict') throw unknownModel(name, context);
  return bestFit(present, task, context);
}

/** The model of that id, repository or alias, or null. */
export function findModel(name: string, { engine, api }: ApiContext): ModelStatus | null {
  const { models } = engine.status();
  const own = models.find((model) => isOwnName(model, name));
  if (own || !Object.hasOwn(api.aliases, name)) return own ?? null;
  return models.find((model) => isOwnName(model, api.aliases[name] ?? '')) ?? null;
}

/** Models that are loaded, loading, failed to load, or went and come back with the next request for them. */
export function presentModels({ engine }: ApiContext): ModelStatus[] {
  return engine.status().models;
}

/** Aliases whose model is present, with that model. */
export function presentAliases(context: ApiContext): { alias: string; model: ModelStatus }[] {
  const present = presentModels(context);
  return Object.entries(context.api.aliases).flatMap(([alias, target]) => {
    const model = present.find((candidate) => isOwnName(candidate, target));
    return model && !present.some((candidate) => isOwnName(candidate, alias)) ? [{ alias, model }] : [];
  });
}

/** What the model is. One that is still loading does not know it yet, so this waits for it. */
export async function specOf({ id, spec }: ModelStatus, { engine, signal }: CallContext): Promise<ModelSpec | null> {
  return spec ?? (await engine.load(id, signal ? { signal } : {})).spec;
}

/** The 404 of a name that no model has; lists the names that would work. */
export function unknownModel(name: string, context: ApiContext): VecinityError {
  const names = [...presentModels(context).map(({ id }) => id), ...presentAliases(context).map(({ alias }) => alias)];
  const available = names.length > 0 ? names.join(', ') : 'none';
  return new VecinityError('model_not_found', `The model \`${name}\` is not loaded; available: ${available}.`, {
    param: 'model',
  });
}

function isOwnName(model: ModelStatus, name: string): boolean {
  return model.id === name || model.spec?.repository === name;
}

/** Of models that fit the task equally well the engine's default wins, then the one that was loaded first. */
function bestFit(models: readonly ModelStatus[], task: RouteTask, { engine }: ApiContext): ModelStatus {
  const { defaultModel } = engine.status();
  const rank = (model: ModelStatus) =>
    4 * taskFit(model, task) + (model.state === 'failed' ? 0 : 2) + (model.id === defaultModel ? 1 : 0);
  return models.reduce((best, model) => (rank(model) > rank(best) ? model : best));
}

/** 2: made for the task; 1: can do it, or is still loading and not known yet; 0: cannot, the engine will say so. */
function taskFit({ spec }: ModelStatus, task: RouteTask): 0 | 1 | 2 {
  if (spec === null) return 1;
  if (spec.task === task) return 2;
  return spec.task === 'rerank' ? 0 : 1;
}
