/**
 * Loads onnxruntime-web's code and says where its `.wasm` file is: always on our own origin, never on a CDN.
 * The JavaScript comes with the bundle, so the one file that must be found is the `.wasm`.
 */
import type * as Runtime from 'onnxruntime-web';
import type { Device } from '../backend.js';

export type OnnxRuntime = typeof Runtime;

const wasmFiles = {
  wasm: 'ort-wasm-simd-threaded.wasm',
  webgpu: 'ort-wasm-simd-threaded.asyncify.wasm',
} as const;

/** Imports the build for a device and points it to its file. Has no effect on a runtime that has already started. */
export async function importRuntime(device: Device, assetsUrl: string | null): Promise<OnnxRuntime> {
  const runtime = device === 'webgpu' ? await import('onnxruntime-web/webgpu') : await import('onnxruntime-web/wasm');
  const wasm = assetsUrl === null ? bundledFile(device) : new URL(wasmFiles[device], absolute(assetsUrl)).href;
  if (wasm !== null) runtime.env.wasm.wasmPaths = { wasm };
  return runtime;
}

/** Bundlers see these literal URLs, copy the files and write their new addresses here. */
function bundledFile(device: Device): string | null {
  // Without an address of our own (Node) the runtime reads the file that lies beside its code.
  if (globalThis.location === undefined) return null;
  return device === 'webgpu'
    ? new URL('onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm', import.meta.url).href
    : new URL('onnxruntime-web/ort-wasm-simd-threaded.wasm', import.meta.url).href;
}

function absolute(address: string): string {
  return globalThis.location === undefined ? address : new URL(address, globalThis.location.href).href;
}
