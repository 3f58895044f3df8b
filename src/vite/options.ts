/** What a site can say to the Vite plugin. */

import { aBoolean, isString, isText, type Rules } from '../rules.js';

/** One folder, or several that are looked at in order. */
export type Folders = string | readonly string[];

export interface VecinityPluginOptions {
  /** Folders of models, served at `/models/`; or several addresses with the folders of each. Development and preview only. */
  modelsDir?: Folders | Record<string, Folders>;
  /** Sends COOP and COEP headers, without which WASM has one thread only. Default false. */
  isolate?: boolean;
  /** Serves and emits `vecinity-sw.js`. Default true; false where a site bundles it into its own Service Worker. */
  serviceWorker?: boolean;
  /** The page's `routePrefix`, where it has one: requests below it that reach the server are told what to do. */
  routePrefix?: string;
}

export const pluginRules: Rules<keyof VecinityPluginOptions> = {
  modelsDir: ['a folder, a list of folders, or an object with those for each address', isModelsDir],
  isolate: aBoolean,
  serviceWorker: aBoolean,
  routePrefix: ['a path', isString],
};

/** Every address with its folders; addresses begin and end with a slash. */
export function toMounts(modelsDir: VecinityPluginOptions['modelsDir']): [string, readonly string[]][] {
  if (modelsDir === undefined) return [];
  const byUrl = isFolders(modelsDir) ? { '/models/': modelsDir } : modelsDir;
  return Object.entries(byUrl).map(([url, folders]) => [
    `/${url}/`.replace(/\/+/g, '/'),
    typeof folders === 'string' ? [folders] : folders,
  ]);
}

function isModelsDir(value: unknown): boolean {
  const isOneOrMore = (folders: unknown) => isText(folders) || (Array.isArray(folders) && folders.every(isText));
  return isOneOrMore(value) || (typeof value === 'object' && value !== null && Object.values(value).every(isOneOrMore));
}

function isFolders(value: Folders | Record<string, Folders>): value is Folders {
  return typeof value === 'string' || Array.isArray(value);
}
