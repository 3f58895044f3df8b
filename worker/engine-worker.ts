/**
 * The engine worker: the API, the tokenizer, the queue and the engine. It never computes itself (compute workers do),
 * so that it answers a cancel, a status or a heartbeat at once.
 */
import { prepareSpare, takeComputeWorker } from './spare.js';

// That import comes first because modules are evaluated in this order, and a compute worker takes long to start.

import { expose } from 'comlink';
import { createComputeBackend } from '../src/backend/compute-client.js';
import { createEngineApi } from '../src/engine-api.js';
import { installTransferHandlers } from '../src/wire/calls.js';

const api = createEngineApi((config, request, options) =>
  createComputeBackend({ ...options, createWorker: takeComputeWorker, request, runTimeoutMs: config.runTimeoutMs }),
);

installTransferHandlers();
expose({
  ...api,
  configure(...options: Parameters<typeof api.configure>) {
    const [{ device, threads, assetsUrl }] = options;
    if (device !== 'webgpu') prepareSpare({ type: 'prepare', options: { threads, assetsUrl } });
    return api.configure(...options);
  },
});
