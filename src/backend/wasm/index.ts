/**
 * The backend on our own kernels: loads safetensors, packs them for the fastest exact kernel of this host and computes
 * packed tokens without padding. Owns the load; the forward pass is in `encoder.ts`, the threads are in `pool.ts`.
 */
import { abortError, toVecinityError, VecinityError } from '../../errors.js';
import { openModelFiles } from '../../models/files.js';
import { withFreshFiles } from '../../models/fresh-files.js';
import { openSafetensors, type Safetensors } from '../../models/safetensors.js';
import type { Task } from '../../models/spec.js';
import type {
  Backend,
  BackendInfo,
  BackendLoader,
  BackendLoadOptions,
  BackendRequest,
  Dtype,
  TokenBatch,
} from '../backend.js';
import { bindNames, describeModel, type EncoderDescription } from './architectures.js';
import { type Level, loadKernels } from './assets.js';
import { convertedBlock } from './channel.js';
import { type ModelSetup, widthOf } from './computer.js';
import type { Tap } from './encoder.js';
import { canShareMemory, convertedForms, detectLevel, pickForm, plainForms, probeArithmetic } from './features.js';
import { createMemory, Heap } from './heap.js';
import { type PoolOptions, ThreadConnection, ThreadPool, type ThreadWorker } from './pool.js';
import { loadWeights, type Precision } from './weights.js';

export { supportsArchitecture, supportsModel } from './supports.js';

/** Columns of an input that share a scale where no conversion has smoothed the inputs and fitted the weights. */
const plainBlock = 32;
/** More threads than this wait for memory more than they compute. */
const maxThreads = 8;

let createWorker: (() => ThreadWorker) | null =
  typeof Worker === 'undefined'
    ? null
    : () =>
        new Worker(new URL('../../../worker/wasm-worker.ts', import.meta.url), {
          type: 'module',
          name: 'vecinity-wasm',
        });

/** Names what starts a thread where there is no global `Worker` (Node); null computes in one thread. */
export function setThreadFactory(factory: (() => ThreadWorker) | null): void {
  createWorker = factory;
}

export const loadWasmBackend = (async (request, options): Promise<WasmBackend> => {
  const threads = startThreads(countThreads(request.threads) - 1);
  try {
    return await loadModel(request, options, threads);
  } catch (error) {
    for (const thread of threads) thread.close(toVecinityError(error));
    throw error;
  }
}) satisfies BackendLoader;

async function loadModel(
  request: BackendRequest,
  options: BackendLoadOptions,
  threads: ThreadConnection[],
): Promise<WasmBackend> {
  const described = describe(request);
  const level = detectLevel();
  const shared = threads.length > 0 && canShareMemory();
  const kernels = loadKernels(level, { shared, assetsUrl: request.assetsUrl });
  const filled = await fillMemory({ request, described, kernels, level, shared }, options);
  const { module, weights, description, precision, heap, plan } = filled;
  if (options.signal?.aborted) throw abortError(options.signal);
  const setup: ModelSetup = { plan, task: request.spec.task, pooling: request.spec.pooling };
  if (setup.task === 'rerank' && plan.head === null) {
    throw new VecinityError('unsupported_task', `The model ${request.spec.id} has no classification head.`);
  }
  const pool = await startPool({ module, heap, setup, description }, threads);
  const memoryBytes = heap.memory.buffer.byteLength;
  const info = { ...inform(precision, { level, shared, pool, weights }), memoryBytes };
  return new WasmBackend(pool, { request, description, setup, info });
}

interface Filling {
  request: BackendRequest;
  described: EncoderDescription;
  kernels: Promise<WebAssembly.Module>;
  level: Level;
  shared: boolean;
}

/** Opens the weights and packs them; from the start with fresh files when kept ones are broken. */
async function fillMemory({ request, described, kernels, level, shared }: Filling, options: BackendLoadOptions) {
  const files = openModelFiles(request.location);
  let opened: readonly string[] = [];
  return await withFreshFiles(
    files,
    () => opened,
    async () => {
      const [module, weights] = await Promise.all([kernels, openSafetensors(files, options)]);
      if (weights === null) {
        throw new VecinityError('model_file_missing', `The model ${request.spec.id} has no file model.safetensors.`);
      }
      opened = weights.files;
      const description = bindNames(described, (name) => weights.tensors.has(name));
      const precision = choosePrecision(request, { level, module, shared, weights });
      const heap = new Heap(createMemory(shared, memoryLimit(weights)));
      const plan = await loadWeights(weights, { description, heap, precision }, options);
      return { module, weights, description, precision, heap, plan };
    },
  );
}

interface Opened {
  request: BackendRequest;
  description: EncoderDescription;
  setup: ModelSetup;
  info: BackendInfo;
}

export class WasmBackend implements Backend {
  readonly info: BackendInfo;
  readonly width: number;
  readonly padded = false;
  /** A thread that is through with one run goes on with the next, which has to be there by then. */
  readonly lanes = 2;
  readonly #pool: ThreadPool;
  readonly #id: string;
  readonly #description: EncoderDescription;
  readonly #typeCount: number;
  readonly #task: Task;
  /** The runs in flight. None of them rejects, so that a failed run does not harm a later one. */
  readonly #running = new Set<Promise<unknown>>();
  #disposed = false;

  constructor(pool: ThreadPool, { request, description, setup, info }: Opened) {
    this.#pool = pool;
    this.#id = request.spec.id;
    this.#description = description;
    this.#typeCount = setup.plan.typeCount;
    this.#task = setup.task;
    this.width = widthOf(setup);
    this.info = info;
  }

