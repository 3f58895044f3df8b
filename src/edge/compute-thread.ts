/** The compute thread of Node: one backend that computes, and nothing else. Counterpart of `worker/compute-worker.ts`. */
import { setFlagsFromString } from 'node:v8';
import { serveCompute } from '../backend/compute-host.js';
import { setFolderOpener } from '../models/files.js';
import { openFolder } from '../models/folder.node.js';
import { ownPort, startThread } from './thread.js';

// Node 20 has relaxed SIMD, which is faster by almost half, but behind a flag; later versions have it without.
if (Number.parseInt(process.versions.node, 10) < 22) setFlagsFromString('--experimental-wasm-relaxed-simd');

setFolderOpener(openFolder);

serveCompute(ownPort(), {
  onnx: async () => (await import('../backend/onnx/index.js')).loadOnnxBackend,
  wasm: async () => {
    const { loadWasmBackend, setThreadFactory } = await import('../backend/wasm/index.js');
    setThreadFactory(() => startThread(new URL('./wasm-thread.js', import.meta.url)));
    return loadWasmBackend;
  },
});
