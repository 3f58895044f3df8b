/**
 * The compute worker of the first load, started before the engine worker evaluates anything else: its script loads
 * while the rest of ours starts, the page says what it wants and the model's small files are read.
 */
import type { Preparation } from '../src/protocol.js';
import { trustOwnScripts } from '../src/wire/trusted-scripts.js';

trustOwnScripts();

const startComputeWorker = () =>
  // Written out in this form because bundlers look for it.
  new Worker(new URL('./compute-worker.ts', import.meta.url), { type: 'module', name: 'vecinity-compute' });

let spare: Worker | null = startComputeWorker();
spare.addEventListener(
  'error',
  (event) => {
    // Nobody waits for it yet: whoever needs one starts another and sees its error.
    if (spare !== null) event.preventDefault();
    spare = null;
  },
  { once: true },
);

/** Tells the spare worker, if it is still there, what it can make ready. */
export function prepareSpare(message: Preparation): void {
  spare?.postMessage(message);
}

/** The spare worker, later a new one for each call. */
export function takeComputeWorker(): Worker {
  const worker = spare ?? startComputeWorker();
  spare = null;
  return worker;
}
