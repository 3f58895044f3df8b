/** What the hub says of a repository's files: sizes, and the SHA-256 of the large ones. */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';
import { parseJson } from './content.js';
import { download, TransientError } from './download.js';
import type { ModelLocation, ReadOptions } from './files.js';
import { parseHubBase, toHubPage } from './hub.js';

export interface TreeEntry {
  sizeBytes: number;
  /** Lower-case hex digits; null for small files, which the hub has no such hash of. */
  sha256: string | null;
}

export type HubTree = ReadonlyMap<string, TreeEntry>;

/** How a list of files is asked for: the files can be had without it, so none of them waits long for it. */
export const listing = { isProbe: true, silenceMs: 15_000 } as const;

/**
 * The hub's page of the tree. Null where there is none: a mirror of plain files has no such page, and a file without a
 * known hash is judged by its length and kind alone. Throws `download_failed` after an outage, and `aborted`.
 */
export async function fetchHubTree(
  location: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  const place = parseHubBase(location.base);
  if (place === null) return null;
  const url = toHubPage('tree', place);
  const request = { ...options, ...listing, url, path: 'tree.json', headers: location.headers };
  try {
    const bytes = await download(request);
    return bytes && parseTree(parseJson(bytes, request.path, url));
  } catch (error) {
    return noList(error);
  }
}

/** Null for an answer that is no list. Throws what may be another answer the next time. */
export function noList(error: unknown): null {
  const isAnswer = error instanceof VecinityError && error.code !== 'aborted' && !(error instanceof TransientError);
  if (isAnswer) return null;
  throw error;
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
