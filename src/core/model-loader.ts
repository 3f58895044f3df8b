/**
 * From a model's name to a model that is ready: files, tokenizer, devices in order, check text.
 * Everything that touches the network or a worker is passed in, so that tests load models out of nothing.
 */
import type { WebGpuSupport } from '../backend/adapter.js';
import type {
  Backend,
  BackendLoadOptions,
  BackendRequest,
  DevicePreference,
  DtypePreference,
} from '../backend/backend.js';
import { checkCanary, defaultCanaryText, otherText, WrongAnswerError } from '../backend/canary.js';
import { Ladder, type Rung } from '../backend/ladder.js';
import { measureBackend } from '../backend/measure.js';
import { ResilientBackend } from '../backend/resilient.js';
import { type Candidate, selectCandidates } from '../backend/select.js';
import type { EngineConfig } from '../config.js';
import { VecinityError } from '../errors.js';
import type { ModelLocation } from '../models/files.js';
import type { FileProgress } from '../models/progress.js';
import type { ModelSpec } from '../models/spec.js';
import type { VerdictStore } from '../storage/verdicts.js';
import type { Attempt, RunListener } from './engine.js';
import type { LoadTracker } from './load-progress.js';
import { LoadedModel } from './loaded-model.js';
import { packBatch } from './packing.js';
import type { EnginePast } from './past.js';
import { cosine } from './similarity.js';
import type { Encoding, Tokenizer } from './tokenizer.js';

/** A model whose small files are read. */
export interface OpenedModel {
  spec: ModelSpec;
  location: ModelLocation;
  /** Weights need not wait for it; a rejection ends their load. */
  tokenizer: Promise<Tokenizer>;
}

export interface OpenModelOptions {
  revision: string | undefined;
  signal: AbortSignal;
  onProgress: (progress: FileProgress) => void;
}

/** What an engine stands on. */
export interface EngineParts {
  config: EngineConfig;
  openModel: (name: string, options: OpenModelOptions) => Promise<OpenedModel>;
  /** Drops what is kept of a model's files; false when nothing was. Left out where nothing is kept. */
  forgetFiles?: (location: ModelLocation) => Promise<boolean>;
  /** Loads a model on a device, in a compute worker of its own where there are workers. */
  openBackend: (request: BackendRequest, options: BackendLoadOptions) => Promise<Backend>;
  probeWebGpu: () => Promise<WebGpuSupport>;
  /** Whether our own engine knows the model's architecture. */
  wasmSupports: (spec: ModelSpec) => boolean;
  verdicts: VerdictStore;
  /** The same id for every spelling of a model's name. */
  modelIdOf: (name: string) => string;
  /** The engines before this one. */
  past?: EnginePast | undefined;
  /** Told of every run of every model. */
  onRun?: RunListener;
  /** Monotonic milliseconds. */
  now?: () => number;
}

export interface LoadRequest {
  model: string;
  device: DevicePreference;
  dtype: DtypePreference;
  revision: string | undefined;
  signal: AbortSignal;
  tracker: LoadTracker;
  /** Told as soon as it is known, so that `status` can show it while weights load. */
  onSpec: (spec: ModelSpec) => void;
  onLadder: (tried: () => Attempt[]) => void;
}

export interface ReadyModel {
  model: LoadedModel;
  backend: ResilientBackend;
}

/** Rejects with what the files, the tokenizer or all devices together failed with, and when aborted. */
export async function loadModel(parts: EngineParts, request: LoadRequest): Promise<ReadyModel> {
  const { signal, tracker, revision } = request;
  // Asked while the files are read: an answer may take as long as they do.
  const probe = parts.probeWebGpu();
  const open = () => parts.openModel(request.model, { revision, signal, onProgress: tracker.file });
  const opened = await open();
  try {
    return await startModel(parts, { opened, webgpu: await probe }, request);
  } catch (error) {
    // Files of two revisions, or damaged ones without a hash: each parses, and the answer is wrong on every device.
    const isWrong = error instanceof VecinityError && error.cause instanceof WrongAnswerError;
    if (!isWrong || signal.aborted || !(await parts.forgetFiles?.(opened.location))) throw error;
    return await startModel(parts, { opened: await open(), webgpu: await probe }, request);
  }
}

