/** The API for servers and edge runtimes: what the engine answers, and what is passed on to other servers. */
import {
  type HandlerOptions as ApiHandlerOptions,
  createHandler as createApiHandler,
  type Handler,
} from '../api/handler.js';
import { checkObject, wrongOption } from '../core/options.js';
import { toRemoteModels, type Upstream } from './upstream.js';

export interface HandlerOptions extends Omit<ApiHandlerOptions, 'remote' | 'metrics'> {
  /** OpenAI-compatible servers that answer for chosen models, whichever dialect asks. */
  upstream?: Upstream | readonly Upstream[];
}

/** Makes the API of an engine. The handler never rejects. Throws `invalid_request` for options that cannot work. */
export function createHandler(options: HandlerOptions): Handler {
  checkObject(options, 'options');
  const { upstream = [], ...given } = options;
  if (typeof given.engine?.onRun !== 'function')
    throw wrongOption('engine', 'an engine, as `createNodeEngine` and `createEdgeEngine` make it', given.engine);
  const upstreams = [upstream].flat();
  return createApiHandler(upstreams.length > 0 ? { ...given, remote: toRemoteModels(upstreams) } : given);
}
