/** Lets a call of the WASM kernels fail when the page says so, in the words and with the errors of the platform. */
const failures: Readonly<Record<string, () => Error>> = {
  trap: () => new WebAssembly.RuntimeError('memory access out of bounds'),
  'out-of-memory': () => new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded'),
};

let next: (() => Error) | null = null;

new BroadcastChannel(self.name).onmessage = ({ data }: MessageEvent<string>) => {
  next = failures[data] ?? next;
};

/** The same export, which throws once when that was asked for. */
function failing(exported: WebAssembly.ExportValue): WebAssembly.ExportValue {
  if (typeof exported !== 'function') return exported;
  return (...given: unknown[]) => {
    const failure = next;
    next = null;
    if (failure !== null) throw failure();
    return exported(...given);
  };
}

const { Instance } = WebAssembly;

WebAssembly.Instance = class {
  readonly exports: WebAssembly.Exports;

  constructor(module: WebAssembly.Module, imports?: WebAssembly.Imports) {
    const { exports } = new Instance(module, imports);
    this.exports = Object.fromEntries(Object.entries(exports).map(([name, value]) => [name, failing(value)]));
  }
};

// Makes this file a module.
export {};
