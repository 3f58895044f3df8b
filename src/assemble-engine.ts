/** Puts an engine together from files, tokenizers, backends and verdicts: the same in a page's worker and on Node. */
import { probeWebGpu } from './backend/adapter.js';
import type { Backend, BackendLoadOptions, BackendRequest } from './backend/backend.js';
import type { EngineConfig } from './config.js';
import { createEngine, type EngineParts } from './core/create-engine.js';
import type { Engine } from './core/engine.js';
import { openModel } from './core/open-model.js';
import { checkEngineConfig } from './core/options.js';
import { modelIdOf, type ResolvedModel } from './models/resolve.js';
import { forgetStoredFiles } from './models/stored-models.js';
import { openVerdicts } from './storage/verdicts.js';

export type OpenBackend = (
  config: EngineConfig,
  request: BackendRequest,
  options: BackendLoadOptions,
) => Promise<Backend>;

export interface RuntimeParts extends Pick<EngineParts, 'wasmSupports' | 'past'> {
  openBackend: OpenBackend;
  /** Models that were downloaded before; looked at after `modelsUrl`. */
  pulledUrl?: string | null;
  /** Told where a model is before its files are read. */
  onFound?: (found: ResolvedModel) => void;
}

/** Makes an engine without a model. Throws `invalid_request` for an option that cannot work. */
export function assembleEngine(
  config: EngineConfig,
  { openBackend, wasmSupports, past, pulledUrl = null, onFound }: RuntimeParts,
): Engine {
  checkEngineConfig(config);
  return createEngine({
    config,
    openModel: (name, options) => openModel(name, { ...config, pulledUrl, onFound }, options),
    forgetFiles: forgetStoredFiles,
    openBackend: (request, options) => openBackend(config, request, options),
    probeWebGpu,
    wasmSupports,
    past,
    verdicts: openVerdicts(),
    modelIdOf,
  });
}
