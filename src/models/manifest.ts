/**
 * `vecinity.json`, which may lie beside a model on any server: sizes and SHA-256 of its files, for those that come from
 * no hub. `vecinity convert` and `vecinity pull` write it.
 */

import { isObject } from '../json-object.js';
import { parseJson } from './content.js';
import { download } from './download.js';
import type { ModelLocation, ReadOptions } from './files.js';
import { fetchHubTree, type HubTree, type TreeEntry } from './hub-tree.js';

export const manifestFile = 'vecinity.json';

/** The file's text. */
export function formatManifest(files: HubTree): string {
  const entries = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ files: Object.fromEntries(entries) }, null, 2)}\n`;
}

/** Null for what is no manifest; entries that make no sense are left out. */
function parseManifest(value: unknown): HubTree | null {
  if (!isObject(value) || !isObject(value.files)) return null;
  const files = new Map<string, TreeEntry>();
  for (const [path, entry] of Object.entries(value.files)) {
    if (!isObject(entry) || !Number.isSafeInteger(entry.sizeBytes) || Number(entry.sizeBytes) < 0) continue;
    const sha256 = typeof entry.sha256 === 'string' ? entry.sha256.toLowerCase() : '';
    files.set(path, { sizeBytes: Number(entry.sizeBytes), sha256: /^[0-9a-f]{64}$/.test(sha256) ? sha256 : null });
  }
  return files;
}

/** What the publisher says of a model's files: the hub's list, else the manifest beside them; null without either. */
export async function fetchFileList(
  location: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  return (await fetchHubTree(location, options)) ?? (await fetchManifest(location, options));
}

async function fetchManifest(
  { base, headers }: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  const url = base + manifestFile;
  try {
    const bytes = await download({ ...options, url, path: manifestFile, headers, isProbe: true });
    return bytes && parseManifest(parseJson(bytes, manifestFile, base));
  } catch {
    // Most servers have none; some answer with a page.
    return null;
  }
}
