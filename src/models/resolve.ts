/**
 * From the name in a request to the place where the model's files lie: a folder of models on our own origin first,
 * then the hub; or a URL or folder that is named outright. Reads only config.json, to see whether a model is there.
 */
import type { EngineConfig } from '../config.js';
import { VecinityError } from '../errors.js';
import { wrongOption } from '../rules.js';
import { type CatalogueEntry, catalogue, findEntry } from './catalogue.js';
import type { ModelLocation, StorageFull } from './files.js';
import { toHubBase, toHubHeaders } from './hub.js';
import { hasFolders, openModelFiles } from './open-files.js';
import { isPage, isRefusal } from './optional-files.js';

export interface ResolveOptions {
  /** Branch, tag or commit on the hub. */
  revision?: string;
  fetch?: typeof fetch;
  signal?: AbortSignal;
  /** What relative URLs are relative to; left out: this worker's own address. */
  baseUrl?: string;
}

export interface ResolvedModel {
  /** The catalogue's id, or the name as it was given. */
  id: string;
  repository: string;
  /** `local` for a folder or URL, which have no revisions. */
  revision: string;
  location: ModelLocation;
  entry: CatalogueEntry | null;
  /** The content of its config.json, which was read to see whether there is a model. */
  config: unknown;
}

/** Where models are looked for: in `modelsUrl`, then in `pulledUrl`, then on the hub. */
export interface ModelSources extends Pick<EngineConfig, 'hubUrl' | 'hubToken' | 'modelsUrl'> {
  /** A folder of models that were downloaded before, by the names of their repositories. */
  pulledUrl?: string | null;
  storageFull?: StorageFull;
}

/** The revision of what comes from no hub. */
export const localRevision = 'local';

/** The one id that every spelling of a name leads to: `baai/bge-m3` and `bge-m3` are the same model. */
export function modelIdOf(name: string): string {
  return findEntry(name)?.id ?? name;
}

/** Finds a model. Throws `model_not_found` with what is allowed, `download_failed`, `model_file_invalid`. */
export async function resolveModel(
  name: string,
  config: ModelSources,
  options: ResolveOptions = {},
): Promise<ResolvedModel> {
  if (isAddress(name)) return resolveAddress(name, config, options);
  if (!/^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/.test(name)) throw unknownName(name);
  const entry = findEntry(name);
  const names = entry ? [entry.id, entry.repository] : [name];
  const mounted = await findMounted(names, config, options);
  if (mounted) {
    return { id: modelIdOf(name), repository: names.at(-1) ?? name, revision: localRevision, entry, ...mounted };
  }
  if (!entry && !name.includes('/')) throw unknownName(name, config.modelsUrl);
  return resolveOnHub(name, entry, config, options);
}

/** Whether a name is a URL or a folder, and not the name of a model below `modelsUrl` or on the hub. */
export function isAddress(name: string): boolean {
  return name.includes('://') || /^(?:file:|\.{0,2}\/)/.test(name);
}

async function resolveAddress(name: string, config: ModelSources, options: ResolveOptions): Promise<ResolvedModel> {
  const location = locate(name, config, options);
  if (!location) throw unknownName(name);
  const found = await readConfig(location, options);
  if (found === null) {
    throw new VecinityError('model_not_found', `There is no model at ${location.base}: no config.json.`);
  }
  return { id: name, repository: name, revision: localRevision, location, entry: null, config: found };
}

/** Where an address leads: a URL, or a folder where there is a file system and nothing to be relative to. */
function locate(address: string, config: ModelSources, options: ResolveOptions): ModelLocation | null {
  const baseUrl = options.baseUrl ?? globalThis.location?.href;
  const isFolder = address.startsWith('file:') || (baseUrl === undefined && !address.includes('://'));
  if (isFolder) return hasFolders() ? { kind: 'folder', base: slashed(address), headers: {}, cache: false } : null;
  const base = toBase(address, baseUrl);
  if (base === null) return null;
  return {
    kind: 'url',
    base,
    headers: headersFor(base, config),
    cache: baseUrl === undefined || originOf(base) !== originOf(baseUrl),
    ...(config.storageFull ? { storageFull: config.storageFull } : {}),
  };
}

