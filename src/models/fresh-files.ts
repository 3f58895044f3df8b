/** What is kept may be broken in ways that only its reader sees: then it is fetched once more before the reader gives up. */
import { VecinityError } from '../errors.js';
import type { ModelFiles } from './files.js';

/** Errors that have cost a second fetch: for readers around the reader they are final. */
const final = new WeakSet<VecinityError>();

/**
 * Runs `read`. When that fails with `model_file_invalid`, kept copies of the files are dropped, and `read` runs once
 * more if there were any. `paths` is asked when `read` has failed. Throws what `read` throws; what it could not use is
 * not kept then.
 */
export async function withFreshFiles<Result>(
  files: ModelFiles,
  paths: () => readonly string[],
  read: () => Promise<Result>,
): Promise<Result> {
  for (let isLast = false; ; isLast = true) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof VecinityError && error.code === 'model_file_invalid') || final.has(error)) throw error;
      const purged = await Promise.all(paths().map((path) => files.purge?.(path) ?? false));
      if (isLast) final.add(error);
      if (isLast || !purged.includes(true)) throw error;
    }
  }
}
