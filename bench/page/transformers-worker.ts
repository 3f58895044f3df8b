/** transformers.js as it comes from npm, in a worker: its own pipeline, its own onnxruntime-web, files from our origin. */
import type * as Transformers from '@huggingface/transformers';
import type { Form, TransformersSetup, Vectors } from './subject.js';
import type { FromTransformersWorker, ToTransformersWorker } from './transformers.js';

// The package's own browser bundle, served as it is; the address is a variable because it exists only on our server.
// It is imported on the first message: a top-level await would lose messages that arrive before the handler is set.
const bundleUrl = '/transformers/transformers.min.js';

let extractor: Transformers.FeatureExtractionPipeline | null = null;
let pooling: TransformersSetup['pooling'] = 'mean';

self.onmessage = async ({ data }: MessageEvent<ToTransformersWorker>) => {
  try {
    answer(await perform(data));
  } catch (error) {
    answer({ id: data.id, type: 'error', message: error instanceof Error ? error.message : String(error) });
  }
};

async function perform(message: ToTransformersWorker): Promise<FromTransformersWorker> {
  if (message.type === 'load') {
    return { id: message.id, type: 'loaded', description: await load(message.setup) };
  }
  return { id: message.id, type: 'vectors', vectors: await embed(message.texts, message.form) };
}

async function load(setup: TransformersSetup): Promise<string> {
  const { env, pipeline } = (await import(bundleUrl)) as typeof Transformers; // The types of exactly this bundle.
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = '/models/';
  const { wasm } = env.backends.onnx;
  if (wasm === undefined) throw new Error('transformers.js has no WASM backend here.');
  // Of the two builds that run here the one without the GPU parts: as fast, half the size, sooner ready.
  wasm.wasmPaths = {
    mjs: new URL('/onnxruntime/ort-wasm-simd-threaded.mjs', self.location.href).href,
    wasm: new URL('/onnxruntime/ort-wasm-simd-threaded.wasm', self.location.href).href,
  };
  wasm.numThreads = setup.threads;
  extractor = await pipeline('feature-extraction', setup.model, { device: 'wasm', dtype: setup.dtype });
  // The pipeline cuts at `model_max_length` (512 here) and has no option for it; every system must see the same tokens.
  extractor.tokenizer._tokenizerConfig.model_max_length = setup.maxTokens;
  pooling = setup.pooling;
  return `transformers.js ${env.version}, wasm ${setup.dtype}, ${setup.threads} thread(s)`;
}

async function embed(texts: readonly string[], form: Form): Promise<Vectors> {
  if (extractor === null) throw new Error('The pipeline is not loaded.');
  const order = texts.map((_, index) => index);
  if (form.sorted) order.sort((a, b) => (texts[a]?.length ?? 0) - (texts[b]?.length ?? 0));
  const batchSize = form.batchSize === 0 ? texts.length : form.batchSize;
  let values = new Float32Array(0);
  let dimensions = 0;
  for (let at = 0; at < order.length; at += batchSize) {
    const rows = order.slice(at, at + batchSize);
    const output = await extractor(
      rows.map((row) => texts[row] ?? ''),
      { pooling, normalize: true },
    );
    if (dimensions === 0) {
      dimensions = output.dims.at(-1) ?? 0;
      values = new Float32Array(texts.length * dimensions);
    }
    const data = output.data as Float32Array; // Pooled and normalised output is float32.
    rows.forEach((row, index) => {
      values.set(data.subarray(index * dimensions, (index + 1) * dimensions), row * dimensions);
    });
  }
  return { values, dimensions };
}

function answer(message: FromTransformersWorker): void {
  const transfer = message.type === 'vectors' ? [message.vectors.values.buffer] : [];
  self.postMessage(message, { transfer });
}
