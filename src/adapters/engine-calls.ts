/** An engine's calls in the form of a client's: the same bodies, checked by the same validators. */
import { createEmbeddings } from '../api/embeddings.js';
import { createRerank } from '../api/rerank.js';
import type { CallOptions, EmbeddingsResponse, RerankResponse } from '../api/responses.js';
import type { ApiContext } from '../api/route.js';
import { defaultApiConfig } from '../config.js';
import type { Engine, EngineStatus, LoadOptions, ModelStatus } from '../core/engine.js';

/** The part of a client that adapters use; spelled out, so that projects on Node can read it without types of the DOM. */
export interface Calls {
  readonly embeddings: { create(body: unknown, options?: CallOptions): Promise<EmbeddingsResponse> };
  readonly rerankings: { create(body: unknown, options?: CallOptions): Promise<RerankResponse> };
  load(model: string, options?: LoadOptions): Promise<ModelStatus>;
  unload(model: string): Promise<void>;
  status(): Promise<EngineStatus>;
}

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
