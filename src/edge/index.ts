/** `vecinity/node`: the API on Node. `createHandler` alone is a plain function of the fetch standard, for any runtime. */
export type { Handler } from '../api/handler.js';
export type { ApiConfig, EngineConfig } from '../config.js';
export type { Engine, EngineStatus, LoadOptions, LoadProgress, ModelStatus } from '../core/engine.js';
export { VecinityError } from '../errors.js';
export { createClientOf } from './clients.js';
export { createNodeEngine, type NodeEngineOptions } from './engine.js';
export { createHandler, type HandlerOptions } from './handler.js';
export { type ListenOptions, listen, type RunningServer, toListener } from './server.js';
export type { Upstream } from './upstream.js';
