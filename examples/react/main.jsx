import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useVecinity } from './use-vecinity.js';

function Similarity() {
  const { vecinity, progress, error } = useVecinity('all-MiniLM-L6-v2');
  const [score, setScore] = useState(null);
  if (error) return <p role="alert">{error.message}</p>;
  if (!vecinity) return <progress value={progress?.loadedBytes} max={progress?.totalBytes ?? undefined} />;

  async function compare(form) {
    setScore(await vecinity.similarity(form.get('a'), form.get('b')));
  }

  return (
    <form action={compare}>
      <input name="a" aria-label="First text" defaultValue="a cat sleeps" />
      <input name="b" aria-label="Second text" defaultValue="a kitten naps" />
      <button type="submit">Compare</button>
      <output>{score?.toFixed(2)}</output>
    </form>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <Similarity />
  </StrictMode>,
);
