/** Models that another server answers, as the routes see them: who has one, and what a request for it becomes. */
import { VecinityError } from '../errors.js';
import type { ApiContext, Call } from './route.js';

/** Paths below an OpenAI-compatible server's base address that requests are passed on to. */
export type RemotePath = '/embeddings' | '/rerank' | '/score';

/** The name under which another server has this model, an alias of it included; null for our own models. */
export function remoteNameOf(name: string, { remote, api }: ApiContext): string | null {
  if (!remote) return null;
  const target = Object.hasOwn(api.aliases, name) ? (api.aliases[name] ?? name) : name;
  return [name, target].find((candidate) => remote.names.includes(candidate)) ?? null;
}

/** The other server's answer when the body names its model, else null. Throws what the failures of that server mean. */
export async function answerRemotely(path: RemotePath, { body, context, trace }: Call): Promise<Response | null> {
  if (!context.remote || typeof body !== 'object' || body === null || !('model' in body)) return null;
  const model = typeof body.model === 'string' ? remoteNameOf(body.model, context) : null;
  return model === null
    ? null
    : await context.remote.forward({ path, model, body, headers: trace, signal: context.signal });
}

/** Why a route that is not passed on cannot answer with a model of another server. */
export function notHere(name: string): VecinityError {
  const message = `The model \`${name}\` is on another server, which answers /v1/embeddings, /v1/rerank and /score only.`;
  return new VecinityError('unsupported_task', message, { param: 'model' });
}
