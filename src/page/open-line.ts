/** Which engine a page talks to: the one that its tabs share, or its own; and where its worker comes from. */
import { defaultModel } from '../config.js';
import type { EnginePast } from '../core/past.js';
import { isFunction, wrongOption } from '../rules.js';
import { canShare } from '../sharing/browser-tab.js';
import { SharedEngine } from '../sharing/shared-engine.js';
import type { EngineLine } from '../wire/engine-line.js';
import { trustScript } from '../wire/trusted-scripts.js';
import { EngineLink } from './engine-link.js';
import { toAddress, toApiConfig, toEngineConfig, type VecinityOptions } from './options.js';
import { OwnEngine } from './own-engine.js';

/** A shared engine where that is possible and wanted, else our own; `onEnd` is told of the deaths of our own. */
export function openLine(options: VecinityOptions, onEnd: () => void): EngineLine {
  const { share = true, model = defaultModel, revision = null } = options;
  const engine = toEngineConfig(options);
  const api = toApiConfig(options);
  const open = (onEnd: () => void, ended?: EnginePast['ended']) =>
    new OwnEngine(new EngineLink({ startWorker: () => startWorker(options), engine, api, onEnd, ended }));
  if (!share || model === null || !canShare()) return open(onEnd);
  // The model belongs to the setup: requests that name none are answered by the first one that was loaded.
  const setup = { engine, api, model, revision };
  return new SharedEngine({ setup, startEngine: (ended) => open(() => {}, ended), startOwnEngine: () => open(onEnd) });
}

function startWorker({ createWorker, workerUrl }: VecinityOptions): Worker {
  if (createWorker) return checkWorker(createWorker());
  if (workerUrl)
    return new Worker(trustScript(toAddress('workerUrl', workerUrl)), { type: 'module', name: 'vecinity' });
  // Written out in this form because bundlers look for it.
  return new Worker(new URL('../../worker/engine-worker.ts', import.meta.url), { type: 'module', name: 'vecinity' });
}

function checkWorker(worker: Worker): Worker {
  if (!isFunction(Object(worker).postMessage))
    throw wrongOption('createWorker', 'a function that returns a Worker', worker);
  return worker;
}
