/** An engine's calls in the form of a client's: the same bodies, checked by the same validators. */
import { createEmbeddings } from '../api/embeddings.js';
import { createRerank } from '../api/rerank.js';
import type { ApiContext } from '../api/route.js';
import { defaultApiConfig } from '../config.js';
import type { Engine } from '../core/engine.js';
import type { Vecinity } from '../page/client.js';

/** The part of a client that adapters use. */
export type Calls = Pick<Vecinity, 'embeddings' | 'rerankings' | 'load' | 'unload' | 'status'>;

/** The client's calls on an engine that runs in this process. */
export function toCalls(engine: Engine): Calls {
  const context: ApiContext = { engine, api: defaultApiConfig };
  return {
    embeddings: { create: (body, call) => createEmbeddings(body, { ...context, ...call }) },
    rerankings: { create: (body, call) => createRerank(body, { ...context, ...call }) },
    load: (model, options) => engine.load(model, options),
    unload: (model) => engine.unload(model),
    status: async () => engine.status(),
  };
}
