/** The engine on Node: models from folders or the hub, computed in threads, so that the event loop stays free. */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve, sep } from 'node:path';
import { assembleEngine } from '../assemble-engine.js';
import { createComputeBackend } from '../backend/compute-client.js';
import { supportsModel } from '../backend/wasm/supports.js';
import { defaultEngineConfig, type EngineConfig, withDefaults } from '../config.js';
import { setDeadline } from '../core/deadline.js';
import type { Engine } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { openFolder } from '../models/folder.node.js';
import { setFolderOpener } from '../models/open-files.js';
import { checkObject, checkRules, isText, orNull, type Rules } from '../rules.js';
import { withDeadline } from './deadline.js';
import { startThread } from './thread.js';

export interface NodeEngineOptions extends Partial<Omit<EngineConfig, 'modelsUrl'>> {
  /** A folder with one folder for each model, looked at before the hub; null looks at the hub only. */
  modelsDir?: string | null;
  /** A folder that `vecinity pull` has filled, by the names of repositories; looked at after `modelsDir`. */
  pulledDir?: string | null;
}

const aFolder = orNull(['the path of a folder', isText]);
const folderRules: Rules<keyof NodeEngineOptions> = { modelsDir: aFolder, pulledDir: aFolder };

/** Makes an engine without a model; `dispose` ends its threads. Throws `invalid_request` for a `modelsDir` that is no folder. */
export async function createNodeEngine(given: NodeEngineOptions = {}): Promise<Engine> {
  checkObject(given);
  checkRules(folderRules, given);
  const { modelsDir = null, pulledDir = null, ...options } = given;
  if (modelsDir !== null) await checkFolder(modelsDir);
  setFolderOpener(openFolder);
  setDeadline(withDeadline);
  // Beside the built modules; the default of a page is an address, which Node's `fetch` could not read.
  const assetsUrl = new URL('./assets/', import.meta.url).href;
  const defaults: EngineConfig = { ...defaultEngineConfig, assetsUrl };
  const config: EngineConfig = {
    ...withDefaults(defaults, options),
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

/** Without it, every model that was meant to lie there would be fetched from the hub. */
async function checkFolder(modelsDir: string): Promise<void> {
  if ((await stat(modelsDir).catch(() => null))?.isDirectory()) return;
  throw new VecinityError('invalid_request', `The folder of models ${modelsDir} is not there.`, { param: 'modelsDir' });
}

function toFolderUrl(folder: string | null): string | null {
  return folder === null ? null : resolve(folder) + sep;
}