  /** Sees every intermediate tensor of later runs in one thread, under the names of the plain reference. */
  set tap(tap: Tap | null) {
    this.#pool.computer.tap = tap;
  }

  run(batch: TokenBatch): Promise<Float32Array> {
    const result = this.#compute(batch);
    const ended = result
      .catch(() => undefined)
      .finally(() => {
        this.#running.delete(ended);
      });
    this.#running.add(ended);
    return result;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await Promise.all(this.#running);
    this.#pool.dispose();
  }

  async #compute(batch: TokenBatch): Promise<Float32Array> {
    if (this.#disposed) throw new VecinityError('disposed', `The model ${this.#id} was unloaded.`);
    this.#check(batch);
    try {
      const values = await this.#pool.run(batch);
      if (!values.every(Number.isFinite)) throw new Error('it gave values that are not finite');
      return values;
    } catch (cause) {
      if (cause instanceof VecinityError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new VecinityError('backend_failed', `A run of ${this.#id} failed: ${reason}`, { cause });
    }
  }

  // The kernels read tables at these numbers without looking, so nothing out of range may reach them.
  #check({ inputIds, typeIds, offsets, output }: TokenBatch): void {
    const { vocabSize, maxTokens } = this.#description;
    if (output === 'tokens' && this.#task === 'rerank')
      throw this.#invalid('tokens as output of embedding models only');
    if (!inputIds.every((id) => id >= 0 && id < vocabSize)) throw this.#invalid(`token ids from 0 to ${vocabSize - 1}`);
    const types = Math.max(1, this.#typeCount);
    if (typeIds !== null && (typeIds.length !== inputIds.length || !typeIds.every((id) => id >= 0 && id < types))) {
      throw this.#invalid(`one type id from 0 to ${types - 1} for every token`);
    }
    const lengths = Array.from(offsets.subarray(1), (end, text) => end - (offsets[text] as number));
    if (offsets[0] !== 0 || offsets.at(-1) !== inputIds.length || !lengths.every((n) => n >= 1 && n <= maxTokens)) {
      throw this.#invalid(`offsets from 0 to the number of tokens, with 1 to ${maxTokens} tokens for every text`);
    }
  }

  #invalid(allowed: string): VecinityError {
    return new VecinityError('backend_failed', `A batch for ${this.#id} is out of range: it takes ${allowed}.`);
  }
}

function describe({ spec }: BackendRequest): EncoderDescription {
  const description = describeModel(spec.config);
  if (description !== null) return description;
  const reason = `the WASM engine does not know the architecture '${spec.architecture}'`;
  throw new VecinityError('device_unavailable', `The model ${spec.id} cannot be loaded: ${reason}.`);
}

/** Weights may be widened from 16 bits to 32; what a long text needs beside them stays below a gigabyte or two. */
function memoryLimit({ sizeBytes }: Safetensors): number {
  return 2 * sizeBytes + 2 ** 31;
}

/** The fastest form that keeps the cosine to f32 above 0.998. */
function choosePrecision(
  { dtype }: BackendRequest,
  host: { level: Level; module: WebAssembly.Module; shared: boolean; weights: Safetensors },
): Precision {
  if (dtype === 'f32' || dtype === 'f16') return { form: 'f32', block: convertedBlock };
  const block = convertedBlockOf(host.weights);
  const forms = block === null ? plainForms : convertedForms;
  const form = host.level === 'simd' ? 'i16' : pickForm(forms, probeArithmetic(host.module, host.shared));
  return { form, block: block ?? plainBlock };
}

/** The block that a converted file was calibrated for; null for weights as they came. */
function convertedBlockOf({ metadata }: Safetensors): number | null {
  if (metadata.format !== 'vecinity-q8') return null;
  const block = Number(metadata.block ?? convertedBlock);
  return Number.isSafeInteger(block) && block > 0 && block % 16 === 0 ? block : convertedBlock;
}

function countThreads(asked: number): number {
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  if (asked > 0) return asked;
  // On many cores one is left to the page.
  return Math.min(maxThreads, cores > 4 ? cores - 1 : cores);
}

/** Threads to be, whose scripts load while the weights do; fewer where no more can be started. */
function startThreads(count: number): ThreadConnection[] {
  const threads: ThreadConnection[] = [];
  if (createWorker === null) return threads;
  try {
    while (threads.length < count) threads.push(new ThreadConnection(createWorker()));
  } catch {
    // A host that refuses a worker computes with those that it has granted.
  }
  return threads;
}

/** A thread that fails to start leaves a backend of one thread. */
async function startPool(parts: Omit<PoolOptions, 'threads'>, threads: ThreadConnection[]): Promise<ThreadPool> {
  try {
    return await ThreadPool.start({ ...parts, threads });
  } catch (error) {
    if (threads.length === 0) throw toVecinityError(error);
    for (const thread of threads) thread.close(toVecinityError(error));
    return await ThreadPool.start({ ...parts, threads: [] });
  }
}

function inform(
  { form, block }: Precision,
  host: { level: Level; shared: boolean; pool: ThreadPool; weights: Safetensors },
): BackendInfo {
  const { level, shared, pool, weights } = host;
  const dtype: Dtype = form === 'f32' ? 'f32' : 'q8';
  const file = convertedBlockOf(weights) === null ? 'model.safetensors' : 'model.safetensors (converted)';
  return {
    backend: 'wasm',
    device: 'wasm',
    dtype,
    threads: pool.size,
    details: { kernel: form, block: String(block), level, memory: shared ? 'shared' : 'private', file },
  };
}
