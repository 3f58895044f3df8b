/**
 * The inside of a compute worker: loads one backend and runs batches on it, over any port that posts messages.
 * Knows no global of a worker, so that tests run it over a `MessageChannel`.
 */
import { toErrorData, VecinityError } from '../errors.js';
import type { ModelLocation } from '../models/files.js';
import type { FromCompute, Question, ToCompute } from '../protocol.js';
import { release } from '../release.js';
import type { Backend, BackendLoader, BackendName, BackendRequest, TokenBatch } from './backend.js';
import { failedLoad } from './memory.js';

/** What is used of a worker's global scope or of a `MessagePort`. */
export interface ComputePort {
  postMessage(message: FromCompute, transfer: Transferable[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
}

/** Gets a backend's loader; each is imported only when it is asked for. */
export type LoaderTable = Partial<Record<BackendName, () => Promise<BackendLoader>>>;

/** Answers every message on this port: each with a result or with an error as data. */
export function serveCompute(
  port: ComputePort,
  loaders: LoaderTable,
  { prepare, expect, end }: Surroundings = {},
): void {
  const host = new ComputeHost(port, loaders);
  port.addEventListener('message', (event) => {
    // Only `compute-client.ts` and the starter of the worker post here, and all are built together.
    const message = event.data as ToCompute;
    if (message.type === 'prepare') prepare?.(message.options);
    else if (message.type === 'expect') expect?.(message.location);
    else if (message.type === 'end')
      void Promise.resolve(end?.()).finally(() => port.postMessage({ type: 'ended' }, []));
    else void host.answer(message);
  });
}

/** What a worker does outside of its backend. */
export interface Surroundings {
  prepare?(options: Extract<ToCompute, { type: 'prepare' }>['options']): void;
  expect?(location: ModelLocation): void;
  /** Ends the threads of this worker, which is terminated when it resolves. */
  end?(): Promise<void>;
}

class ComputeHost {
  readonly #port: ComputePort;
  readonly #loaders: LoaderTable;
  #backend: Backend | null = null;
  #loading = false;

  constructor(port: ComputePort, loaders: LoaderTable) {
    this.#port = port;
    this.#loaders = loaders;
  }

  async answer(message: Question): Promise<void> {
    try {
      const answer = await this.#handle(message);
      this.#port.postMessage(answer, answer.type === 'result' ? [answer.values.buffer] : []);
    } catch (thrown) {
      this.#port.postMessage({ type: 'error', id: message.id, error: toErrorData(thrown) }, []);
    }
  }

  async #handle(message: Question): Promise<FromCompute> {
    switch (message.type) {
      case 'load':
        return await this.#load(message.id, message.request);
      case 'run':
        return { type: 'result', id: message.id, values: await this.#run(message.batch) };
      case 'dispose':
        await this.#dispose();
        return { type: 'done', id: message.id };
      default:
        return message satisfies never;
    }
  }

  async #load(id: number, request: BackendRequest): Promise<FromCompute> {
    if (this.#backend || this.#loading) {
      throw new VecinityError('internal_error', 'A compute worker loads one model; this one has its model already.');
    }
    this.#loading = true;
    try {
      this.#backend = await (await this.#loader(request.backend))(request, {
        onProgress: (progress) => this.#port.postMessage({ type: 'progress', id, progress }, []),
      });
    } catch (thrown) {
      throw failedLoad(request.spec.id, thrown);
    } finally {
      this.#loading = false;
    }
    const { info, width, padded, lanes } = this.#backend;
    return { type: 'loaded', id, info, width, padded, lanes };
  }

  async #loader(name: BackendName): Promise<BackendLoader> {
    const load = this.#loaders[name];
    if (load) return await load();
    throw new VecinityError('device_unavailable', `The backend '${name}' is not a part of this build.`);
  }

  async #run(batch: TokenBatch): Promise<Float32Array<ArrayBuffer>> {
    if (!this.#backend) throw new VecinityError('internal_error', 'A run came before a model was loaded.');
    const values = toOwnBuffer(await this.#backend.run(batch));
    // What came with the message is nobody else's.
    release(batch.inputIds);
    return values;
  }

  async #dispose(): Promise<void> {
    const backend = this.#backend;
    this.#backend = null;
    await backend?.dispose();
  }
}

/** A view that covers its whole own buffer can be transferred; anything else, such as WASM memory, is copied out. */
function toOwnBuffer(values: Float32Array): Float32Array<ArrayBuffer> {
  const { buffer } = values;
  if (buffer instanceof ArrayBuffer && values.byteLength === buffer.byteLength) return new Float32Array(buffer);
  return Float32Array.from(values);
}
