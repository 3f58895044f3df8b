/**
 * The backend on our own kernels: loads safetensors, packs them for the fastest exact kernel of this host and computes
 * packed tokens without padding. Owns the load; the forward pass is in `encoder.ts`, the threads are in `pool.ts`.
 */
import { abortError, toVecinityError, VecinityError } from '../../errors.js';
import { withFreshFiles } from '../../models/fresh-files.js';
import { openModelFiles } from '../../models/open-files.js';
import { openSafetensorsStream, type Safetensors } from '../../models/safetensors.js';
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
import { failedLoad, failedRun } from '../memory.js';
import { describeModel, type EncoderDescription } from './architectures.js';
import { bindNames } from './bound-names.js';
import { convertedBlock } from './channel.js';
import { type ModelSetup, widthOf } from './computer.js';
import type { ThreadConnection } from './connection.js';
import { takeWeights } from './early-weights.js';
import type { Tap } from './encoder.js';
import { convertedForms, pickAttention, pickExactForm, pickForm, plainForms, probeArithmetic } from './features.js';
import { createMemory, Heap } from './heap.js';
import { takeHost, type WasmHost } from './host.js';
import { instantiate } from './kernels.js';
import { type PoolOptions, ThreadPool } from './pool.js';
import { type Precision, planWeights } from './weights.js';

export { dropWeights, expectWeights } from './early-weights.js';
export { dropHost, endThreads, prepareHost, setThreadFactory } from './host.js';

/** Columns of an input that share a scale where no conversion has smoothed the inputs and fitted the weights. */
const plainBlock = 32;
/** The same where inputs and weights have 16 bits: an outlier costs its neighbours their digits. */
const exactBlock = 128;
/** What a long text may need beside the weights (which may be widened from 16 bits to 32), and what texts always need. */
const mostBeside = 2 ** 31;
const leastBeside = 2 ** 26;

/** Loads a model in this thread and the ones that it starts, on a host that may have been made ready for it. */
export const loadWasmBackend = (async (request, options): Promise<WasmBackend> => {
  const host = takeHost(request);
  try {
    return await loadModel(request, options, host);
  } catch (error) {
    host.close(toVecinityError(error));
    throw error;
  }
}) satisfies BackendLoader;

/** Opens the weights and packs them; from the start with fresh files when kept ones are broken. */
async function loadModel(request: BackendRequest, options: BackendLoadOptions, host: WasmHost): Promise<WasmBackend> {
  const described = describe(request);
  const files = openModelFiles(request.location);
  let opened: readonly string[] = [];
  return await withFreshFiles(
    files,
    () => opened,
    async () => {
      const early = await takeWeights(request.location, options);
      const weights = early ?? (await openSafetensorsStream(files, options));
      if (weights === null) {
        throw new VecinityError('model_file_missing', `The model ${request.spec.id} has no file model.safetensors.`);
      }
      opened = weights.files;
      try {
        return await loadInto(host, { request, described, weights }, options);
      } catch (cause) {
        throw failedLoad(request.spec.id, cause, weights.sizeBytes);
      } finally {
        await weights.close();
      }
    },
  );
}

async function loadInto(
  host: WasmHost,
  { request, described, weights }: { request: BackendRequest; described: EncoderDescription; weights: Safetensors },
  options: BackendLoadOptions,
): Promise<WasmBackend> {
  const description = bindNames(described, (name) => weights.tensors.has(name));
  const module = await host.module;
  const precision = choosePrecision(request, { host, module, weights });
  const { heap, planned } = makePlace(host, { description, precision, weights, module });
  const setup: ModelSetup = { plan: planned.plan, task: request.spec.task, pooling: request.spec.pooling };
  if (setup.task === 'rerank' && setup.plan.head === null) {
    throw new VecinityError('unsupported_task', `The model ${request.spec.id} has no classification head.`);
  }
  const loaded = planned.load(options);
  // Threads get a copy of a memory that they do not share, so it has to be complete.
  if (!host.shared) await loaded;
  const [pool] = await Promise.all([startPool({ module, heap, setup, description }, host.threads), loaded]);
  if (options.signal?.aborted) throw abortError(options.signal);
  const memoryBytes = heap.memory.buffer.byteLength;
  const info = { ...inform(precision, { host, pool, weights }), memoryBytes };
  return new WasmBackend(pool, { request, description, setup, info });
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
  readonly lanes: number;
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
    this.lanes = lanesOf(pool.size);
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
      return await this.#pool.run(batch);
    } catch (cause) {
      if (cause instanceof VecinityError) throw cause;
      throw failedRun(this.#id, { batch, cause });
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

/**
 * A thread that is through with one run goes on with the next, which has to be there by then. Among several the one that
 * hands runs on may be in the middle of a text when another needs one: that has a run in store.
 */
function lanesOf(threads: number): number {
  return threads > 1 ? 3 : 2;
}

function describe({ spec }: BackendRequest): EncoderDescription {
  const description = describeModel(spec.config);
  if (description !== null) return description;
  const reason = `the WASM engine does not know the architecture '${spec.architecture}'`;
  throw new VecinityError('device_unavailable', `The model ${spec.id} cannot be loaded: ${reason}.`);
}

interface Unplaced {
  description: EncoderDescription;
  precision: Precision;
  weights: Safetensors;
  module: WebAssembly.Module;
}

/** Memory with a place for every weight. Throws `out_of_memory`. */
function makePlace(host: WasmHost, { description, precision, weights, module }: Unplaced) {
  const { sizeBytes } = weights;
  const heap = new Heap(createMemory(host.shared, 2 * sizeBytes + mostBeside, 2 * sizeBytes + leastBeside));
  const kernels = instantiate(module, heap.memory);
  return { heap, planned: planWeights(weights, { description, heap, precision, kernels }) };
}

/** The fastest form that keeps the cosine to f32 above 0.998, in the exact mode above 0.999998. */
function choosePrecision(
  { dtype }: BackendRequest,
  { host, module, weights }: { host: WasmHost; module: WebAssembly.Module; weights: Safetensors },
): Precision {
  const arithmetic = probeArithmetic(module, host.shared);
  if (dtype === 'f32' || dtype === 'f16') {
    return { form: pickExactForm(arithmetic), block: exactBlock, attention: 'floats' };
  }
  const block = convertedBlockOf(weights);
  const forms = block === null ? plainForms : convertedForms;
  const form = host.level === 'simd' ? 'i16' : pickForm(forms, arithmetic);
  return { form, block: block ?? plainBlock, attention: pickAttention(arithmetic) };
}

/** The block that a converted file was calibrated for; null for weights as they came. */
function convertedBlockOf({ metadata }: Safetensors): number | null {
  if (metadata.format !== 'vecinity-q8') return null;
  const block = Number(metadata.block ?? convertedBlock);
  return Number.isSafeInteger(block) && block > 0 && block % 16 === 0 ? block : convertedBlock;
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
  { host, pool, weights }: { host: WasmHost; pool: ThreadPool; weights: Safetensors },
): BackendInfo {
  const dtype: Dtype = form === 'f32' || form === 'w16' ? 'f32' : 'q8';
  const file = convertedBlockOf(weights) === null ? 'model.safetensors' : 'model.safetensors (converted)';
  return {
    backend: 'wasm',
    device: 'wasm',
    dtype,
    threads: pool.size,
    details: {
      kernel: form,
      block: String(block),
      level: host.level,
      memory: host.shared ? 'shared' : 'private',
      file,
    },
  };
}
