/** The GPU of this device, asked for once, and what is known of it. */
import { VecinityError, wordsOf } from '../../errors.js';
import { adapterOptions, isSoftware, nameOfAdapter } from '../adapter.js';

/** Throws `device_unavailable` with the reason. */
export async function requireAdapter(): Promise<GPUAdapter> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw unavailable('this browser or context has no WebGPU (navigator.gpu is missing)');
  const adapter = await gpu.requestAdapter(adapterOptions).catch((cause: unknown) => {
    throw unavailable(`asking for an adapter failed: ${wordsOf(cause)}`, cause);
  });
  if (!adapter) throw unavailable('there is no GPU adapter');
  return adapter;
}

/** Words for `status()`: what the adapter calls itself, and whether it is software. */
export function describeAdapter(adapter: GPUAdapter): Record<string, string> {
  return { adapter: nameOfAdapter(adapter) || 'unnamed', isFallbackAdapter: String(isSoftware(adapter)) };
}

function unavailable(reason: string, cause?: unknown): VecinityError {
  return new VecinityError('device_unavailable', `WebGPU cannot be used: ${reason}.`, { cause });
}
