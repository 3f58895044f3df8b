/** Backends without a model for tests of everything above them: the embedding of a text is computed from its tokens. */
import type { Backend, BackendInfo, TokenBatch } from '../../src/backend/backend.js';
import type { ModelSpec } from '../../src/models/spec.js';

export interface FakeBackendOptions {
  info?: Partial<BackendInfo>;
  width?: number;
  padded?: boolean;
  lanes?: number;
  /** Replaces the result or throws. */
  onRun?: (batch: TokenBatch, values: Float32Array) => Float32Array | Promise<Float32Array>;
}

export interface FakeBackend extends Backend {
  batches: TokenBatch[];
  disposed: boolean;
}

const wasmInfo: BackendInfo = { backend: 'onnx', device: 'wasm', dtype: 'f32', threads: 1, details: {} };

export function fakeBackend(options: FakeBackendOptions = {}): FakeBackend {
  const { info = {}, width = 4, padded = false, lanes = 1, onRun = (_, values) => values } = options;
  const backend: FakeBackend = {
    info: { ...wasmInfo, ...info },
    width,
    padded,
    lanes,
    batches: [],
    disposed: false,
    run: async (batch) => {
      backend.batches.push(batch);
      return await onRun(batch, fakeValues(batch, width));
    },
    dispose: async () => {
      backend.disposed = true;
    },
  };
  return backend;
}

/** Value `d` of a text (of a token, where tokens are asked for) is the sum of `sin(token * (d + 1))`: it depends on every token and on nothing else. */
export function fakeValues(batch: TokenBatch, width: number): Float32Array<ArrayBuffer> {
  const { inputIds } = batch;
  const offsets =
    batch.output === 'tokens' ? Int32Array.from({ length: inputIds.length + 1 }, (_, i) => i) : batch.offsets;
  const count = offsets.length - 1;
  const values = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const tokens = [...inputIds.subarray(offsets[i], offsets[i + 1])];
    for (let d = 0; d < width; d++) {
      values[i * width + d] = tokens.reduce((sum, token) => sum + Math.sin(token * (d + 1)), 0);
    }
  }
  return values;
}

export function fakeSpec(changes: Partial<ModelSpec> = {}): ModelSpec {
  return {
    ...{ id: 'fake', repository: 'test/fake', revision: 'main', task: 'embedding', architecture: 'bert' },
    ...{ pooling: 'mean', normalize: true, dimensions: 4, matryoshkaDimensions: [], maxTokens: 16, vocabSize: 1000 },
    ...{ prompts: {}, defaultPromptName: null, similarity: 'cosine', includePrompt: true, lowercase: false },
    ...{ license: null, config: {}, canary: null },
    ...changes,
  };
}
