/** What the hub says of a repository's files: sizes, and the SHA-256 of the large ones. */
import { isObject } from '../json-object.js';
import { parseJson } from './content.js';
import { download } from './download.js';
import type { ModelLocation, ReadOptions } from './files.js';
import { parseHubBase, toHubPage } from './hub.js';

export interface TreeEntry {
  sizeBytes: number;
  /** Lower-case hex digits; null for small files, which the hub has no such hash of. */
  sha256: string | null;
}

export type HubTree = ReadonlyMap<string, TreeEntry>;

/**
 * The hub's page of the tree. Null where there is none: a mirror of plain files has no such page, and a file without a
 * known hash is judged by its length and kind alone.
 */
export async function fetchHubTree(
  location: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  const place = parseHubBase(location.base);
  if (place === null) return null;
  const url = toHubPage('tree', place);
  const request = { ...options, url, path: 'tree.json', headers: location.headers, isProbe: true };
  try {
    const bytes = await download(request);
    return bytes && parseTree(parseJson(bytes, request.path, url));
  } catch {
    return null;
  }
}

function parseTree(value: unknown): HubTree | null {
  if (!Array.isArray(value)) return null;
  const tree = new Map<string, TreeEntry>();
  for (const entry of value) {
    if (!isObject(entry) || typeof entry.path !== 'string') continue;
    const lfs = isObject(entry.lfs) ? entry.lfs : {};
    const oid = typeof lfs.oid === 'string' ? lfs.oid.toLowerCase().replace(/^sha256:/, '') : '';
    const sizeBytes = Number(lfs.size ?? entry.size);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) continue;
    tree.set(entry.path, { sizeBytes, sha256: /^[0-9a-f]{64}$/.test(oid) ? oid : null });
  }
  return tree;
}
