/** Names to offer in the model field: folders that this server serves, and embedding models of the catalogue. */
import { useEffect, useState } from 'preact/hooks';

export interface ModelList {
  /** Folders below `/models/`; they load without the hub. */
  served: readonly string[];
  catalogue: readonly string[];
}

const catalogue = [
  'all-MiniLM-L6-v2',
  'bge-small-en-v1.5',
  'bge-base-en-v1.5',
  'bge-large-en-v1.5',
  'bge-m3',
  'gte-small',
  'multilingual-e5-small',
];

export function useModels(): ModelList {
  const [served, setServed] = useState<readonly string[]>([]);
  useEffect(() => {
    void Promise.all(catalogue.map(isServed)).then((found) => setServed(catalogue.filter((_, index) => found[index])));
  }, []);
  return { served, catalogue: catalogue.filter((name) => !served.includes(name)) };
}

async function isServed(name: string): Promise<boolean> {
  const response = await fetch(`/models/${name}/config.json`, { method: 'HEAD' });
  return response.ok && response.headers.get('content-type')?.includes('json') === true;
}
