/** Starts engines that end at once, some before they are ready, and says on the console when it is through. */
import { createVecinity } from 'vecinity';

const rounds = 10;

for (let round = 0; round < rounds; round++) {
  const missing = { model: 'missing-weights', device: 'wasm', share: false } as const;
  const failed = await createVecinity(missing).catch(({ code }) => code);
  if (failed !== 'model_file_missing') throw new Error(`the model that is not there: ${failed}`);
  const vecinity = await createVecinity({ ...missing, model: 'bert-cls' });
  await vecinity.embed('a text');
  await vecinity.dispose();
}
console.info(`${2 * rounds} engines have ended`);
