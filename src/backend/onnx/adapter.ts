/** The GPU of this device, asked for once, and what is known of it. */
import { VecinityError } from '../../errors.js';

/** Throws `device_unavailable` with the reason. */
export async function requireAdapter(): Promise<GPUAdapter> {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) throw unavailable('this browser or context has no WebGPU (navigator.gpu is missing)');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch((cause: unknown) => {
    throw unavailable(`asking for an adapter failed: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  });
  if (!adapter) throw unavailable('there is no GPU adapter');
  return adapter;
}

/** Words for `status()`: what the adapter calls itself, and whether it is software. */
export function describeAdapter(adapter: GPUAdapter): Record<string, string> {
  const { vendor, architecture, device, description } = adapter.info;
  const name = [vendor, architecture, device, description].filter(Boolean).join(' ');
  return { adapter: name || 'unnamed', isFallbackAdapter: String(isFallback(adapter)) };
}

/** The flag moved from the adapter to its info; browsers have one or the other. */
function isFallback(adapter: GPUAdapter): boolean {
  if (adapter.info.isFallbackAdapter !== undefined) return adapter.info.isFallbackAdapter;
  return 'isFallbackAdapter' in adapter && adapter.isFallbackAdapter === true;
}

function unavailable(reason: string, cause?: unknown): VecinityError {
  return new VecinityError('device_unavailable', `WebGPU cannot be used: ${reason}.`, { cause });
}
