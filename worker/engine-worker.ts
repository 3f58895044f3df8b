/**
 * The engine worker: the API, the tokenizer, the queue and the engine. It never computes itself (compute workers do),
 * so that it answers a cancel, a status or a heartbeat at once.
 */
import { expose } from 'comlink';
import { createComputeBackend } from '../src/backend/compute-client.js';
import { createEngineApi } from '../src/engine-api.js';
import { installTransferHandlers } from '../src/transfer.js';

const startComputeWorker = () =>
  // Written out in this form because bundlers look for it.
  new Worker(new URL('./compute-worker.ts', import.meta.url), { type: 'module', name: 'vecinity-compute' });

installTransferHandlers();
expose(
  createEngineApi((config, request, options) =>
    createComputeBackend({ ...options, createWorker: startComputeWorker, request, runTimeoutMs: config.runTimeoutMs }),
  ),
);
