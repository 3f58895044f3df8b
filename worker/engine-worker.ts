/**
 * The engine worker: the API, the tokenizer, the queue and the engine. It never computes itself (compute workers do),
 * so that it answers a cancel, a status or a heartbeat at once.
 */
import { expose } from 'comlink';
import { createComputeBackend } from '../src/backend/compute-client.js';
import { createEngineApi } from '../src/engine-api.js';
import type { ToCompute } from '../src/protocol.js';
import { installTransferHandlers } from '../src/wire/calls.js';
import { trustOwnScripts } from '../src/wire/trusted-scripts.js';

trustOwnScripts();

const startComputeWorker = () =>
  // Written out in this form because bundlers look for it.
  new Worker(new URL('./compute-worker.ts', import.meta.url), { type: 'module', name: 'vecinity-compute' });

// Its script loads while the page says what it wants and the model's small files are read.
let spare: Worker | null = startComputeWorker();
spare.addEventListener(
  'error',
  (event) => {
    // Nobody waits for it yet: whoever needs one starts another and sees its error.
    if (spare !== null) event.preventDefault();
    spare = null;
  },
  { once: true },
);

function takeComputeWorker(): Worker {
  const worker = spare ?? startComputeWorker();
  spare = null;
  return worker;
}

const api = createEngineApi((config, request, options) =>
  createComputeBackend({ ...options, createWorker: takeComputeWorker, request, runTimeoutMs: config.runTimeoutMs }),
);

installTransferHandlers();
expose({
  ...api,
  configure(...options: Parameters<typeof api.configure>) {
    const [{ device, threads, assetsUrl }] = options;
    const message: ToCompute = { type: 'prepare', options: { threads, assetsUrl } };
    if (device !== 'webgpu') spare?.postMessage(message);
    return api.configure(...options);
  },
});
