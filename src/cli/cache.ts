/** Where downloaded models lie: `models/<owner>/<name>/` in hub layout below the cache folder. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Environment } from './flags.js';

/** `$XDG_CACHE_HOME/vecinity`, or `~/.cache/vecinity`; the XDG rules ignore a path that is not absolute. */
export function defaultCacheFolder(environment: Environment): string {
  const base = environment.XDG_CACHE_HOME ?? '';
  return join(isAbsolute(base) ? base : join(homedir(), '.cache'), 'vecinity');
}

/** The folder that an engine looks into for models. */
export function pulledModels(cache: string): string {
  return join(cache, 'models');
}
