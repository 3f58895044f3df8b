/** The compute worker: one backend that computes, and nothing else. Each backend is downloaded only when it is asked for. */
import { serveCompute } from '../src/backend/compute-host.js';
import { trustOwnScripts } from '../src/wire/trusted-scripts.js';

trustOwnScripts();

serveCompute(self as DedicatedWorkerGlobalScope, {
  wasm: async () => (await import('../src/backend/wasm/index.js')).loadWasmBackend,
  onnx: async () => (await import('../src/backend/onnx/index.js')).loadOnnxBackend,
});
