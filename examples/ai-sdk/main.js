import { cosineSimilarity, embedMany, rerank } from 'ai';
import { createVecinityProvider } from 'vecinity/ai-sdk';
import { createNodeEngine } from 'vecinity/node';

const engine = await createNodeEngine({ modelsDir: 'public/models' });
await engine.load('all-MiniLM-L6-v2');
const vecinity = createVecinityProvider(engine); // in a page: the client of `createVecinity`

const { embeddings, usage } = await embedMany({
  model: vecinity.embeddingModel('all-MiniLM-L6-v2'),
  values: ['a cat sleeps', 'a kitten naps'],
});
console.log(`${cosineSimilarity(...embeddings).toFixed(2)}, ${usage.tokens} tokens`);

const { rerankedDocuments } = await rerank({
  model: vecinity.rerankingModel('all-MiniLM-L6-v2'),
  query: 'pets',
  documents: ['a cloud', 'a cat', 'a car'],
  topN: 1,
});
console.log(`best: ${rerankedDocuments[0]}`);

await engine.dispose();
