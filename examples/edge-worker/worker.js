/** Runs in Cloudflare's runtime: no Node, no threads; the files of the model come from the binding `ASSETS`. */
import { DurableObject } from 'cloudflare:workers';
import relaxed from 'vecinity/assets/relaxed.wasm';
import simd from 'vecinity/assets/simd.wasm';
import { createEdgeEngine, createHandler } from 'vecinity/edge';

/** A Durable Object, because requests share nothing elsewhere: what one has begun, no other may wait for. */
export class Embedder extends DurableObject {
  #starting = null;

  async fetch(request) {
    // A start that failed is tried again by the next request.
    this.#starting ??= this.#start().catch((error) => {
      this.#starting = null;
      throw error;
    });
    const handler = await this.#starting;
    return await handler(request);
  }

  async #start() {
    const engine = createEdgeEngine({
      kernels: { relaxed, simd },
      modelsUrl: 'https://assets.local/models/',
      fetch: (...request) => this.env.ASSETS.fetch(...request),
    });
    await engine.load('all-MiniLM-L6-v2');
    return createHandler({ engine, api: { corsOrigin: '*' } });
  }
}

export default {
  fetch: (request, env) => env.EMBEDDER.getByName('all').fetch(request),
};
