/**
 * Files that a model may lack, and what servers say of those: some have a page for every path, and some that must not
 * list what they have (S3, Google's storage) refuse what is not there.
 */
import { VecinityError } from '../errors.js';
import { HtmlPageError } from './content.js';
import { HttpStatusError } from './download.js';
import type { ModelFiles, ReadOptions } from './files.js';

/** Null for a file that is not there, whatever way the server has to say so. Throws as `readJson`. */
export async function readOptionalJson(files: ModelFiles, path: string, options: ReadOptions): Promise<unknown> {
  return await files.readJson(path, { ...options, isOptional: true }).catch(nullForPage);
}

/** The same for any file. Throws as `readBytes`. */
export async function readOptionalBytes(
  files: ModelFiles,
  path: string,
  options: ReadOptions,
): Promise<Uint8Array | null> {
  return await files.readBytes(path, { ...options, isOptional: true }).catch(nullForPage);
}

function nullForPage(error: unknown): null {
  if (isPage(error)) return null;
  throw error;
}

/** Whether an error may mean that the file is not there. */
export function mayBeAbsent(error: unknown): boolean {
  return isPage(error) || isRefusal(error);
}

/** Whether the server answered 401 or 403. */
export function isRefusal(error: unknown): boolean {
  return error instanceof VecinityError && error.cause instanceof HttpStatusError && error.cause.isRefusal;
}

/** Whether a page of HTML came in a file's place. */
export function isPage(error: unknown): error is VecinityError {
  return error instanceof VecinityError && error.cause instanceof HtmlPageError;
}
