/** What WebGPU this machine has. Only asks; devices are made by the backends. */

export interface WebGpuSupport {
  /** `software`: an adapter without a GPU behind it, which a CPU backend outruns. */
  kind: 'none' | 'software' | 'hardware';
  /** Vendor, architecture and device as far as the browser tells; a part of what verdicts are kept by. */
  adapter: string;
}

/** Asked for everywhere in the same way, so that what is probed is what computes. */
export const adapterOptions: GPURequestAdapterOptions = { powerPreference: 'high-performance' };

const none: WebGpuSupport = { kind: 'none', adapter: '' };

/** Software rasterizers that browsers without the flag on the adapter name here. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|basic render|warp/i;

/** Never throws: a browser that refuses an adapter has none. */
export async function probeWebGpu(gpu: GPU | undefined = globalThis.navigator?.gpu): Promise<WebGpuSupport> {
  try {
    const adapter = await gpu?.requestAdapter(adapterOptions);
    if (!adapter) return none;
    return { kind: isSoftware(adapter) ? 'software' : 'hardware', adapter: nameOfAdapter(adapter) };
  } catch {
    return none;
  }
}

/** What the adapter calls itself; '' where the browser does not tell. */
export function nameOfAdapter({ info }: GPUAdapter): string {
  return [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ');
}

/** The flag moved from the adapter to its info; browsers have one or the other. */
export function isSoftware(adapter: GPUAdapter & { isFallbackAdapter?: boolean }): boolean {
  const flag = adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return flag || softwareNames.test(nameOfAdapter(adapter));
}
