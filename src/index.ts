/** The front door of the package: everything that a page may import, by name. */
export type { EmbedOptions, RerankOptions } from './api/client-bodies.js';
export type { Device, DevicePreference, Dtype, DtypePreference } from './backend/backend.js';
export {
  type Comparable,
  createVecinity,
  type RankedDocument,
  type Vecinity,
  type VecinityEventMap,
} from './client.js';
export type { EngineStatus, JobProgress, LoadOptions, LoadProgress, ModelStatus } from './core/engine.js';
export { cosine, dot, similarity } from './core/similarity.js';
export { type ErrorCode, VecinityError } from './errors.js';
export type { ModelStorage } from './model-storage.js';
export type { StorageFull } from './models/files.js';
export type { StorageUsage, StoredModel } from './models/stored-models.js';
export type { Progress, VecinityOptions } from './options.js';
export type { CallOptions, EmbeddingsResponse, ModelsResponse, RerankResponse } from './protocol.js';
export type { RegisterOptions, Registration } from './service-worker-link.js';
