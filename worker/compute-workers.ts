/**
 * The compute workers of this engine worker, from their start to their end. The first one is started before the engine
 * worker evaluates anything else: its script loads while the rest of ours starts, the page says what it wants and the
 * model's small files are read.
 */
import type { WorkerLike } from '../src/backend/compute-client.js';
import { forcedEndMs, hungLimitMs, innerLimitMs, settleMs, terminateAfter } from '../src/ending.js';
import { VecinityError } from '../src/errors.js';
import { pause } from '../src/pause.js';
import type { FromCompute, Preparation, ToCompute } from '../src/protocol.js';
import { trustOwnScripts } from '../src/wire/trusted-scripts.js';

trustOwnScripts();

/** Once this worker ends: a load that goes on meanwhile must not start what nobody would end. */
let isEnding = false;

/** Those that have a thread; of those that were told to end the end, and whether it came from the inside. */
const living = new Map<Worker, Promise<boolean> | null>();

let spare: Worker | null = startComputeWorker();
spare.addEventListener(
  'error',
  (event) => {
    // Nobody waits for it yet: whoever needs one starts another and sees its error.
    if (spare === null) return;
    event.preventDefault();
    void endWorker(spare);
    spare = null;
  },
  { once: true },
);

/** Tells the spare worker, if it is still there, what it can make ready. */
export function prepareSpare(message: Preparation): void {
  spare?.postMessage(message);
}

/** The spare worker, later a new one for each call. Throws `disposed` once they end. */
export function takeComputeWorker(): WorkerLike {
  if (isEnding) throw new VecinityError('disposed', 'The engine worker ends.');
  const worker = spare ?? startComputeWorker();
  spare = null;
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    addEventListener: (type, listener) =>
      worker.addEventListener(type, (event) => {
        // What one says that ends, such as the failure of a run whose threads are gone, concerns nobody.
        if (living.get(worker) === null) listener(event);
        else event.preventDefault();
      }),
    terminate: (isHung) => untilGone(worker, isHung),
  };
}

/** Ends all of them; resolves when this worker can be terminated without leaving a thread behind. */
export async function endComputeWorkers(): Promise<void> {
  isEnding = true;
  await Promise.all([...living.keys()].map((worker) => endWorker(worker)));
}

function startComputeWorker(): Worker {
  // Written out in this form because bundlers look for it.
  const worker = new Worker(new URL('./compute-worker.ts', import.meta.url), {
    type: 'module',
    name: 'vecinity-compute',
  });
  living.set(worker, null);
  return worker;
}

async function untilGone(worker: Worker, isHung: boolean): Promise<void> {
  const hasEnded = await endWorker(worker, isHung ? hungLimitMs : innerLimitMs);
  if (!hasEnded) await pause(forcedEndMs);
}

function endWorker(worker: Worker, limitMs = innerLimitMs): Promise<boolean> {
  const ended = living.get(worker) ?? letGo(worker, limitMs);
  living.set(worker, ended);
  return ended;
}

async function letGo(worker: Worker, limitMs: number): Promise<boolean> {
  let hasEnded = false;
  const told = new Promise<void>((resolve) => {
    worker.addEventListener('message', ({ data }: MessageEvent<FromCompute>) => {
      // Only the compute worker posts here, and both are built together.
      if (data.type !== 'ended') return;
      hasEnded = true;
      resolve();
    });
  });
  worker.postMessage({ type: 'end' } satisfies ToCompute);
  await terminateAfter(told, () => worker.terminate(), limitMs);
  await pause(settleMs);
  living.delete(worker);
  return hasEnded;
}
