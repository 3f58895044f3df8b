/**
 * Everything that crosses a thread, as types only. Four conversations:
 * page ↔ engine worker (Comlink, `EngineWorkerApi`), anyone ↔ engine worker (whole HTTP requests on a MessagePort),
 * Service Worker ↔ page (asking for such a port), engine worker ↔ compute worker (batches).
 */
import type { CallOptions, EmbeddingsResponse, ModelsResponse, RerankResponse } from './api/responses.js';
import type { BackendInfo, BackendRequest, TokenBatch } from './backend/backend.js';
import type { ApiConfig, EngineConfig } from './config.js';
import type { EngineStatus, LoadOptions, ModelStatus } from './core/engine.js';
import type { EnginePast } from './core/past.js';
import type { ErrorData } from './errors.js';
import type { ModelLocation } from './models/files.js';
import type { FileProgress } from './models/progress.js';
import type { Similarity } from './models/spec.js';
import type { StorageUsage, StoredModel } from './models/stored-models.js';

/** Raised when a message changes its meaning; both ends refuse a peer with another number. */
export type ProtocolVersion = 1;

/** A whole HTTP request as data. */
export interface WireRequest {
  method: string;
  url: string;
  headers: [string, string][];
  body: ArrayBuffer | null;
}

/** A whole HTTP response as data; `body` is transferred. */
export interface WireResponse {
  status: number;
  statusText: string;
  headers: [string, string][];
  body: ArrayBuffer | null;
}

/** Requests on a port. The engine says `hello` once when it gets the port, then one `response` a request. */
export type ToEnginePort =
  | { type: 'request'; id: string; request: WireRequest }
  | { type: 'cancel'; id: string }
  | { type: 'close' };
export type FromEnginePort =
  | { type: 'hello'; version: ProtocolVersion; engineId: string }
  | { type: 'response'; id: string; response: WireResponse };

/**
 * The Service Worker asks a page for a port to its engine (the port travels with `connect`) and says when that port's
 * request is `done`; `pong` answers a `ping` on the port that came with it.
 */
export type ToPage =
  | { vecinity: ProtocolVersion; type: 'connect'; id: string }
  | { vecinity: ProtocolVersion; type: 'done'; id: string }
  | { vecinity: ProtocolVersion; type: 'pong'; build: string };

/**
 * `keepalive`: a page's engine is still busy with a request of the Service Worker, which must not be put to sleep.
 * `no-engine`: whatever the page's engine had accepted is lost.
 */
export type ToServiceWorker =
  | { vecinity: ProtocolVersion; type: 'claim' }
  | { vecinity: ProtocolVersion; type: 'ping' }
  | { vecinity: ProtocolVersion; type: 'keepalive' }
  | { vecinity: ProtocolVersion; type: 'no-engine' };

/**
 * Batches between the engine worker and a compute worker; a load is cancelled by ending the worker. `prepare` and
 * `expect` have no answer: they say what a load that is likely to come will ask of the WASM engine, and of which weights.
 * `end` comes last: the worker ends the threads that it has started, says `ended`, and is terminated.
 */
export type ToCompute =
  | { type: 'prepare'; options: Pick<BackendRequest, 'threads' | 'assetsUrl'> }
  | { type: 'expect'; location: ModelLocation }
  | { type: 'load'; id: number; request: BackendRequest }
  | { type: 'run'; id: number; batch: TokenBatch }
  | { type: 'dispose'; id: number }
  | { type: 'end' };
/** What has no answer. */
export type Preparation = Extract<ToCompute, { type: 'prepare' | 'expect' }>;
/** What has an answer with the same id. */
export type Question = Extract<ToCompute, { id: number }>;
export type FromCompute =
  | { type: 'progress'; id: number; progress: FileProgress }
  | { type: 'loaded'; id: number; info: BackendInfo; width: number; padded: boolean; lanes: number }
  | { type: 'result'; id: number; values: Float32Array<ArrayBuffer> }
  | { type: 'done'; id: number }
  | { type: 'error'; id: number; error: ErrorData }
  | { type: 'ended' };

/** A message whose number is still to be given to it, by the connection that it goes out on. */
export type WithoutId<M> = M extends { id: number } ? Omit<M, 'id'> : never;

/** `CallOptions` on the way to the engine worker; `client` is whose call it is. */
export interface WorkerCallOptions extends CallOptions {
  client?: string;
}

/**
 * What the engine worker exposes through Comlink: OpenAI-shaped calls with bodies as they would be sent by HTTP. What has
 * the name of an operation of `wire/engine-line.ts` is that operation.
 */
export interface EngineWorkerApi {
  /** Comes first and once: every other call waits for it. */
  configure(engine: EngineConfig, api: ApiConfig, past?: EnginePast): Promise<void>;
  embeddings(body: unknown, options?: WorkerCallOptions): Promise<EmbeddingsResponse>;
  rerank(body: unknown, options?: WorkerCallOptions): Promise<RerankResponse>;
  models(): Promise<ModelsResponse>;
  /** The browser's storage, for which no engine is needed. */
  listStored(): Promise<StoredModel[]>;
  storageUsage(): Promise<StorageUsage>;
  deleteStored(stored: { model: string; revision: string | undefined }): Promise<boolean>;
  /** By which measure vectors of the model that answers this name are compared. */
  measure(model: string | null): Promise<Similarity>;
  load(model: string, options?: LoadOptions): Promise<ModelStatus>;
  status(): Promise<EngineStatus>;
  unload(model: string): Promise<void>;
  dispose(): Promise<void>;
  /** Answers whole requests that arrive on this port until it closes. */
  connect(port: MessagePort): Promise<void>;
  /** Answers at once, whatever the engine does: the heartbeat. */
  ping(): void;
  /** Ends the compute workers, whoever waits for them: this worker is terminated when it resolves. */
  end(): Promise<void>;
}
