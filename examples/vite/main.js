import { createVecinity } from 'vecinity';

const documents = [
  'How to water a cactus',
  'Baking bread with a sourdough starter',
  'Repairing the chain of a bicycle',
  'Choosing a telescope for the first night',
];

const search = document.querySelector('input');
const list = document.querySelector('ol');

const vecinity = await createVecinity({ model: 'all-MiniLM-L6-v2' });
search.disabled = false;

let latest = new AbortController();
search.addEventListener('input', async () => {
  // An older query that still waits is of no interest any more.
  latest.abort();
  latest = new AbortController();
  const { signal } = latest;
  if (search.value === '') return list.replaceChildren();
  try {
    const ranked = await vecinity.rerank(search.value, documents, { signal });
    list.replaceChildren(...ranked.map(({ document, score }) => toItem(`${document} (${score.toFixed(2)})`)));
  } catch (error) {
    if (error.code !== 'aborted') throw error;
  }
});

function toItem(text) {
  const item = document.createElement('li');
  item.textContent = text;
  return item;
}
