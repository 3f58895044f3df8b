/** Gets the compiled kernels: one of four small modules, from beside this code or from where the site serves them. */
import { VecinityError, wordsOf } from '../../errors.js';

export type Level = 'relaxed' | 'simd';

/** The modules for one thread. */
export type CompiledKernels = Readonly<Record<Level, WebAssembly.Module>>;

let compiled: CompiledKernels | null = null;

/** Names modules that the runtime has compiled, where programs may compile none (edge workers). */
export function setKernels(kernels: CompiledKernels | null): void {
  compiled = kernels;
}

/** The module for a feature level; `shared` ones work on memory that threads share. Throws `device_unavailable`. */
export async function loadKernels(
  level: Level,
  { shared, assetsUrl }: { shared: boolean; assetsUrl: string | null },
): Promise<WebAssembly.Module> {
  if (compiled !== null && !shared) return compiled[level];
  const name = `${level}${shared ? '-threads' : ''}.wasm` as const;
  const url = assetsUrl === null ? bundledFile(name) : new URL(name, absolute(assetsUrl));
  try {
    return await WebAssembly.compile(await readBytes(url));
  } catch (cause) {
    const reason = wordsOf(cause);
    throw new VecinityError('device_unavailable', `The WASM kernels ${url.href} could not be loaded: ${reason}`, {
      cause,
    });
  }
}

type KernelFile = `${Level}.wasm` | `${Level}-threads.wasm`;

/** Bundlers see these literal URLs, copy the files and write their new addresses here. */
function bundledFile(name: KernelFile): URL {
  switch (name) {
    case 'relaxed.wasm':
      return new URL('./generated/relaxed.wasm', import.meta.url);
    case 'relaxed-threads.wasm':
      return new URL('./generated/relaxed-threads.wasm', import.meta.url);
    case 'simd.wasm':
      return new URL('./generated/simd.wasm', import.meta.url);
    case 'simd-threads.wasm':
      return new URL('./generated/simd-threads.wasm', import.meta.url);
    default:
      return name satisfies never;
  }
}

async function readBytes(url: URL): Promise<ArrayBuffer | Uint8Array<ArrayBuffer>> {
  if (url.protocol === 'file:') return fileSystem().readFileSync(url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return await response.arrayBuffer();
}

interface FileSystem {
  readFileSync(url: URL): Uint8Array<ArrayBuffer>;
}

/** Node's `fetch` reads no files, and a static import of its modules would break bundles for browsers. */
function fileSystem(): FileSystem {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: 'node:fs'): FileSystem } };
  const fs = process?.getBuiltinModule?.('node:fs');
  if (fs === undefined) throw new Error('this runtime cannot read files by URL; set assetsUrl');
  return fs;
}

function absolute(address: string): string {
  return globalThis.location === undefined ? address : new URL(address, globalThis.location.href).href;
}
