import { useEffect, useState } from 'react';
import { createVecinity } from 'vecinity';

/** The engine of a component: null while its model loads. It ends with the component. */
export function useVecinity(model) {
  const [state, setState] = useState({ vecinity: null, progress: null, error: null });
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const onProgress = (progress) => {
      if (progress.type === 'load' && !signal.aborted) setState((before) => ({ ...before, progress }));
    };
    const loading = createVecinity({ model, signal, onProgress });
    loading.then(
      (vecinity) => !signal.aborted && setState((before) => ({ ...before, vecinity })),
      (error) => !signal.aborted && setState((before) => ({ ...before, error })),
    );
    return () => {
      controller.abort();
      loading.then(
        (vecinity) => vecinity.dispose(),
        () => {},
      );
    };
  }, [model]);
  return state;
}
