/** What a page asks of an engine, wherever that engine is: operations that can be posted to another tab. */

import type { EmbeddingsResponse, ModelsResponse, RerankResponse } from '../api/responses.js';
import type { EngineStatus, JobProgress, LoadOptions, LoadProgress, ModelStatus } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import type { Similarity } from '../models/spec.js';
import type { StorageUsage, StoredModel } from '../models/stored-models.js';
import type { WireRequest, WireResponse } from '../protocol.js';

/** A model to load, with the options that can be posted. */
export interface LoadRequest extends Pick<LoadOptions, 'device' | 'dtype' | 'revision'> {
  model: string;
}

interface Operations {
  embeddings: [argument: unknown, result: EmbeddingsResponse];
  rerank: [argument: unknown, result: RerankResponse];
  models: [argument: null, result: ModelsResponse];
  listStored: [argument: null, result: StoredModel[]];
  storageUsage: [argument: null, result: StorageUsage];
  deleteStored: [argument: { model: string; revision: string | undefined }, result: boolean];
  measure: [argument: string | null, result: Similarity];
  status: [argument: null, result: EngineStatus];
  load: [argument: LoadRequest, result: ModelStatus];
  unload: [argument: string, result: undefined];
  exchange: [argument: WireRequest, result: WireResponse];
}

export type Operation = keyof Operations;
export type EngineCall<O extends Operation = Operation> = {
  [K in O]: { operation: K; argument: Operations[K][0] };
}[O];
export type EngineResult<O extends Operation> = Operations[O][1];

/** The type of a method, so that it may take just its own kind. */
type ProgressListener = { listen(progress: LoadProgress | JobProgress): void }['listen'];

/** The parts of a call that stay in the tab that made it. */
export interface CallLife {
  signal?: AbortSignal | undefined;
  /** Whose call it is, where an engine serves several tabs: each gets a fair share of it. */
  client?: string;
  /** A load reports its files, every other operation its texts. */
  onProgress?: ProgressListener | undefined;
}

/** The cause of a `worker_died` whose script never came: what the worker was asked for is not to blame. */
export class NoScript extends Error {}

/** What waits, and whatever is asked later, ends with when a page's line is closed. */
export function disposedError(): VecinityError {
  return new VecinityError('disposed', 'This Vecinity was disposed; create a new one.');
}

export interface EngineLine {
  /** Settles as the engine's work does; throws `aborted` when the signal fires and `disposed` after the end. */
  run<O extends Operation>(call: EngineCall<O>, life?: CallLife): Promise<EngineResult<O>>;
  /** Answers whole requests that arrive on this port, after a `hello`. */
  connect(port: MessagePort): Promise<void>;
  dispose(): void;
}
