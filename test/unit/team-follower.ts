/** A thread of the team tests: joins at the given address and tells, once it is sent away, what it was given to do. */
import { parentPort, workerData } from 'node:worker_threads';
import { followTeam, type Task, type TeamPlace } from '../../src/backend/wasm/team.js';

const { failAt, ...place } = workerData as TeamPlace & { failAt?: number };
const seen: Task[] = [];

followTeam(place, (task) => {
  if (task.step === failAt) throw new Error(`failed in step ${task.step}`);
  seen.push(task);
});
parentPort?.postMessage(seen);
