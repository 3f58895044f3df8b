import { createVecinity } from 'vecinity';
import { VecinityEmbeddings } from 'vecinity/langchain';
import { VecinityEmbedding } from 'vecinity/llamaindex';

const source = await createVecinity({ model: 'bert-cls', device: 'wasm', dtype: 'f32' });
window.embedEach = async (texts) => [
  await new VecinityEmbeddings({ source }).embedDocuments(texts),
  await new VecinityEmbedding({ source }).getTextEmbeddings(texts),
];
document.body.dataset.ready = 'true';
