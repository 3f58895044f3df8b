/** The backend on onnxruntime-web: one session, one run at a time, texts padded to the longest of a run. */
import type * as Ort from 'onnxruntime-web';
import { abortError, VecinityError } from '../../errors.js';
import type { ModelSpec } from '../../models/spec.js';
import { untilAbort } from '../../pause.js';
import type {
  Backend,
  BackendInfo,
  BackendLoader,
  BackendLoadOptions,
  BackendRequest,
  TokenBatch,
} from '../backend.js';
import { failedRun } from '../memory.js';
import { poolPadded, unpadRows } from '../pooling.js';
import { describeAdapter, lossOf, requireAdapter } from './adapter.js';
import type { OnnxRuntime } from './assets.js';
import { padBatch } from './inputs.js';
import { createSession, type OnnxSession, startRuntime } from './session.js';
import { readWeights } from './weights.js';

/** Besides what every loader throws: `aborted`. A session that turns out to be of no use is released. */
export const loadOnnxBackend: BackendLoader = async (request, options) => {
  const adapter = request.device === 'webgpu' ? await requireAdapter() : null;
  const hasF16 = adapter?.features.has('shader-f16') ?? false;
  if (adapter && request.dtype === 'f16' && !hasF16) {
    throw new VecinityError('device_unavailable', 'The GPU cannot compute in f16: its adapter lacks shader-f16.');
  }
  const weights = await readWeights(request, hasF16, options);
  throwIfAborted(options);
  const runtime = await startRuntime(request, adapter);
  const opened = await createSession(runtime, request, weights, options);
  try {
    throwIfAborted(options);
    // The runtime makes the device itself, from an adapter of its own.
    const loss = adapter ? lossOf(await runtime.env.webgpu.device) : null;
    return new OnnxBackend({ runtime, opened, request, loss, details: adapter ? describeAdapter(adapter) : {} });
  } catch (error) {
    await opened.session.release();
    throw error;
  }
};

function throwIfAborted({ signal }: BackendLoadOptions): void {
  if (signal?.aborted) throw abortError(signal);
}

interface Opened {
  runtime: OnnxRuntime;
  opened: OnnxSession;
  request: BackendRequest;
  /** Ends with the GPU; null on the CPU. */
  loss: AbortSignal | null;
  details: Record<string, string>;
}

class OnnxBackend implements Backend {
  readonly info: BackendInfo;
  readonly width: number;
  readonly padded = true;
  readonly lanes = 1;
  readonly #runtime: OnnxRuntime;
  readonly #session: Ort.InferenceSession;
  readonly #spec: ModelSpec;
  readonly #output: string;
  readonly #loss: AbortSignal | null;
  /** Ends with the run before; it never rejects, so that a failed run does not harm the next. */
  #last: Promise<unknown> = Promise.resolve();
  #disposed = false;

  constructor({ runtime, opened: { session, weights }, request: { spec, device }, loss, details }: Opened) {
    this.#runtime = runtime;
    this.#session = session;
    this.#loss = loss;
    this.#spec = spec;
    this.#output = chooseOutput(session.outputNames, spec, weights.path);
    this.width = spec.dimensions;
    this.info = {
      backend: 'onnx',
      device,
      dtype: weights.dtype,
      threads: runtime.env.wasm.numThreads ?? 1,
      memoryBytes: weights.external.reduce((sum, { data }) => sum + data.length, weights.bytes.length),
      details: { ...details, file: weights.files.location.base + weights.path },
    };
  }

  run(batch: TokenBatch): Promise<Float32Array> {
    const work = this.#last.then(() => this.#infer(batch));
    // On a lost device the runtime fails in words of its own, or waits for ever.
    const result = this.#loss ? untilAbort(work, this.#loss) : work;
    this.#last = result.catch(() => undefined);
    return result;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#last;
    await this.#session.release();
  }

