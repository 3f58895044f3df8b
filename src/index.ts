/** The front door of the package: everything that a page may import, by name. */
export type { EmbedOptions, RerankOptions } from './api/client-bodies.js';
export type { CallOptions, EmbeddingsResponse, ModelsResponse, RerankResponse } from './api/responses.js';
export type { Device, DevicePreference, Dtype, DtypePreference } from './backend/backend.js';
export type { EngineStatus, JobProgress, LoadOptions, LoadProgress, ModelStatus } from './core/engine.js';
export { cosine, dot, similarity } from './core/similarity.js';
export { type ErrorCode, VecinityError } from './errors.js';
export type { StorageFull } from './models/files.js';
export type { StorageUsage, StoredModel } from './models/stored-models.js';
export { createVecinity, type RankedDocument, type Vecinity, type VecinityEventMap } from './page/client.js';
export type { Comparable } from './page/comparable.js';
export type { ModelStorage } from './page/model-storage.js';
export type { Progress, VecinityOptions } from './page/options.js';
export type { RegisterOptions, Registration } from './page/registration.js';
