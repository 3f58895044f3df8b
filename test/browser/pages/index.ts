/** Puts the public package, and what else a test drives, where `page.evaluate` finds it. */
import OpenAI from 'openai';
import { createVecinity, VecinityError } from 'vecinity';
import EngineWorker from 'vecinity/worker?worker';
import engineWorkerUrl from 'vecinity/worker?worker&url';

window.subject = {
  createVecinity,
  VecinityError,
  OpenAI,
  engineWorkerUrl,
  startEngineWorker: () => new EngineWorker(),
  fetchInWorker,
};

/** What a dedicated worker without the package gets from a plain `fetch`. */
async function fetchInWorker(url: string, init: RequestInit): Promise<unknown> {
  const worker = new Worker(new URL('./requester.ts', import.meta.url), { type: 'module' });
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = (event) => resolve(event.data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage({ url: new URL(url, location.href).href, init });
    });
  } finally {
    worker.terminate();
  }
}
