/** Ollama's `/api/pull`: loads a model and tells how far it is, a line of JSON a step. */
import * as z from 'zod/mini';
import type { LoadOptions, LoadProgress } from '../../core/engine.js';
import { abortError, toVecinityError } from '../../errors.js';
import { isAddress } from '../../models/resolve.js';
import { flag, needsOneOf, text } from '../fields.js';
import { loadModel } from '../keep-alive.js';
import { findModel } from '../names.js';
import { namedRemote } from '../remote/remote.js';
import { jsonResponse } from '../respond.js';
import type { Call, CallContext } from '../route.js';
import { invalidField, parseBody } from '../validate.js';

/** Body of `POST /api/pull`; `name` is what older clients say. */
export const pullBody = needsOneOf(
  [['model'], ['name']],
  z.object({ model: z.nullish(text()), name: z.nullish(text()), stream: z.nullish(flag()) }),
);

interface Step {
  status: string;
  digest?: string;
  total?: number;
  completed?: number;
}

/** The content type of lines of JSON. */
export const lineType = 'application/x-ndjson';

/** Answers when the model is there (`stream: false`), or at once with a stream that ends with `success` or an error. */
export async function pull({ body, context }: Call): Promise<Response> {
  const { model, name, stream } = parseBody(pullBody, body);
  const asked = (model || name)?.replace(/:latest$/, '');
  if (!asked) throw invalidField(['model'], 'the name of a model', model ?? name ?? undefined);
  const { aliases } = context.api;
  const own = Object.hasOwn(aliases, asked) ? (aliases[asked] ?? asked) : requireName(asked, context);
  const load = namedRemote(own, context) !== null ? async () => {} : loadHere;
  if (stream ?? true) return new Response(streamLoad(own, load, context), { headers: { 'content-type': lineType } });
  await load(own, context, {});
  return jsonResponse({ status: 'success' });
}

/** Which folders and servers are read is for whoever runs the engine to say; a client may name what is there already. */
function requireName(asked: string, context: CallContext): string {
  if (!isAddress(asked) || findModel(asked, context) !== null) return asked;
  throw invalidField(['model'], 'the name of a model, not a folder or an address', asked);
}

type Load = (model: string, context: CallContext, options: LoadOptions) => Promise<unknown>;

/** A model of another server is there already; ours are loaded. Of a new name that leads to none, nothing stays. */
const loadHere: Load = async (model, context, options) => {
  const { engine, signal } = context;
  const isNew = findModel(model, context) === null;
  try {
    return await loadModel(model, { ...(signal ? { signal } : {}), ...options }, context);
  } catch (error) {
    if (isNew && findModel(model, context)?.state === 'failed') await engine.unload(model);
    throw error;
  }
};

/** A reader that goes away ends its wait, and the load when nobody else waits for it. */
function streamLoad(model: string, load: Load, context: CallContext): ReadableStream<Uint8Array> {
  const end = new AbortController();
  const { signal } = context;
  const giveUp = () => signal && end.abort(abortError(signal));
  if (signal?.aborted) giveUp();
  signal?.addEventListener('abort', giveUp);
  return new ReadableStream({
    async start(controller) {
      const encoder = new TextEncoder();
      const write: Pull['write'] = (line) => {
        if (!end.signal.aborted) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      };
      write({ status: 'pulling manifest' });
      // The stream is handed out before the load is through: a reader sees every step as it happens.
      void tell(load, model, { context, signal: end.signal, write }).finally(() => {
        signal?.removeEventListener('abort', giveUp);
        if (!end.signal.aborted) controller.close();
        else if (signal?.aborted) controller.error(abortError(signal));
      });
    },
    cancel: () => end.abort(),
  });
}

interface Pull {
  context: CallContext;
  signal: AbortSignal;
  write: (line: Step | { error: string }) => void;
}

/** Never rejects: what goes wrong is the last line, as in Ollama. */
async function tell(load: Load, model: string, { context, signal, write }: Pull): Promise<void> {
  const told = new Map<string, number | undefined>();
  const onProgress = (progress: LoadProgress) => {
    for (const line of toLines(progress)) {
      if (told.has(line.status) && told.get(line.status) === line.completed) continue;
      told.set(line.status, line.completed);
      write(line);
    }
  };
  try {
    await load(model, context, { signal, onProgress });
    write({ status: 'success' });
  } catch (thrown) {
    write({ error: toVecinityError(thrown).message });
  }
}

/** A line for every file that is on its way, under its own name where Ollama has a digest, then one a phase. */
function toLines({ phase, files }: LoadProgress): Step[] {
  if (phase === 'check') return [{ status: 'verifying model' }];
  if (phase === 'compile') return [{ status: 'loading model' }];
  if (phase !== 'download') return [];
  return Object.entries(files).map(([file, { loadedBytes, totalBytes }]) => ({
    ...{ status: `pulling ${file}`, digest: file, completed: loadedBytes },
    ...(totalBytes === null ? {} : { total: totalBytes }),
  }));
}
