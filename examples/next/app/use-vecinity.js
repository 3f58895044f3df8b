import { useEffect, useState } from 'react';
import { createVecinity } from 'vecinity';

/** An engine that lives as long as the component; null until its model is loaded. */
export function useVecinity(model) {
  const [engine, setEngine] = useState(null);
  const [error, setError] = useState(null);
  useEffect(() => {
    const leaving = new AbortController();
    // `vecinity init public` has put the worker where Next serves it as it is.
    const starting = createVecinity({ model, workerUrl: '/vecinity/engine-worker.js', signal: leaving.signal });
    starting.then(setEngine, (reason) => leaving.signal.aborted || setError(reason));
    return () => {
      leaving.abort();
      starting.then((vecinity) => vecinity.dispose()).catch(() => {});
    };
  }, [model]);
  return { engine, error };
}
