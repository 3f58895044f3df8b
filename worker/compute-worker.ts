/**
 * The compute worker: one backend that computes, and nothing else. Our own engine, which most models run on, is a part
 * of it; onnxruntime is downloaded only when it is asked for.
 */
import { serveCompute } from '../src/backend/compute-host.js';
import {
  dropHost,
  dropWeights,
  endThreads,
  expectWeights,
  loadWasmBackend,
  prepareHost,
} from '../src/backend/wasm/index.js';
import { trustOwnScripts } from '../src/wire/trusted-scripts.js';

trustOwnScripts();

const loaders = {
  wasm: async () => loadWasmBackend,
  onnx: async () => {
    dropHost();
    dropWeights();
    return (await import('../src/backend/onnx/index.js')).loadOnnxBackend;
  },
};

serveCompute(self as DedicatedWorkerGlobalScope, loaders, {
  prepare: prepareHost,
  expect: expectWeights,
  end: endThreads,
});
