/** Names to offer in the model field: folders that this server serves, and embedding models of the catalogue. */
import { useEffect, useState } from 'preact/hooks';

export interface ModelList {
  /** Folders below `/models/`; they load without the hub. */
  served: readonly string[];
  catalogue: readonly string[];
}

export const catalogue = [
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
    void listServed().then(setServed);
  }, []);
  return { served, catalogue: catalogue.filter((name) => !served.includes(name)) };
}

/** A server without a listing answers 404 or its start page; the field then offers the catalogue only. */
async function listServed(): Promise<string[]> {
  try {
    const response = await fetch('/models/index.json');
    return response.ok ? readListing(await response.json()) : [];
  } catch {
    return [];
  }
}

/** The strings in `models`; whatever else is there is left out. */
export function readListing(listing: unknown): string[] {
  if (typeof listing !== 'object' || listing === null || !('models' in listing)) return [];
  return Array.isArray(listing.models) ? listing.models.filter((name) => typeof name === 'string') : [];
}
