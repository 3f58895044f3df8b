/**
 * The contract between the core and whatever computes: one loaded model that turns packed tokens into vectors or
 * logits. Implementations live in one folder each; the core knows only this file.
 */
import type { ModelLocation } from '../models/files.js';
import type { FileProgress } from '../models/progress.js';
import type { ModelSpec } from '../models/spec.js';

export type Device = 'webgpu' | 'wasm';
export type DevicePreference = Device | 'auto';
export type BackendName = 'onnx' | 'wasm';
export type Dtype = 'f32' | 'f16' | 'q8';
export type DtypePreference = Dtype | 'auto';

/** What a run gives: one row of values a text, or the last hidden state of every token. */
export type RunOutput = 'pooled' | 'tokens';

/** Texts of one run, packed without padding: text `i` owns tokens `offsets[i]` to `offsets[i + 1]`. */
export interface TokenBatch {
  /** `[tokens]` */
  inputIds: Int32Array;
  /** `[tokens]`, or null for models without segment ids (all zero). */
  typeIds: Int32Array | null;
  /** `[batch + 1]`, cumulative lengths from 0. */
  offsets: Int32Array;
  /** `[batch]`: leading tokens that mean pooling leaves out (models with `includePrompt: false`); absent: none. */
  skippedTokens?: Int32Array | null;
  /** Absent: `pooled`. */
  output?: RunOutput;
}

/** What a backend says of itself once a model is loaded; shown by `status()` and `/info`. */
export interface BackendInfo {
  backend: BackendName;
  device: Device;
  dtype: Dtype;
  threads: number;
  /** What the weights and their buffers take once the model is loaded, as far as the backend knows. */
  memoryBytes?: number;
  /** Free words such as the chosen kernel, the GPU adapter, or the weight file. */
  details: Record<string, string>;
}

/** One loaded model on one device. A failed `run` leaves the backend usable or rejects every later run. */
export interface Backend {
  readonly info: BackendInfo;
  /** Values per text: the embedding's dimensions, or the number of labels. */
  readonly width: number;
  /** True when a run pads its texts to the longest one, so that the batcher charges longest × count. */
  readonly padded: boolean;
  /** Runs that may be in flight at the same time. */
  readonly lanes: number;
  /**
   * Pooled, un-normalised embeddings or raw logits, `[batch, width]`; or `[tokens, width]` in the order of the batch
   * when it asks for tokens, which only a model that makes embeddings can. Takes ownership of the batch's arrays and
   * gives up that of the result.
   */
  run(batch: TokenBatch): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** What a backend needs to load a model; plain data, so that it can be posted to a worker. */
export interface BackendRequest {
  spec: ModelSpec;
  location: ModelLocation;
  backend: BackendName;
  device: Device;
  dtype: DtypePreference;
  /** Threads to use at most; 0 lets the backend choose. */
  threads: number;
  /** Where the engine's own files (`.wasm`, `.mjs`) are served, with a trailing slash; null: beside the worker. */
  assetsUrl: string | null;
}

export interface BackendLoadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: FileProgress) => void;
}

/** Loads a model in this thread. Throws `device_unavailable`, `model_file_missing`, `model_file_invalid`, `backend_failed`. */
export type BackendLoader = (request: BackendRequest, options: BackendLoadOptions) => Promise<Backend>;