/** The URL of a model's folder as its files are kept by it; null for what is no URL. */
export function toBase(address: string, baseUrl = globalThis.location?.href): string | null {
  return URL.canParse(slashed(address), baseUrl) ? new URL(slashed(address), baseUrl).href : null;
}

function slashed(address: string): string {
  return address.endsWith('/') ? address : `${address}/`;
}

/** The hub's token goes to the hub's own host and nowhere else. */
function headersFor(base: string, { hubUrl, hubToken }: ModelSources): Record<string, string> {
  if (!URL.canParse(hubUrl) || originOf(hubUrl) !== originOf(base)) return {};
  return toHubHeaders(hubToken);
}

function originOf(address: string): string {
  return new URL(address).origin;
}

async function findMounted(
  names: readonly string[],
  config: ModelSources,
  options: ResolveOptions,
): Promise<Pick<ResolvedModel, 'location' | 'config'> | null> {
  const folders = [config.modelsUrl, config.pulledUrl ?? null].filter((folder) => folder !== null);
  for (const address of folders.flatMap((folder) => names.map((name) => below(folder, name)))) {
    const location = locate(address, config, options);
    if (!location) continue;
    const found = await readConfig(location, options, true).catch(rethrowUnlessAbsent);
    if (found !== null) return { location, config: found };
  }
  return null;
}

function below(folder: string, name: string): string {
  return `${slashed(folder)}${name}`;
}

/** Null where there is no model. */
async function readConfig(
  location: ModelLocation,
  { fetch, signal }: ResolveOptions,
  isProbe = false,
): Promise<unknown> {
  const files = openModelFiles(location, fetch ? { fetch } : {});
  return await files.readJson('config.json', { isProbe, ...(signal ? { signal } : {}) });
}

/** A page of HTML or a failed request where models may be mounted means that none is; the hub is asked next. */
function rethrowUnlessAbsent(error: unknown): null {
  if (isPage(error) || (error instanceof VecinityError && error.code === 'download_failed')) return null;
  throw error;
}

async function resolveOnHub(
  name: string,
  entry: CatalogueEntry | null,
  config: ModelSources,
  options: ResolveOptions,
): Promise<ResolvedModel> {
  const repository = entry?.repository ?? name;
  const revision = options.revision ?? entry?.revision ?? 'main';
  const { hubUrl } = config;
  const location = locate(toHubBase({ hubUrl, repository, revision }), config, options);
  if (!location) {
    throw wrongOption('hubUrl', 'an address', hubUrl);
  }
  const onnxRepository = entry?.onnxRepository;
  const onnxBase =
    onnxRepository && toBase(toHubBase({ hubUrl, repository: onnxRepository, revision: 'main' }), options.baseUrl);
  if (onnxBase) location.onnxBase = onnxBase;
  const found = await readConfig(location, options).catch((error: unknown) => explainHub(error, location, config));
  if (found !== null) return { id: modelIdOf(name), repository, revision, location, entry, config: found };
  throw notOnHub(location, config);
}

/** The hub answers 401 for repositories that do not exist as well as for those that one may not read. */
function explainHub(error: unknown, location: ModelLocation, config: ModelSources): never {
  if (isRefusal(error)) throw notOnHub(location, config, error);
  throw error;
}

function notOnHub(location: ModelLocation, config: ModelSources, cause?: unknown): VecinityError {
  const hint =
    config.hubToken === null
      ? 'Check the spelling and the revision; a private or gated model needs `hubToken`.'
      : 'Check the spelling, the revision, and what the token may read.';
  return new VecinityError('model_not_found', `The hub has no model at ${location.base}. ${hint}`, {
    param: 'model',
    cause,
  });
}

function unknownName(name: string, modelsUrl: string | null = null): VecinityError {
  const ids = catalogue.map((entry) => entry.id).join(', ');
  const where = modelsUrl === null ? '' : ` and there is no folder of that name below ${modelsUrl}`;
  return new VecinityError(
    'model_not_found',
    `The model ${JSON.stringify(name)} is not known${where}; give one of ${ids}, a hub id (owner/name), or a URL.`,
    { param: 'model' },
  );
}
