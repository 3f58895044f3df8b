/** The compute thread of Node: one backend that computes, and nothing else. Counterpart of `worker/compute-worker.ts`. */
import { serveCompute } from '../backend/compute-host.js';
import { openFolder } from '../models/folder.node.js';
import { setFolderOpener } from '../models/open-files.js';
import { enableRelaxedSimd } from './relaxed-simd.js';
import { ownPort, startThread } from './thread.js';

enableRelaxedSimd();
setFolderOpener(openFolder);

serveCompute(ownPort(), {
  onnx: async () => (await import('../backend/onnx/index.js')).loadOnnxBackend,
  wasm: async () => {
    const { loadWasmBackend, setThreadFactory } = await import('../backend/wasm/index.js');
    setThreadFactory(() => startThread(new URL('./wasm-thread.js', import.meta.url)));
    return loadWasmBackend;
  },
});
