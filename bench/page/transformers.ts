/** The page's side of transformers.js: one worker, one message a call, as its documentation shows it. */
import type { Form, Subject, TransformersSetup, Vectors } from './subject.js';

export type ToTransformersWorker =
  | { id: number; type: 'load'; setup: TransformersSetup }
  | { id: number; type: 'embed'; texts: readonly string[]; form: Form };

export type FromTransformersWorker =
  | { id: number; type: 'loaded'; description: string }
  | { id: number; type: 'vectors'; vectors: Vectors }
  | { id: number; type: 'error'; message: string };

type Answer = Exclude<FromTransformersWorker, { type: 'error' }>;

/** Starts a fresh worker with one pipeline in it; rejects when the worker or the model fails. */
export async function startTransformers(setup: TransformersSetup): Promise<Subject> {
  const worker = new Worker(new URL('./transformers-worker.js', import.meta.url), { type: 'module' });
  let lastId = 0;

  function ask(message: ToTransformersWorker): Promise<Answer> {
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(`The transformers.js worker failed: ${event.message}`));
      worker.onmessage = ({ data }: MessageEvent<FromTransformersWorker>) => {
        if (data.id !== message.id) return;
        if (data.type === 'error') reject(new Error(data.message));
        else resolve(data);
      };
      worker.postMessage(message);
    });
  }

  const loaded = await ask({ id: ++lastId, type: 'load', setup });
  return {
    async embed(texts, form) {
      const answer = await ask({ id: ++lastId, type: 'embed', texts, form });
      if (answer.type !== 'vectors') throw new Error(`The transformers.js worker answered "${answer.type}".`);
      return answer.vectors;
    },
    describe: async () => (loaded.type === 'loaded' ? loaded.description : ''),
    profile: async () => null,
    stop: async () => worker.terminate(),
  };
}
