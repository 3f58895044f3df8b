/** What WebGPU this machine has. Only asks; devices are made by the backends. */

export interface WebGpuSupport {
  /** `software`: an adapter without a GPU behind it, which a CPU backend outruns. */
  kind: 'none' | 'software' | 'hardware';
  /** Vendor, architecture and device as far as the browser tells; a part of what verdicts are kept by. */
  adapter: string;
}

const none: WebGpuSupport = { kind: 'none', adapter: '' };

/** Software rasterizers that browsers without the flag on the adapter name here. */
const softwareNames = /swiftshader|llvmpipe|lavapipe|basic render|warp/i;

/** Never throws: a browser that refuses an adapter has none. */
export async function probeWebGpu(gpu: GPU | undefined = globalThis.navigator?.gpu): Promise<WebGpuSupport> {
  try {
    const adapter = await gpu?.requestAdapter();
    return adapter ? describe(adapter) : none;
  } catch {
    return none;
  }
}

function describe(adapter: GPUAdapter): WebGpuSupport {
  const { vendor, architecture, device, description } = adapter.info;
  const name = [vendor, architecture, device, description].filter((part) => part !== '').join(' ');
  const software = isFallback(adapter) || softwareNames.test(name);
  return { kind: software ? 'software' : 'hardware', adapter: name };
}

/** The flag moved from the adapter to its info; both places are in use. */
function isFallback(adapter: GPUAdapter & { isFallbackAdapter?: boolean }): boolean {
  return adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
}
