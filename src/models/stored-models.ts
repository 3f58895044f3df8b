/** The models in the browser's storage: which they are, how much room they take, and their removal. */
import type { FileStore } from '../storage/file-store.js';
import { openFileStore } from '../storage/open-store.js';
import { listFolders, type StoredFolder } from '../storage/room.js';
import { isNote } from './absences.js';
import { catalogue, findEntry } from './catalogue.js';
import type { ModelLocation } from './files.js';
import { parseHubBase } from './hub.js';
import { isAddress, toBase } from './resolve.js';

/** Kept files of one model and revision. */
export interface StoredModel {
  /** The catalogue's id, the hub id, or the address of a model that is on no hub. */
  model: string;
  /** Branch, tag or commit; null for a model that is on no hub. */
  revision: string | null;
  sizeBytes: number;
  files: number;
  /** Unix time of the last read, in milliseconds; null where the browser's storage does not tell. */
  lastUsedMs: number | null;
  /** False while a download is not finished; it goes on where it stopped. */
  complete: boolean;
}

export interface StorageUsage {
  /** Bytes of all stored models. */
  modelsBytes: number;
  /** Bytes that the site takes in all, and may take; null where the browser does not say. */
  usedBytes: number | null;
  quotaBytes: number | null;
  /** Whether the browser promised not to clear it by itself. */
  persisted: boolean;
}

/** What is stored, the most recently used first; empty where there is no storage. */
export async function listStoredModels(): Promise<StoredModel[]> {
  const store = await openFileStore();
  if (store === null) return [];
  const models = new Map<string, StoredModel>();
  for (const folder of (await listFolders(store)).reverse()) {
    if (folder.files.every(isNote)) continue;
    const name = nameOf(folder.base);
    const key = JSON.stringify(name);
    models.set(key, add(models.get(key) ?? empty(name), folder));
  }
  return [...models.values()];
}

export async function storageUsage(): Promise<StorageUsage> {
  const store = await openFileStore();
  const folders = store === null ? [] : await listFolders(store);
  const storage = globalThis.navigator?.storage;
  const { usage = null, quota = null } = await orElse({}, () => storage?.estimate?.());
  return {
    modelsBytes: folders.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    usedBytes: usage,
    quotaBytes: quota,
    persisted: await orElse(false, () => storage?.persisted?.()),
  };
}

/**
 * Deletes a model by any of its names, all its revisions unless one is named; a model in use stays in memory.
 * False when nothing of it was stored, or another tab is downloading it.
 */
export async function deleteStoredModel(model: string, revision?: string): Promise<boolean> {
  const store = await openFileStore();
  if (store === null) return false;
  const meant = meantBy(model, revision);
  let deleted = false;
  for (const folder of await listFolders(store)) {
    const name = nameOf(folder.base);
    const isMeant = name.model === meant.model && (meant.revision === null || meant.revision === name.revision);
    if (isMeant) deleted = (await removeAll(store, folder)) || deleted;
  }
  return deleted;
}

/** Drops every kept file of a location, its ONNX files elsewhere too. False when there was none. */
export async function forgetStoredFiles({ base, onnxBase }: ModelLocation): Promise<boolean> {
  const store = await openFileStore();
  if (store === null) return false;
  const folders = await listFolders(store);
  const meant = folders.filter((folder) => folder.base === base || folder.base === onnxBase);
  const removed = await Promise.all(meant.map((folder) => removeAll(store, folder)));
  return removed.includes(true);
}

async function removeAll(store: FileStore, { files }: StoredFolder): Promise<boolean> {
  const removed = await Promise.all(files.map(({ url }) => store.remove(url)));
  return removed.includes(true);
}

/** A repository that has only a model's ONNX files counts as the model. */
function nameOf(base: string): Pick<StoredModel, 'model' | 'revision'> {
  const place = parseHubBase(base);
  if (place === null) return { model: base, revision: null };
  const { repository, revision } = place;
  const entry = findEntry(repository) ?? catalogue.find(({ onnxRepository }) => onnxRepository === repository);
  return { model: entry?.id ?? repository, revision };
}

/** What the models that a name stands for are called here; an address on a hub stands for one revision. */
function meantBy(model: string, revision: string | undefined): Pick<StoredModel, 'model' | 'revision'> {
  const base = isAddress(model) ? toBase(model) : null;
  const name = base === null ? { model: findEntry(model)?.id ?? model, revision: null } : nameOf(base);
  return { model: name.model, revision: revision ?? name.revision };
}

function empty(name: Pick<StoredModel, 'model' | 'revision'>): StoredModel {
  return { ...name, sizeBytes: 0, files: 0, lastUsedMs: null, complete: true };
}

function add(model: StoredModel, folder: StoredFolder): StoredModel {
  const lastUsedMs = Math.max(model.lastUsedMs ?? 0, folder.lastUsedMs);
  return {
    ...model,
    sizeBytes: model.sizeBytes + folder.sizeBytes,
    files: model.files + folder.files.filter((file) => !isNote(file)).length,
    lastUsedMs: lastUsedMs === 0 ? null : lastUsedMs,
    complete: model.complete && folder.files.every(({ complete }) => complete),
  };
}

/** Browsers without a part of the storage's interface, and windows in which it is denied, have nothing to tell. */
async function orElse<Result>(otherwise: Result, ask: () => Promise<Result> | undefined): Promise<Result> {
  try {
    return (await ask()) ?? otherwise;
  } catch {
    return otherwise;
  }
}
