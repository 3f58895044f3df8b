/** Starts onnxruntime-web and makes a session of a model's weights; names the file when they are broken. */
import type * as Ort from 'onnxruntime-web';
import { VecinityError, wordsOf } from '../../errors.js';
import type { ReadOptions } from '../../models/files.js';
import type { BackendRequest, Device } from '../backend.js';
import { isOutOfMemory } from '../memory.js';
import { importRuntime, type OnnxRuntime } from './assets.js';
import { type OnnxWeights, rereadWeights } from './weights.js';

/** Beyond four threads an encoder of this size gains little and takes the cores from everything else. */
const mostThreads = 4;

/** Devices whose runtime has started in this thread. */
const started = new Set<Device>();

/** Threads are fixed when the runtime starts; later models of the same thread get the same number. */
export async function startRuntime(request: BackendRequest, adapter: GPUAdapter | null): Promise<OnnxRuntime> {
  const runtime = await importRuntime(request.device, request.assetsUrl);
  const { env } = runtime;
  if (started.has(request.device)) return runtime;
  started.add(request.device);
  env.logLevel = 'fatal'; // What goes wrong is thrown; a library does not print.
  env.wasm.proxy = false;
  env.wasm.numThreads = threadsFor(request.threads);
  if (adapter) env.webgpu.adapter = adapter;
  return runtime;
}

/** Threads need shared memory, which a page has only when it is cross-origin isolated; outside pages ask by number. */
function threadsFor(requested: number): number {
  const isPage = globalThis.location !== undefined;
  if (isPage && !globalThis.crossOriginIsolated) return 1;
  if (requested > 0) return requested;
  return isPage ? Math.min(globalThis.navigator.hardwareConcurrency || 1, mostThreads) : 1;
}

export interface OnnxSession {
  session: Ort.InferenceSession;
  weights: OnnxWeights;
}

/** Throws `model_file_invalid` for weights that cannot be read, after fetching kept ones afresh once; `backend_failed`. */
export async function createSession(
  runtime: OnnxRuntime,
  request: BackendRequest,
  weights: OnnxWeights,
  options: ReadOptions,
): Promise<OnnxSession> {
  try {
    return { session: await open(runtime, request, weights), weights };
  } catch (error) {
    const fresh = isBroken(error) ? await rereadWeights(weights, options) : null;
    if (!fresh) throw sessionError(error, weights);
    return { session: await openFresh(runtime, request, fresh), weights: fresh };
  }
}

async function openFresh(
  runtime: OnnxRuntime,
  request: BackendRequest,
  weights: OnnxWeights,
): Promise<Ort.InferenceSession> {
  try {
    return await open(runtime, request, weights);
  } catch (error) {
    throw sessionError(error, weights);
  }
}

function open(runtime: OnnxRuntime, request: BackendRequest, weights: OnnxWeights): Promise<Ort.InferenceSession> {
  return runtime.InferenceSession.create(weights.bytes, {
    executionProviders: [request.device],
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    ...(weights.external.length > 0 ? { externalData: weights.external } : {}),
  });
}

/** The runtime reports errors as text only; these are its words for bytes that are not a model or not all of one. */
function isBroken(error: unknown): boolean {
  const text = wordsOf(error);
  return /protobuf|ERROR_CODE: 7\b|external data|out of bounds|invalid model|ModelProto|deserialize/i.test(text);
}

function sessionError(error: unknown, weights: OnnxWeights): VecinityError {
  // A C++ exception comes out of the runtime as its address.
  const isMute = typeof error === 'number';
  const reason = isMute ? 'the runtime gave no reason; a lost GPU or too little memory is likely' : wordsOf(error);
  if (isBroken(error)) {
    return new VecinityError('model_file_invalid', `The file ${weights.path} is not a valid ONNX model: ${reason}`, {
      cause: error,
    });
  }
  const code = isOutOfMemory(error) ? 'out_of_memory' : 'backend_failed';
  return new VecinityError(code, `No session could be made of ${weights.path}: ${reason}`, {
    cause: error,
  });
}
