/** What a site can say to the Vite plugin. */

/** One folder, or several that are looked at in order. */
export type Folders = string | readonly string[];

export interface VecinityPluginOptions {
  /** Folders of models, served at `/models/`; or several addresses with the folders of each. Development and preview only. */
  modelsDir?: Folders | Record<string, Folders>;
  /** Sends COOP and COEP headers, without which WASM has one thread only. Default false. */
  isolate?: boolean;
  /** Serves and emits `vecinity-sw.js`. Default true; false where a site bundles it into its own Service Worker. */
  serviceWorker?: boolean;
}

/** Every address with its folders; addresses begin and end with a slash. */
export function toMounts(modelsDir: VecinityPluginOptions['modelsDir']): [string, readonly string[]][] {
  if (modelsDir === undefined) return [];
  const byUrl = isFolders(modelsDir) ? { '/models/': modelsDir } : modelsDir;
  return Object.entries(byUrl).map(([url, folders]) => [
    `/${url}/`.replace(/\/+/g, '/'),
    typeof folders === 'string' ? [folders] : folders,
  ]);
}

function isFolders(value: Folders | Record<string, Folders>): value is Folders {
  return typeof value === 'string' || Array.isArray(value);
}
