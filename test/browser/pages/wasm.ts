/** Passes a test's question on to the WASM engine's worker and gives back its answer. */
import type { Question } from './wasm-engine.js';

declare global {
  interface Window {
    askEngine(question: Question): Promise<unknown>;
  }
}

window.askEngine = (question) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./wasm-engine.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }) => {
      worker.terminate();
      if (data.error === undefined) resolve(data.answer);
      else reject(new Error(data.error));
    });
    worker.addEventListener('error', ({ message }) => reject(new Error(message)));
    worker.postMessage(question);
  });
