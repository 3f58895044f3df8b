/** The GPU of this device, asked for once, what is known of it, and its loss. */
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

/** Ends with the device: a GPU process that dies, a driver that is reset, a device that was destroyed. */
export function lossOf(device: GPUDevice): AbortSignal {
  const loss = new AbortController();
  void device.lost.then(({ message }) => {
    const reason = message || 'the browser gives no reason';
    loss.abort(new VecinityError('worker_died', `The GPU device was lost: ${reason}`));
  });
  return loss.signal;
}

function unavailable(reason: string, cause?: unknown): VecinityError {
  return new VecinityError('device_unavailable', `WebGPU cannot be used: ${reason}.`, { cause });
}
