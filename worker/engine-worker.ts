/**
 * The engine worker: the API, the tokenizer, the queue and the engine. It never computes itself (compute workers do),
 * so that it answers a cancel, a status or a heartbeat at once.
 */
import { endComputeWorkers, prepareSpare, takeComputeWorker } from './compute-workers.js';

// That import comes first because modules are evaluated in this order, and a compute worker takes long to start.

import { expose } from 'comlink';
import type { OpenBackend } from '../src/assemble-engine.js';
import { createComputeBackend } from '../src/backend/compute-client.js';
import { supportsConfig } from '../src/backend/wasm/supports.js';
import { createEngineApi } from '../src/engine-api.js';
import type { ResolvedModel } from '../src/models/resolve.js';
import type { EngineWorkerApi } from '../src/protocol.js';
import { installTransferHandlers } from '../src/wire/calls.js';
import { installReceiver } from '../src/wire/received-calls.js';

const openBackend: OpenBackend = (config, request, options) =>
  createComputeBackend({ ...options, createWorker: takeComputeWorker, request, runTimeoutMs: config.runTimeoutMs });

/** False where everything shall run on the GPU: nothing is made ready for the engine's own kernels then. */
let mayUseKernels = true;

/** Weights of our own site are asked for while the model's small files are read; kept ones are there at once. */
const onFound = ({ location, config }: ResolvedModel): void => {
  if (mayUseKernels && !location.cache && supportsConfig(config)) prepareSpare({ type: 'expect', location });
};

const api = createEngineApi(openBackend, onFound);

installTransferHandlers();
installReceiver();
expose({
  ...api,
  configure(...options: Parameters<typeof api.configure>) {
    const [{ device, threads, assetsUrl }] = options;
    mayUseKernels = device !== 'webgpu';
    if (mayUseKernels) prepareSpare({ type: 'prepare', options: { threads, assetsUrl } });
    return api.configure(...options);
  },
  end: endComputeWorkers,
} satisfies EngineWorkerApi);