  async #infer(batch: TokenBatch): Promise<Float32Array> {
    if (this.#disposed) throw new VecinityError('disposed', `The model ${this.#spec.id} was unloaded.`);
    if (this.#loss?.aborted) throw abortError(this.#loss);
    const padded = padBatch(batch, padId(this.#spec));
    const feeds = this.#feeds(padded);
    let outputs: Ort.InferenceSession.ReturnType | null = null;
    try {
      outputs = await this.#session.run(feeds, [this.#output], { logSeverityLevel: 4 });
      const tensor = outputs[this.#output];
      if (!tensor) throw new Error(`the graph did not give ${this.#output}`);
      const values = this.#toRows(toFloats(await tensor.getData()), tensor.dims, batch);
      checkFinite(values);
      return values;
    } catch (cause) {
      if (cause instanceof VecinityError) throw cause;
      throw failedRun(this.#spec.id, { batch, cause });
    } finally {
      for (const tensor of Object.values(outputs ?? {})) tensor.dispose();
      for (const tensor of Object.values(feeds)) tensor.dispose();
    }
  }

  #feeds({ inputs, dims }: ReturnType<typeof padBatch>): Record<string, Ort.Tensor> {
    const feeds: Record<string, Ort.Tensor> = {};
    for (const name of this.#session.inputNames) {
      const values = inputs[name];
      if (!values) {
        const known = Object.keys(inputs).join(', ');
        throw new VecinityError('model_file_invalid', `The ONNX graph asks for the input ${name}; known are ${known}.`);
      }
      feeds[name] = new this.#runtime.Tensor('int64', values, dims);
    }
    return feeds;
  }

  /**
   * `[batch, width]` from `[batch, longest, width]` by pooling, or as it is when the graph gives one row a text;
   * `[tokens, width]` for a batch that asks for tokens.
   */
  #toRows(values: Float32Array, dims: readonly number[], batch: TokenBatch): Float32Array {
    const width = dims.at(-1) ?? 0;
    if (width !== this.width) {
      throw new VecinityError(
        'model_file_invalid',
        `The ONNX graph gives ${width} values a text, the model's files say ${this.width}.`,
      );
    }
    const rows = { hidden: values, width, offsets: batch.offsets, skipped: batch.skippedTokens };
    const longest = dims[1] ?? 0;
    if (batch.output === 'tokens') {
      if (dims.length === 3) return unpadRows(rows, longest);
      const message = `The ONNX graph of ${this.#spec.id} gives one vector a text and none for each token.`;
      throw new VecinityError('unsupported_task', message, { param: 'model' });
    }
    return dims.length === 2 ? values.slice() : poolPadded(rows, longest, this.#spec.pooling);
  }
}

/** Token vectors are preferred to a sentence vector of the graph, whose pooling the model's files may not agree with. */
function chooseOutput(names: readonly string[], spec: ModelSpec, path: string): string {
  const wanted = {
    embedding: ['last_hidden_state', 'token_embeddings', 'sentence_embedding'],
    rerank: ['logits'],
    clip: ['text_embeds'],
  }[spec.task];
  const found = wanted.find((name) => names.includes(name));
  if (found !== undefined) return found;
  throw new VecinityError(
    'model_file_invalid',
    `The file ${path} gives ${names.join(', ')}; a model for ${spec.task} must give ${wanted.join(' or ')}.`,
  );
}

/** RoBERTa graphs count positions by it, so padding is what the model calls padding, although the mask hides it. */
function padId(spec: ModelSpec): number {
  const id = spec.config.pad_token_id;
  return typeof id === 'number' && id >= 0 ? id : 0;
}

function toFloats(data: Ort.Tensor.DataType): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new VecinityError('model_file_invalid', 'The ONNX graph must give float32 values.');
}

function checkFinite(values: Float32Array): void {
  if (values.every(Number.isFinite)) return;
  throw new VecinityError(
    'backend_failed',
    'The model gave values that are not numbers; another device may compute it.',
  );
}
