/**
 * What the engine has on this host before it knows a model: threads and kernels. Can be made ready ahead of the first
 * load. Owns their start and end; what threads compute is the business of `pool.ts`.
 */

import { settleMs } from '../../ending.js';
import { VecinityError } from '../../errors.js';
import { pause } from '../../pause.js';
import type { BackendRequest } from '../backend.js';
import { type Level, loadKernels } from './assets.js';
import { ThreadConnection, type ThreadWorker } from './connection.js';
import { canShareMemory, detectLevel } from './features.js';

/** More threads than this wait for memory more than they compute. */
const maxThreads = 8;

let createWorker: (() => ThreadWorker) | null =
  typeof Worker === 'undefined'
    ? null
    : () =>
        new Worker(new URL('../../../worker/wasm-worker.ts', import.meta.url), {
          type: 'module',
          name: 'vecinity-wasm',
        });

/** Names what starts a thread where there is no global `Worker` (Node); null computes in one thread. */
export function setThreadFactory(factory: (() => ThreadWorker) | null): void {
  createWorker = factory;
}

const started: ThreadConnection[] = [];

/** Ends all threads that were started here, for good; resolves when this worker can be terminated without leaving one. */
export async function endThreads(): Promise<void> {
  // A load may still come, or go on: one in this thread alone harms nobody.
  createWorker = null;
  const error = new VecinityError('disposed', 'The worker of this thread ends.');
  for (const thread of started) thread.close(error);
  // One that was closed before may be on its way out.
  if (started.length > 0) await pause(settleMs);
}

export type HostOptions = Pick<BackendRequest, 'threads' | 'assetsUrl'>;

export class WasmHost {
  readonly level: Level;
  /** Whether the threads, of which there are some then, work on one memory. */
  readonly shared: boolean;
  /** Their scripts load while the rest of the model does. */
  readonly threads: ThreadConnection[];
  readonly module: Promise<WebAssembly.Module>;

  /** Starts everything. Throws `device_unavailable` where there is no 128-bit SIMD. */
  constructor({ threads, assetsUrl }: HostOptions) {
    this.level = detectLevel();
    this.threads = startThreads(countThreads(threads) - 1);
    this.shared = this.threads.length > 0 && canShareMemory();
    this.module = loadKernels(this.level, { shared: this.shared, assetsUrl });
    // Told to whoever waits for it; a host that is closed before has nobody.
    this.module.catch(() => {});
  }

  close(error: VecinityError): void {
    for (const thread of this.threads) thread.close(error);
  }
}

let prepared: { host: WasmHost; options: HostOptions } | null = null;

/** Makes a host ready for a load that is likely to come; a host that has no SIMD says so when that load comes. */
export function prepareHost(options: HostOptions): void {
  try {
    prepared = { host: new WasmHost(options), options };
  } catch {
    prepared = null;
  }
}

/** The host that was made ready for these options, else a new one; its end is the caller's business from now on. */
export function takeHost({ threads, assetsUrl }: HostOptions): WasmHost {
  const ready = prepared;
  if (ready?.options.threads !== threads || ready.options.assetsUrl !== assetsUrl) {
    dropHost();
    return new WasmHost({ threads, assetsUrl });
  }
  prepared = null;
  return ready.host;
}

/** Lets go of a host that was made ready and is not needed. */
export function dropHost(): void {
  prepared?.host.close(new VecinityError('disposed', 'The model is computed elsewhere.'));
  prepared = null;
}

function countThreads(asked: number): number {
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  if (asked > 0) return asked;
  // On many cores one is left to the page.
  return Math.min(maxThreads, cores > 4 ? cores - 1 : cores);
}

/** Threads to be; fewer where no more can be started. */
function startThreads(count: number): ThreadConnection[] {
  const threads: ThreadConnection[] = [];
  if (createWorker === null) return threads;
  try {
    while (threads.length < count) threads.push(new ThreadConnection(createWorker()));
  } catch {
    // A host that refuses a worker computes with those that it has granted.
  }
  started.push(...threads);
  return threads;
}
