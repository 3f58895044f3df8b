/** The engine on Node: models from folders or the hub, computed in threads, so that the event loop stays free. */
import { availableParallelism } from 'node:os';
import { resolve, sep } from 'node:path';
import { assembleEngine } from '../assemble-engine.js';
import { createComputeBackend } from '../backend/compute-client.js';
import { supportsModel } from '../backend/wasm/supports.js';
import { defaultEngineConfig, type EngineConfig } from '../config.js';
import type { Engine } from '../core/engine.js';
import { openFolder } from '../models/folder.node.js';
import { setFolderOpener } from '../models/open-files.js';
import { startThread } from './thread.js';

export interface NodeEngineOptions extends Partial<Omit<EngineConfig, 'modelsUrl'>> {
  /** A folder with one folder for each model, looked at before the hub; null looks at the hub only. */
  modelsDir?: string | null;
  /** A folder that `vecinity pull` has filled, by the names of repositories; looked at after `modelsDir`. */
  pulledDir?: string | null;
}

/** Makes an engine without a model; `dispose` ends its threads. */
export async function createNodeEngine({
  modelsDir = null,
  pulledDir = null,
  ...options
}: NodeEngineOptions = {}): Promise<Engine> {
  setFolderOpener(openFolder);
  const config: EngineConfig = {
    ...defaultEngineConfig,
    // Beside the built modules; the default of a page is an address, which Node's `fetch` could not read.
    assetsUrl: new URL('./assets/', import.meta.url).href,
    ...options,
    threads: options.threads || availableParallelism(),
    modelsUrl: toFolderUrl(modelsDir),
  };
  return assembleEngine(config, {
    openBackend: (settings, request, loading) =>
      createComputeBackend({
        ...loading,
        createWorker: () => startThread(new URL('./compute-thread.js', import.meta.url)),
        request,
        runTimeoutMs: settings.runTimeoutMs,
      }),
    wasmSupports: supportsModel,
    pulledUrl: toFolderUrl(pulledDir),
  });
}

function toFolderUrl(folder: string | null): string | null {
  return folder === null ? null : resolve(folder) + sep;
}
