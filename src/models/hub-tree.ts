/** What the hub says of a repository's files: sizes, and the SHA-256 of the large ones. */
import { VecinityError } from '../errors.js';
import { isObject } from '../json-object.js';
import { parseJson } from './content.js';
import { type DownloadRequest, download, TransientError } from './download.js';
import type { ModelLocation, ReadOptions } from './files.js';
import { parseHubBase, toHubPage } from './hub.js';

export interface TreeEntry {
  sizeBytes: number;
  /** Lower-case hex digits; null for small files, which the hub has no such hash of. */
  sha256: string | null;
}

export type HubTree = ReadonlyMap<string, TreeEntry>;

/**
 * How a list of files is asked for: the files can be had without it, so none of them waits long for it. One of yesterday
 * would refuse the files of today.
 */
export const listing = { isProbe: true, silenceMs: 15_000, isFresh: true } as const;

/** Each has a thousand files; an endless list must end. */
const maxPages = 20;

/**
 * The hub's list of a repository's files. Null where there is none: a mirror of plain files has no such page, and a file
 * without a known hash is judged by its length and kind alone. Throws `download_failed` after an outage, and `aborted`.
 */
export async function fetchHubTree(
  location: ModelLocation,
  options: ReadOptions & { fetch: typeof fetch },
): Promise<HubTree | null> {
  const place = parseHubBase(location.base);
  if (place === null) return null;
  const tree = new Map<string, TreeEntry>();
  let url: string | null = toHubPage('tree', place);
  for (let page = 0; url !== null && page < maxPages; page++) {
    const { entries, next } = await fetchPage(url, { ...options, headers: location.headers });
    // What was listed before it is none the worse.
    if (entries === null) return page === 0 ? null : tree;
    addEntries(entries, tree);
    url = next;
  }
  return tree;
}

interface Page {
  /** Null for an answer that is no list. */
  entries: readonly unknown[] | null;
  /** Where the list goes on. */
  next: string | null;
}

async function fetchPage(url: string, options: Omit<DownloadRequest, 'url' | 'path'>): Promise<Page> {
  let link: string | null = null;
  const request = {
    ...{ ...options, ...listing, url, path: 'tree.json' },
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => {
      const response = await options.fetch(input, init);
      link = response.headers.get('link');
      return response;
    },
  };
  try {
    const bytes = await download(request);
    const value = bytes && parseJson(bytes, request.path, url);
    return { entries: Array.isArray(value) ? value : null, next: nextPage(url, link) };
  } catch (error) {
    return { entries: noList(error), next: null };
  }
}

/** The hub names the next page (RFC 8288) by its own address: a mirror and the token's owner go on where they asked. */
function nextPage(url: string, link: string | null): string | null {
  const [, target] = /<([^>]*)>\s*;[^,]*\brel="?next\b/i.exec(link ?? '') ?? [];
  if (target === undefined || !URL.canParse(target, url)) return null;
  const next = new URL(url);
  next.search = new URL(target, url).search;
  return next.href;
}

/** Null for an answer that is no list. Throws what may be another answer the next time. */
export function noList(error: unknown): null {
  const isAnswer = error instanceof VecinityError && error.code !== 'aborted' && !(error instanceof TransientError);
  if (isAnswer) return null;
  throw error;
}

function addEntries(entries: readonly unknown[], tree: Map<string, TreeEntry>): void {
  for (const entry of entries) {
    if (!isObject(entry) || typeof entry.path !== 'string') continue;
    const lfs = isObject(entry.lfs) ? entry.lfs : {};
    const oid = typeof lfs.oid === 'string' ? lfs.oid.toLowerCase().replace(/^sha256:/, '') : '';
    const sizeBytes = Number(lfs.size ?? entry.size);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) continue;
    tree.set(entry.path, { sizeBytes, sha256: /^[0-9a-f]{64}$/.test(oid) ? oid : null });
  }
}
