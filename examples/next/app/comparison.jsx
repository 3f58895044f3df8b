'use client';

import { useState } from 'react';
import { useVecinity } from './use-vecinity';

export function Comparison() {
  const { engine, error } = useVecinity('all-MiniLM-L6-v2');
  const [score, setScore] = useState('');

  async function compare(form) {
    const score = await engine.similarity(form.get('first'), form.get('second'));
    setScore(score.toFixed(2));
  }

  return (
    <form action={compare}>
      <label>
        First text <input name="first" defaultValue="a cat sleeps" required />
      </label>
      <label>
        Second text <input name="second" defaultValue="a kitten naps" required />
      </label>
      <button type="submit" disabled={engine === null}>
        Compare
      </button>
      <output>{error ? error.message : score}</output>
    </form>
  );
}
