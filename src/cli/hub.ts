/** What a repository of the hub holds at one commit, with the hashes that its files must have. */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';
import { type HubPlace, toHubBase, toHubHeaders, toHubPage } from '../models/hub.js';
import { objectField, stringField } from '../models/json-fields.js';

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
  if (commit === null || !Array.isArray(siblings)) throw notAListing(url);
  const { repository } = request;
  const base = toHubBase({ ...request, revision: commit });
  return { repository, commit, files: siblings.map((sibling: unknown) => toFile(sibling, { url, base })) };
}

async function fetchJson(url: string, request: ListingRequest): Promise<JsonObject> {
  const { repository, revision, signal } = request;
  const response = await fetch(url, { headers: toHubHeaders(request.hubToken), signal }).catch((cause: unknown) => {
    throw new VecinityError('download_failed', `The hub at ${request.hubUrl} does not answer.`, { cause });
  });
  if ([401, 403, 404].includes(response.status)) {
    await response.body?.cancel();
    const hint = 'Check the spelling and the revision; a private or gated model needs `--hub-token`.';
    throw new VecinityError('model_not_found', `The hub has no model ${repository} at ${revision}. ${hint}`);
  }
  const body: unknown = response.ok ? await response.json().catch(() => null) : null;
  if (isObject(body)) return body;
  if (response.ok) throw notAListing(url);
  throw new VecinityError('download_failed', `The hub answered ${response.status} at ${url}.`);
}

function toFile(sibling: unknown, { url, base }: { url: string; base: string }): HubFile {
  const file = isObject(sibling) ? sibling : {};
  const path = stringField(file, 'rfilename');
  const sha256 = stringField(objectField(file, 'lfs'), 'sha256');
  const hex = sha256 ?? stringField(file, 'blobId');
  if (path === null || hex === null || !Number.isSafeInteger(file.size) || leadsOut(path)) throw notAListing(url);
  return {
    path,
    sizeBytes: Number(file.size),
    digest: { algorithm: sha256 === null ? 'git' : 'sha256', hex },
    url: base + path.split('/').map(encodeURIComponent).join('/'),
  };
}

/** A name from the network becomes a name on this disk. */
function leadsOut(path: string): boolean {
  return path.startsWith('/') || /[\\\0:]/.test(path) || path.split('/').some((part) => part === '..' || part === '');
}

function notAListing(url: string): VecinityError {
  return new VecinityError('model_file_invalid', `The answer of ${url} is not a listing of a repository's files.`);
}