interface Start {
  opened: OpenedModel;
  webgpu: WebGpuSupport;
}

async function startModel(parts: EngineParts, start: Start, request: LoadRequest): Promise<ReadyModel> {
  const { opened } = start;
  request.onSpec(opened.spec);
  const ladder = createLadder(parts, start, request);
  request.onLadder(() => ladder.tried);
  const { tokenizer, rung } = await startLadder(ladder, opened.tokenizer, request.signal);
  const backend = new ResilientBackend(ladder, rung, () => request.tracker.ready());
  const { maxBatchTokens, maxQueue } = parts.config;
  const now = parts.now ?? (() => performance.now());
  const { spec } = opened;
  const { onRun } = parts;
  return { model: new LoadedModel({ spec, tokenizer, backend, maxBatchTokens, maxQueue, now, onRun }), backend };
}

/** Reads the tokenizer beside the weights; when it fails, their load ends as well. */
async function startLadder(
  ladder: Ladder,
  reading: Promise<Tokenizer>,
  signal: AbortSignal,
): Promise<{ tokenizer: Tokenizer; rung: Rung }> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const read = reading.catch((error: unknown) => {
    stop.abort(error);
    throw error;
  });
  try {
    // Every check text waits for the tokenizer, so no backend is left over when that fails.
    const [tokenizer, rung] = await Promise.all([read, ladder.start(stop.signal)]);
    return { tokenizer, rung };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function createLadder(parts: EngineParts, { opened, webgpu }: Start, request: LoadRequest): Ladder {
  const { spec } = opened;
  const { device, dtype, tracker } = request;
  const selection = selectCandidates({ spec, device, dtype, webgpu, wasmSupports: parts.wasmSupports });
  const open = (candidate: Candidate, signal: AbortSignal | undefined) =>
    parts.openBackend(backendRequest(parts.config, opened, candidate), {
      onProgress: tracker.weights,
      ...(signal ? { signal } : {}),
    });
  const openReference = () => openCpu(selection.candidates, open);
  const passed = new Map<string, readonly number[]>();
  return new Ladder({
    selection,
    open,
    check: async (backend) => {
      const tokenizer = await opened.tokenizer;
      tracker.check();
      const batch = () => packBatch([encodeCanary(spec, tokenizer), encodeCanary(spec, tokenizer, otherText)]);
      await checkCanary(backend, { spec, batch, cosine, store: parts.verdicts, openReference, passed });
    },
    measure: async (backend) => {
      const tokens = packBatch([encodeCanary(spec, await opened.tokenizer)]).inputIds;
      return await measureBackend(backend, { tokens, ...(parts.now ? { now: parts.now } : {}) });
    },
    store: parts.verdicts,
    verdictKey: `device/${spec.repository}@${spec.revision}/${dtype}/${webgpu.adapter}`,
  });
}

function backendRequest(config: EngineConfig, opened: OpenedModel, candidate: Candidate): BackendRequest {
  const { spec, location } = opened;
  return { spec, location, ...candidate, threads: config.threads, assetsUrl: config.assetsUrl };
}

/** The check text, or another one in its way; a reranker gets it with the check text as the document. */
function encodeCanary(spec: ModelSpec, tokenizer: Tokenizer, other?: string): Encoding {
  const own = spec.canary?.text ?? defaultCanaryText;
  const text = other ?? own;
  const isPair = spec.task === 'rerank';
  return isPair ? tokenizer.encodePair(text, own, { truncate: true }) : tokenizer.encode(text, { truncate: true });
}

/** The first CPU device that loads, for a reference; null when none does. */
async function openCpu(
  candidates: readonly Candidate[],
  open: (candidate: Candidate, signal: AbortSignal | undefined) => Promise<Backend>,
): Promise<Backend | null> {
  for (const candidate of candidates) {
    if (candidate.device !== 'wasm') continue;
    const backend = await open(candidate, undefined).catch(() => null);
    if (backend) return backend;
  }
  return null;
}
