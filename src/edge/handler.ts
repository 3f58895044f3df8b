/** The API for servers and edge runtimes: what the engine answers, and what is passed on to other servers. */
import {
  type HandlerOptions as ApiHandlerOptions,
  createHandler as createApiHandler,
  type Handler,
} from '../api/handler.js';
import { checkObject, checkPart, isFunction, type Rules } from '../rules.js';
import { toRemoteModels, type Upstream } from './upstream.js';

export interface HandlerOptions extends Omit<ApiHandlerOptions, 'remote' | 'metrics'> {
  /** OpenAI-compatible servers that answer for chosen models, whichever dialect asks. */
  upstream?: Upstream | readonly Upstream[];
}

const rules: Rules<keyof HandlerOptions> = {
  engine: ['an engine, as `createNodeEngine` and `createEdgeEngine` make it', (value) => has(value, 'onRun')],
  awaited: ["a list of models' names", (value) => has(value, Symbol.iterator)],
  clientOf: ['a function', isFunction],
};

/** Makes the API of an engine. The handler never rejects. Throws `invalid_request` for options that cannot work. */
export function createHandler(options: HandlerOptions): Handler {
  checkObject(options);
  checkPart(rules, options, { required: ['engine'] });
  const { upstream = [], ...given } = options;
  const upstreams = [upstream].flat();
  return createApiHandler(upstreams.length > 0 ? { ...given, remote: toRemoteModels(upstreams) } : given);
}

function has(value: unknown, method: PropertyKey): boolean {
  return Object(value) === value && isFunction(Reflect.get(Object(value), method));
}
