/** The page's side of the browser's storage: the promise to keep it can be asked for only here. */
import type { EngineWorkerApi } from '../protocol.js';

/** The models that the browser keeps for this site: those that came from another origin, such as the hub. */
export interface ModelStorage {
  /** The most recently used first. */
  list: EngineWorkerApi['listStored'];
  usage: EngineWorkerApi['storageUsage'];
  /** By any name of the model, all revisions unless one is named; false when nothing of it was stored. */
  delete(model: string, revision?: string): Promise<boolean>;
  /** Asks the browser not to clear the site's storage by itself; some ask the user. False when it was declined. */
  persist(): Promise<boolean>;
}

/** Never rejects: a browser that cannot promise has not promised. */
export async function askPersistence(): Promise<boolean> {
  try {
    return (await navigator.storage?.persist?.()) ?? false;
  } catch {
    return false;
  }
}
