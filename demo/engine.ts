/** The page's use of Vecinity: one session is one model on one device, and the way by which requests reach it. */
import {
  createVecinity,
  type DevicePreference,
  type DtypePreference,
  type LoadProgress,
  type ModelStatus,
  type StorageFull,
  type Vecinity,
} from 'vecinity';
import { messageOf } from './failure.js';
import { serviceWorkerUrl, startOffline } from './offline.js';

export interface EngineChoice {
  model: string;
  device: DevicePreference;
  dtype: DtypePreference;
  /** What was allowed when the model did not fit into the storage; for this model only, so no link has it. */
  storageFull?: StorageFull;
}

/** How requests travel; `reason` says why a plain fetch was not possible. */
export type Route = { kind: 'service-worker' } | { kind: 'client'; reason: string };

export interface Session {
  choice: EngineChoice;
  status: ModelStatus;
  route: Route;
  /** Plain `fetch` where a Service Worker answers it, the client's own `fetch` otherwise. */
  send: typeof fetch;
  dispose(): void;
}

export interface OpenOptions {
  signal: AbortSignal;
  onProgress: (progress: LoadProgress) => void;
}

/** Starts an engine and loads the model. Throws `VecinityError`; what was started is disposed of then. */
export async function openSession(choice: EngineChoice, { signal, onProgress }: OpenOptions): Promise<Session> {
  await startOffline();
  const vecinity = await createVecinity({
    ...choice,
    signal,
    onProgress: (progress) => progress.type === 'load' && onProgress(progress),
  });
  try {
    const route = await findRoute(vecinity);
    const send = route.kind === 'service-worker' ? fetch.bind(globalThis) : vecinity.fetch;
    return {
      choice,
      status: await modelStatus(vecinity, choice.model),
      route,
      send,
      dispose: () => vecinity.dispose(),
    };
  } catch (error) {
    vecinity.dispose();
    throw error;
  }
}

async function findRoute(vecinity: Vecinity): Promise<Route> {
  try {
    const { controlled } = await vecinity.serviceWorker.register({ url: serviceWorkerUrl });
    if (controlled) return { kind: 'service-worker' };
    return { kind: 'client', reason: 'the Service Worker does not control this page yet' };
  } catch (error) {
    return { kind: 'client', reason: messageOf(error) };
  }
}

async function modelStatus(vecinity: Vecinity, model: string): Promise<ModelStatus> {
  const { models } = await vecinity.status();
  const status = models.find(({ id }) => id === model) ?? models[0];
  if (status === undefined) throw new Error(`The engine does not know the model '${model}' that it has loaded.`);
  return status;
}

/** Where the model's files came from, in words; null when its files were not read. */
export function filesSource({ id, spec }: ModelStatus): string | null {
  if (spec === null) return null;
  if (spec.revision !== 'local') return `the model hub (${spec.repository})`;
  return URL.canParse(id) ? new URL(id).origin : 'this server';
}

/** A reranker orders documents by a query; it makes no vectors that could be compared. */
export function isReranker({ status }: Session): boolean {
  return status.spec?.task === 'rerank';
}
