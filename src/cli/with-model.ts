/** Runs one piece of work on one loaded model, and ends its threads whatever happens. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defaultModel } from '../config.js';
import type { Engine, ModelStatus } from '../core/engine.js';
import { createNodeEngine } from '../edge/engine.js';
import { VecinityError } from '../errors.js';
import { findEntry } from '../models/catalogue.js';
import { localRevision } from '../models/resolve.js';
import { type EngineFlag, engineFlags, toEngineOptions } from './engine-flags.js';
import type { Arguments, Flag } from './flags.js';
import { loadListener } from './progress.js';
import { type Terminal, tell } from './terminal.js';

export const modelFlags = {
  model: {
    environment: ['MODEL', 'EMBEDDING_MODEL'],
    value: 'NAME',
    help: `name, hub id or folder (default: ${defaultModel})`,
  },
  ...engineFlags,
} as const satisfies Record<string, Flag>;

export interface Loaded {
  engine: Engine;
  status: ModelStatus;
}

/** Rejects with what the flags, the load or the work failed with. */
export async function withModel<T>(
  given: Arguments<EngineFlag | 'model'>,
  terminal: Terminal,
  work: (loaded: Loaded) => Promise<T>,
): Promise<T> {
  const engine = await createNodeEngine(toEngineOptions(given, terminal.environment));
  const progress = loadListener(terminal);
  try {
    const model = await asFolder(given.text('model') ?? defaultModel);
    const loading = engine.load(model, { signal: terminal.signal, onProgress: progress.listen });
    const status = await loading.catch(explainDownload).finally(progress.clear);
    const { backend, spec } = status;
    if (spec && spec.revision !== localRevision) {
      tell(terminal, `${spec.id} came from the hub and is not kept; \`vecinity pull ${spec.id}\` keeps it here.`);
    }
    if (given.text('device') === 'webgpu' && backend?.device !== 'webgpu') {
      const reason = status.tried.find(({ device }) => device === 'webgpu')?.reason ?? 'it failed';
      tell(terminal, `\`--device webgpu\` was not possible (${reason}); the CPU computes.`);
    }
    return await work({ engine, status });
  } finally {
    await engine.dispose();
  }
}

/** Retries are over by then; what is left to do is the caller's. */
function explainDownload(thrown: unknown): never {
  if (!(thrown instanceof VecinityError) || thrown.code !== 'download_failed') throw thrown;
  const remedy = 'Without a network, `--models-dir` names a folder of models; `--hub-url` names a mirror of the hub.';
  throw new VecinityError(thrown.code, `${thrown.message}\n${remedy}`, { cause: thrown });
}

/**
 * A name that is a folder with a model here means that folder, as with every other command-line tool. Throws
 * `model_not_found` for a folder without one whose name nothing else has.
 */
export async function asFolder(model: string): Promise<string> {
  const [config, folder] = await Promise.all(
    [join(model, 'config.json'), model].map((path) => stat(path).catch(() => null)),
  );
  if (config) return `${resolve(model)}/`;
  if (!folder?.isDirectory() || findEntry(model) !== null) return model;
  const message = `${model} is a folder without a config.json; give the folder that holds the model's files.`;
  throw new VecinityError('model_not_found', message, { param: 'model' });
}
