import OpenAI from 'openai';
import { cosine, createVecinity } from 'vecinity';

const vecinity = await createVecinity({ model: 'all-MiniLM-L6-v2' });

const client = new OpenAI({
  baseURL: new URL('/v1', location.href).href,
  apiKey: 'none',
  dangerouslyAllowBrowser: true,
  fetch: vecinity.fetch,
});

const { data, usage } = await client.embeddings.create({
  model: 'text-embedding-3-small', // any name is answered by the loaded model
  input: ['a cat sleeps', 'a kitten naps'],
});
const [cat, kitten] = data.map(({ embedding }) => embedding);
document.querySelector('output').textContent = `${cosine(cat, kitten).toFixed(2)}, ${usage.total_tokens} tokens`;
