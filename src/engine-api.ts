/** What an engine worker can be asked: the typed calls of a page, and whole HTTP requests on ports. One engine, one API. */

import { Claims } from './api/claims.js';
import { createEmbeddings } from './api/embeddings.js';
import type { createHandler, Handler } from './api/handler.js';
import { loadModel, unloadModel } from './api/keep-alive.js';
import { measureOf } from './api/measure.js';
import { Metrics } from './api/metrics.js';
import { listModels } from './api/models.js';
import { checkApiConfig } from './api/options.js';
import { createRerank } from './api/rerank.js';
import type { ApiContext } from './api/route.js';
import { shareUses } from './api/uses.js';
import { assembleEngine, type OpenBackend, type RuntimeParts } from './assemble-engine.js';
import { supportsModel } from './backend/wasm/supports.js';
import { checkLoadChoice, checkModelName } from './core/options.js';
import { VecinityError, wordsOf } from './errors.js';
import { deleteStoredModel, listStoredModels, storageUsage } from './models/stored-models.js';
import type { EngineWorkerApi } from './protocol.js';
import { QuietMoment } from './quiet.js';
import { Answers } from './wire/answers.js';
import { moveVectors } from './wire/calls.js';
import { clientOf } from './wire/http.js';
import { servePort } from './wire/port-server.js';

/** Whoever waits for a model asks something at once, which the dialects' code would hold up for as long as many a query. */
const handlerDelay = { quietMs: 100, mostMs: 5_000 };

/** All but the worker's own end. */
type EngineApi = Omit<EngineWorkerApi, 'end'>;

/** The API of one engine, which is made by `configure`; every other call waits for that. */
export function createEngineApi(openBackend: OpenBackend, onFound?: RuntimeParts['onFound']): EngineApi {
  const engineId = crypto.randomUUID();
  const answers = new Answers();
  // Counts from the first call on, whoever comes first: a typed call or a request.
  const metrics = new Metrics();
  const quiet = new QuietMoment();
  const claims = new Claims();
  let configure: (context: ApiContext) => void = () => {};
  const configured = new Promise<ApiContext>((resolve) => {
    configure = resolve;
  });
  const handlerOf = onceAtHand(async () => {
    const [context, createHandler] = [await configured, await loadHandlerCode()];
    return createHandler({ ...context, metrics, clientOf });
  });

  return {
    async configure(config, api, past) {
      checkApiConfig(api);
      const engine = assembleEngine(config, {
        ...{ openBackend, wasmSupports: supportsModel, past },
        ...(onFound ? { onFound } : {}),
      });
      configure({ engine: shareUses(engine, metrics.watch(engine)), api });
    },
    async embeddings(body, options) {
      quiet.disturb();
      return moveVectors(await createEmbeddings(body, { ...(await configured), ...options }));
    },
    async rerank(body, options) {
      quiet.disturb();
      return await createRerank(body, { ...(await configured), ...options });
    },
    models: async () => listModels(await configured),
    listStored: listStoredModels,
    storageUsage,
    deleteStored,
    measure: async (model) => measureOf(model, await configured),
    async load(model, options = {}) {
      checkModelName(model);
      const context = await configured;
      const load = () => loadModel(model, options, context);
      const status = await claims.add(model, {
        load,
        unload: () => unloadModel(model, context),
        signal: options.signal,
      });
      void quiet.wait(handlerDelay).then(() => handlerOf().catch(() => {}));
      return status;
    },
    status: async () => (await configured).engine.status(),
    async unload(model) {
      checkModelName(model);
      const context = await configured;
      claims.drop(model);
      await unloadModel(model, context);
    },
    dispose: async () => (await configured).engine.dispose(),
    async connect(port) {
      await configured;
      servePort(port, { handler: async (request) => (await handlerOf())(request), engineId, answers });
    },
    ping() {},
  };
}

async function deleteStored({ model, revision }: Parameters<EngineApi['deleteStored']>[0]): Promise<boolean> {
  checkModelName(model);
  checkLoadChoice({ revision });
  return await deleteStoredModel(model, revision);
}

/** One handler for all ports, because making its routes takes longer than a query does. */
function onceAtHand(make: () => Promise<Handler>): () => Promise<Handler> {
  let handler: Promise<Handler> | null = null;
  return () => {
    handler ??= make();
    // The next request tries again: the network may be back by then.
    handler.catch(() => {
      handler = null;
    });
    return handler;
  };
}

/** The dialects are a good part of an engine worker's code and not needed to load a model, so they come after it. */
async function loadHandlerCode(): Promise<typeof createHandler> {
  try {
    return (await import('./api/handler.js')).createHandler;
  } catch (cause) {
    const reason = wordsOf(cause);
    throw new VecinityError('download_failed', `The code of the HTTP API could not be loaded: ${reason}`, { cause });
  }
}
