/** The page's side of Vecinity: only its public client, from the built package. */
import type { Subject, VecinitySetup, Vectors } from './subject.js';

/** Starts a client of its own with a fresh engine worker. */
export async function startVecinity(setup: VecinitySetup): Promise<Subject> {
  // The built package; the address is a variable because it exists only on our server.
  const packageUrl = '/vecinity/index.js';
  const { createVecinity } = await import(packageUrl);
  const vecinity = await createVecinity({ model: setup.model, ...setup.options });
  return {
    embed: (texts): Promise<Vectors> => vecinity.embed(texts),
    describe: async () => '',
    stop: () => vecinity.dispose(),
  };
}
