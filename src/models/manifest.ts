/**
 * `vecinity.json`, which may lie beside a model on any server: sizes and SHA-256 of its files, for those that come from
 * no hub. `vecinity convert` and `vecinity pull` write it.
 */

import { isObject } from '../json-object.js';
import { parseJson } from './content.js';
import { download, TransientError } from './download.js';
import type { ModelLocation, ReadOptions } from './files.js';
import { fetchHubTree, type HubTree, listing, noList, type TreeEntry } from './hub-tree.js';

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

/**
 * What the publisher says of a model's files: the hub's list, else the manifest beside them; null without either. Throws
 * `download_failed` where only an outage may be the reason that there is none, and `aborted`.
 */
export async function fetchFileList(
  location: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  let outage: TransientError | null = null;
  for (const fetchList of [fetchHubTree, fetchManifest]) {
    const list = await fetchList(location, options).catch((error: unknown) => {
      if (!(error instanceof TransientError)) throw error;
      outage = error;
      return null;
    });
    if (list) return list;
  }
  if (outage) throw outage;
  return null;
}

async function fetchManifest(
  { base, headers }: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  const url = base + manifestFile;
  try {
    const bytes = await download({ ...options, ...listing, url, path: manifestFile, headers });
    return bytes && parseManifest(parseJson(bytes, manifestFile, base));
  } catch (error) {
    // Most servers have none; some answer with a page.
    return noList(error);
  }
}
