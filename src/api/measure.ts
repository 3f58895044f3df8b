/** By which measure two vectors of a model are compared: a client asks, because it has the vectors but not the model. */
import { VecinityError } from '../errors.js';
import type { Similarity } from '../models/spec.js';
import { useModel } from './keep-alive.js';
import { specOf } from './names.js';
import type { CallContext } from './route.js';

/**
 * The measure of the model that answers `name`, which comes back for it when it had gone; cosine without any model, for
 * vectors of other origin. Throws as a request for embeddings does.
 */
export async function measureOf(name: string | null, context: CallContext): Promise<Similarity> {
  try {
    const spec = await useModel(name, { task: 'embedding', context }, (model) => specOf(model, context));
    return spec?.similarity ?? 'cosine';
  } catch (error) {
    if (name === null && error instanceof VecinityError && error.code === 'model_not_loaded') return 'cosine';
    throw error;
  }
}
