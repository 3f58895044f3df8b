/**
 * Models that another server answers, as the routes see them: who has one, and which requests are passed on as they
 * came. What such a server cannot be asked as it came is translated in `remote-engine.ts`.
 */
import { toVecinityError, VecinityError } from '../../errors.js';
import { fieldOf, isObject, type JsonObject } from '../../json-object.js';
import type { ApiContext, CallContext, Route } from '../route.js';
import type { RemoteRequest } from './models.js';

/** The name under which another server has this model, an alias of it included; null for every other name. */
export function namedRemote(name: string, { remote, api }: ApiContext): string | null {
  const target = Object.hasOwn(api.aliases, name) ? (api.aliases[name] ?? name) : name;
  return [name, target].find((candidate) => remote?.names.includes(candidate)) ?? null;
}

/**
 * The model of another server that answers a request; null where one of ours does. Where no model is here, the first of
 * another server answers for every name that ours would.
 */
export function remoteNameOf(name: string | null, context: ApiContext): string | null {
  const { remote, api, engine } = context;
  const named = name === null ? null : namedRemote(name, context);
  if (named !== null || !remote) return named;
  const answersAnyName = name === null || api.modelPolicy === 'any';
  return answersAnyName && engine.status().models.length === 0 ? (remote.names[0] ?? null) : null;
}

/** Where requests of a route are passed on to. */
export interface RemotePlace extends Pick<RemoteRequest, 'path' | 'fromRoot'> {
  /** True answers in another way where the server lacks the route. */
  orElse?: boolean;
}

/**
 * The same route, whose body goes to the other server as it came when it names a model there. Throws what the failures
 * of that server mean, and `unsupported_task` where it lacks the route and nothing else would do.
 */
export function passedOn({ orElse = false, ...place }: RemotePlace, handle: Route['handle']): Route['handle'] {
  return async (call) => {
    const { body, context } = call;
    if (!isObject(body)) return await handle(call);
    const model = remoteNameOf(modelOf(body), context);
    if (model === null) return await handle(call);
    try {
      return await askRemote({ ...place, model, body, headers: context.trace ?? {} }, context);
    } catch (thrown) {
      if (!orElse || !lacksRoute(thrown)) throw thrown;
    }
    return await handle(call);
  };
}

/** The other server's answer. Throws what its failures mean, and `unsupported_task` where it lacks the route. */
export async function askRemote(request: Omit<RemoteRequest, 'signal'>, context: CallContext): Promise<Response> {
  const { remote, signal } = context;
  if (!remote) throw notHere(request.model);
  try {
    return await remote.forward({ ...request, signal });
  } catch (thrown) {
    const error = toVecinityError(thrown);
    if (error.code !== 'not_found') throw error;
    throw new VecinityError('unsupported_task', error.message, { param: 'model', cause: error });
  }
}

/** True for the failure of `askRemote` that another route of the server might not meet. */
export function lacksRoute(thrown: unknown): boolean {
  return thrown instanceof VecinityError && thrown.cause instanceof VecinityError && thrown.cause.code === 'not_found';
}

/** Why something that cannot be asked of another server is not answered. */
export function notHere(name: string): VecinityError {
  const message = `The model \`${name}\` is on another server, which cannot be asked for this.`;
  return new VecinityError('unsupported_task', message, { param: 'model' });
}

function modelOf(body: JsonObject): string | null {
  const model = fieldOf(body, 'model');
  return typeof model === 'string' ? model : null;
}
