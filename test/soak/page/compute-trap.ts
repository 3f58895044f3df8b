/**
 * Lets a call of the WASM kernels fail when the page says so, in the words and with the errors of the platform; or lets
 * the whole device compute wrong numbers, when its owner says so before it loads a model.
 */
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

/** Numbers that look like others, in other places: of another text, or of none. */
function answerWrongly(): void {
  // The compiler takes `self` for a window, whose messages have other arguments.
  const scope = self as unknown as Pick<MessagePort, 'postMessage'>;
  const answer: (message: unknown, transfer: Transferable[]) => void = scope.postMessage.bind(scope);
  scope.postMessage = (message: { type: string; values: Float32Array }, transfer: unknown) => {
    if (message.type === 'result') message.values.reverse();
    answer(message, transfer as Transferable[]);
  };
}

self.addEventListener('message', (event) => {
  if (event.data?.type !== 'compute-wrong-numbers') return;
  event.stopImmediatePropagation();
  answerWrongly();
});

// Makes this file a module.
export {};
