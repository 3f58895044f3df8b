/** What an engine worker can be asked: the typed calls of a page, and whole HTTP requests on ports. One engine, one API. */
import { createEmbeddings } from './api/embeddings.js';
import { createHandler, type Handler } from './api/handler.js';
import { shareUses, startIdleClock } from './api/keep-alive.js';
import { Metrics } from './api/metrics.js';
import { listModels } from './api/models.js';
import { createRerank } from './api/rerank.js';
import type { ApiContext } from './api/route.js';
import { assembleEngine, type OpenBackend } from './assemble-engine.js';
import { supportsModel } from './backend/wasm/supports.js';
import { deleteStoredModel, listStoredModels, storageUsage } from './models/stored-models.js';
import type { EngineWorkerApi } from './protocol.js';
import { Answers } from './wire/answers.js';
import { moveVectors } from './wire/calls.js';
import { clientOf } from './wire/http.js';
import { servePort } from './wire/port-server.js';

/** The API of one engine, which is made by `configure`; every other call waits for that. */
export function createEngineApi(openBackend: OpenBackend): EngineWorkerApi {
  const engineId = crypto.randomUUID();
  const answers = new Answers();
  // Counts from the first call on, whoever comes first: a typed call or a request.
  const metrics = new Metrics();
  let configure: (context: ApiContext) => void = () => {};
  const configured = new Promise<ApiContext>((resolve) => {
    configure = resolve;
  });
  // One for all ports, because making its routes takes longer than a query does; made for the first, because the load of
  // a model would wait for it.
  let handler: Promise<Handler> | null = null;
  const handlerOf = (): Promise<Handler> => {
    handler ??= configured.then((context) => createHandler({ ...context, metrics, clientOf }));
    return handler;
  };

  return {
    async configure(config, api) {
      const engine = assembleEngine(config, { openBackend, wasmSupports: supportsModel });
      configure({ engine: shareUses(engine, metrics.watch(engine)), api });
    },
    embeddings: {
      create: async (body, options) => moveVectors(await createEmbeddings(body, { ...(await configured), ...options })),
    },
    rerank: { create: async (body, options) => createRerank(body, { ...(await configured), ...options }) },
    models: { list: async () => listModels(await configured) },
    storage: { list: listStoredModels, usage: storageUsage, delete: deleteStoredModel },
    async load(model, options) {
      const context = await configured;
      const status = await context.engine.load(model, options);
      startIdleClock(status.id, context);
      return status;
    },
    status: async () => (await configured).engine.status(),
    unload: async (model) => (await configured).engine.unload(model),
    dispose: async () => (await configured).engine.dispose(),
    async connect(port) {
      servePort(port, { handler: await handlerOf(), engineId, answers });
    },
    ping() {},
  };
}
