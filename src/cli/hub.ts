/** What a repository of the hub holds at one commit, with the hashes that its files must have. */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';
import { parseJson } from '../models/content.js';
import { download } from '../models/download.js';
import { type HubPlace, toHubBase, toHubHeaders, toHubPage } from '../models/hub.js';
import { objectField, stringField } from '../models/json-fields.js';
import { isRefusal } from '../models/optional-files.js';

export interface HubSource {
  /** Without a trailing slash. */
  hubUrl: string;
  hubToken: string | null;
}

export interface HubFile {
  path: string;
  sizeBytes: number;
  /** Of the file itself for large files; of git's blob (its header before it) for small ones. */
  digest: { algorithm: 'sha256' | 'git'; hex: string };
  url: string;
}

export interface HubListing {
  repository: string;
  /** The commit that a branch or tag stood for when it was asked. */
  commit: string;
  files: HubFile[];
}

interface ListingRequest extends HubSource, HubPlace {
  signal: AbortSignal;
}

/** Throws `model_not_found`, `download_failed`, and `model_file_invalid` for an answer that is no listing. */
export async function listRepository(request: ListingRequest): Promise<HubListing> {
  const url = toHubPage('revision', request);
  const body = await fetchJson(url, request);
  const commit = stringField(body, 'sha');
  const siblings = body.siblings;
  if (commit === null || !isPlainName(commit) || !Array.isArray(siblings)) throw notAListing(url);
  const { repository } = request;
  const base = toHubBase({ ...request, revision: commit });
  return { repository, commit, files: siblings.map((sibling: unknown) => toFile(sibling, { url, base })) };
}

/** What a listing counts as among a model's files: it may be as long as any JSON of these. */
const listingName = 'listing.json';

async function fetchJson(url: string, request: ListingRequest): Promise<JsonObject> {
  const { repository, revision, signal, hubToken } = request;
  const asked = { url, path: listingName, headers: toHubHeaders(hubToken), fetch, signal };
  const bytes = await download(asked).catch((error: unknown) => {
    // The hub answers so for repositories that do not exist as well as for those that one may not read.
    if (isRefusal(error)) return null;
    throw error;
  });
  if (bytes === null) {
    const hint = 'Check the spelling and the revision; a private or gated model needs `--hub-token`.';
    throw new VecinityError('model_not_found', `The hub has no model ${repository} at ${revision}. ${hint}`);
  }
  const body = parseJson(bytes, listingName, url);
  if (isObject(body)) return body;
  throw notAListing(url);
}

function toFile(sibling: unknown, { url, base }: { url: string; base: string }): HubFile {
  const file = isObject(sibling) ? sibling : {};
  const path = stringField(file, 'rfilename');
  const sha256 = stringField(objectField(file, 'lfs'), 'sha256');
  const hex = sha256 ?? stringField(file, 'blobId');
  if (path === null || hex === null || !isSize(file.size) || leadsOut(path)) throw notAListing(url);
  return {
    path,
    sizeBytes: file.size,
    digest: { algorithm: sha256 === null ? 'git' : 'sha256', hex },
    url: base + path.split('/').map(encodeURIComponent).join('/'),
  };
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** A commit from the network becomes a part of a folder's name on this disk. */
function isPlainName(text: string): boolean {
  return /^[\w-]{1,100}$/.test(text);
}

/** A name from the network becomes a name on this disk. */
function leadsOut(path: string): boolean {
  return path.startsWith('/') || /[\\\0:]/.test(path) || path.split('/').some((part) => part === '..' || part === '');
}

function notAListing(url: string): VecinityError {
  return new VecinityError('model_file_invalid', `The answer of ${url} is not a listing of a repository's files.`);
}
