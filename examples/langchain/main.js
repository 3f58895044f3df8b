import { FakeVectorStore } from '@langchain/core/utils/testing';
import { VecinityEmbeddings, VecinityRerank } from 'vecinity/langchain';
import { createNodeEngine } from 'vecinity/node';

const source = await createNodeEngine({ modelsDir: 'public/models' });
await source.load('all-MiniLM-L6-v2');

// Any vector store takes its place; this one comes with @langchain/core.
const store = await FakeVectorStore.fromTexts(
  ['How to water a cactus', 'Baking bread with a sourdough starter', 'Repairing the chain of a bicycle'],
  [{ page: 1 }, { page: 2 }, { page: 3 }],
  new VecinityEmbeddings({ source }),
);
const question = 'my bike makes noise';
const found = await store.asRetriever(2).invoke(question);
const [best] = await new VecinityRerank({ source, topN: 1 }).compressDocuments(found, question);
console.log(`page ${best.metadata.page}: ${best.pageContent}`);

await source.dispose();
