/** Which loaded model answers a request: own names, aliases, and the policy for names that are not known. */
import { bestModel, type WantedTask } from '../core/default-model.js';
import type { ModelStatus } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';
import { notHere, remoteNameOf } from './remote/remote.js';
import type { ApiContext, CallContext } from './route.js';
import { sleepers } from './uses.js';

/**
 * The model that answers `name`, as far as is known now: `useModel` waits until that is certain. A model's own name
 * always wins, then an alias; any other name is answered by a model that fits the task (policy `any`) or refused
 * (`strict`). Throws `model_not_loaded`, `model_not_found`, and `unsupported_task` for a model of another server.
 */
export function resolveModel(name: string | null, task: WantedTask, context: ApiContext): ModelStatus {
  const remote = remoteNameOf(name, context);
  if (remote !== null) throw notHere(remote);
  const named = name === null ? null : findModel(name, context);
  if (named) return named;
  const best = bestModel(context.engine.status(), task);
  if (!best) throw new VecinityError('model_not_loaded', 'No model is loaded, so nothing can answer this request.');
  if (name !== null && context.api.modelPolicy === 'strict') throw unknownModel(name, context);
  return best;
}

/** The model of that id, repository or alias, or null. */
export function findModel(name: string, context: ApiContext): ModelStatus | null {
  const { api } = context;
  const models = presentModels(context);
  const own = models.find((model) => isOwnName(model, name));
  if (own || !Object.hasOwn(api.aliases, name)) return own ?? null;
  return models.find((model) => isOwnName(model, api.aliases[name] ?? '')) ?? null;
}

/** Models that are loaded, loading, failed to load, or went and come back with the next request for them. */
export function presentModels({ engine }: ApiContext): ModelStatus[] {
  const { models } = engine.status();
  return [...models, ...sleepers(engine).filter((asleep) => !models.some(({ id }) => id === asleep.id))];
}

/** Aliases whose model is present, with that model. */
export function presentAliases(context: ApiContext): { alias: string; model: ModelStatus }[] {
  const present = presentModels(context);
  return Object.entries(context.api.aliases).flatMap(([alias, target]) => {
    const model = present.find((candidate) => isOwnName(candidate, target));
    return model && !present.some((candidate) => isOwnName(candidate, alias)) ? [{ alias, model }] : [];
  });
}

/** What the model is; waits for one that is loading and does not know it yet. Throws why a model could not be loaded. */
export async function specOf({ id, spec, error }: ModelStatus, context: CallContext): Promise<ModelSpec | null> {
  if (spec !== null) return spec;
  if (error) throw new VecinityError(error.code, error.message);
  const { engine, signal } = context;
  return (await engine.load(id, signal ? { signal } : {})).spec;
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
