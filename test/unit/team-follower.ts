/** A thread of the team tests: joins at the given address and tells what it was given to do. */
import { parentPort, workerData } from 'node:worker_threads';
import { followTeam, type Share } from '../../src/backend/wasm/team.js';

const { memory, address, failAt } = workerData as { memory: WebAssembly.Memory; address: number; failAt?: number };
const seen: [number, Share][] = [];

followTeam(memory, address, (step, share) => {
  if (step === failAt) throw new Error(`failed in step ${step}`);
  seen.push([step, share]);
});
parentPort?.postMessage(seen);
