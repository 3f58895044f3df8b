/**
 * Who has asked an engine worker for a model and not called that off. An abort may cross the answer of a load: the model
 * is there by then, and goes unless another load has asked for it.
 */
import type { LoadOptions, ModelStatus } from '../core/engine.js';
import { modelIdOf } from '../models/resolve.js';

export interface Claim {
  load(): Promise<ModelStatus>;
  unload(): Promise<void>;
  /** May fire after the load; nothing more is heard of it once the caller has the answer. */
  signal: LoadOptions['signal'];
}

export class Claims {
  /** By a model's id: one token for each of its loads, with an answer or without; they stay, so they hold nothing. */
  readonly #claims = new Map<string, Set<symbol>>();

  /** Settles as the load does. */
  async add(model: string, { load, unload, signal }: Claim): Promise<ModelStatus> {
    const id = modelIdOf(model);
    const claims = this.#claims.get(id) ?? new Set();
    const claim = Symbol(id);
    this.#claims.set(id, claims.add(claim));
    const revoke = () => {
      // Where it cannot go, it is gone.
      if (claims.delete(claim) && claims.size === 0) unload().catch(() => {});
    };
    try {
      const status = await load();
      signal?.addEventListener('abort', revoke, { once: true });
      return status;
    } catch (error) {
      claims.delete(claim);
      throw error;
    }
  }

  /** The model was let go of. */
  drop(model: string): void {
    this.#claims.get(modelIdOf(model))?.clear();
  }
}
