/**
 * Chooses the reader of a location: fetching is in `url-files.ts` and, with a store behind it, in `kept-files.ts`; the
 * file system of Node is in `folder.node.ts`, which programs on Node announce here.
 */
import { VecinityError } from '../errors.js';
import type { ModelFiles, ModelLocation } from './files.js';
import { KeptFiles } from './kept-files.js';
import { UrlFiles } from './url-files.js';

interface OpenOptions {
  /** Used instead of the global `fetch`. */
  fetch?: typeof fetch;
}

let openFolder: ((location: ModelLocation) => ModelFiles) | null = null;

/** Names what opens locations of kind `folder`; called once by programs that run on Node. */
export function setFolderOpener(opener: (location: ModelLocation) => ModelFiles): void {
  openFolder = opener;
}

/** True where locations of kind `folder` can be opened. */
export function hasFolders(): boolean {
  return openFolder !== null;
}

/** Opens a model's files without reading any. Throws `invalid_request` for a folder where there is no file system. */
export function openModelFiles(location: ModelLocation, options: OpenOptions = {}): ModelFiles {
  if (location.kind === 'url') {
    const fetchFile: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
    return location.cache ? new KeptFiles(location, fetchFile) : new UrlFiles(location, fetchFile);
  }
  if (openFolder) return openFolder(location);
  throw new VecinityError(
    'invalid_request',
    `The model lies in the folder ${location.base}, which can only be read on Node; give a URL here.`,
    { param: 'model' },
  );
}
