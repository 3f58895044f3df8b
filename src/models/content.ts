/** What the bytes of a model's file must look like, wherever they came from. Knows nothing of networks and disks. */
import { VecinityError } from '../errors.js';

/** The cause of the `model_file_invalid` that a page of HTML raises: a file that may be missing counts as missing then. */
export class HtmlPageError extends Error {}

const sniffedBytes = 256;

/** True for what a server sends when it answers every unknown path with its start page. */
export function isHtml(bytes: Uint8Array, contentType: string | null): boolean {
  if (contentType !== null && /^\s*text\/html\b/i.test(contentType)) return true;
  const start = new TextDecoder().decode(bytes.subarray(0, sniffedBytes));
  return /^\s*<(?:!doctype\s|html[\s>])/i.test(start);
}

/** `model_file_invalid` for a page of HTML where a file was asked for. */
export function htmlError(path: string, address: string): VecinityError {
  return new VecinityError(
    'model_file_invalid',
    `The file ${path} is not a model file: ${address} answered with a page of HTML. ` +
      'Servers of single-page apps do so for paths that they do not have; check that the file is there.',
    { cause: new HtmlPageError(address) },
  );
}

/** True for what a repository without its large files has in their place. */
export function isPointer(bytes: Uint8Array): boolean {
  return new TextDecoder()
    .decode(bytes.subarray(0, sniffedBytes))
    .startsWith('version https://git-lfs.github.com/spec/');
}

/** `model_file_invalid` for a Git LFS pointer where a file was asked for. */
export function pointerError(path: string, address: string): VecinityError {
  return new VecinityError(
    'model_file_invalid',
    `The file ${path} is not a model file: ${address} answered with a Git LFS pointer. ` +
      'The repository was copied without its large files; fetch them with "git lfs pull".',
  );
}

/** Parses a JSON file. Throws `model_file_invalid` with the file's name. */
export function parseJson(bytes: Uint8Array, path: string, address: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new VecinityError('model_file_invalid', `The file ${path} at ${address} is not valid JSON.`, { cause });
  }
}
