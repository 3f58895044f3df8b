/** What the bytes of a model's file must look like, wherever they came from. Knows nothing of networks and disks. */
import { VecinityError } from '../errors.js';
import { parseTokenizerJson } from './tokenizer-json.js';

/** The cause of the `model_file_invalid` that a page of HTML raises: a file that may be missing counts as missing then. */
export class HtmlPageError extends Error {}

/** From a file's start on, enough to tell what is no model file. */
export const sniffedBytes = 256;

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

/** The largest tokenizers, with 262,144 tokens, take 33 MB; parsed they take some twenty times as much memory. */
const maxTokenizerBytes = 40 * 1024 * 1024;
const maxJsonBytes = 4 * 1024 * 1024;
/** Deeper values cannot be posted to another thread. */
const maxJsonDepth = 100;

/** Bytes that a file may have at most: what is parsed must not fill the memory, however well it was compressed. */
export function maxBytesOf(path: string): number {
  if (!path.endsWith('.json')) return Number.POSITIVE_INFINITY;
  return isTokenizer(path) ? maxTokenizerBytes : maxJsonBytes;
}

/** `model_file_invalid` for a file that is longer than `maxBytesOf` its path. */
export function tooLargeError(path: string, address: string): VecinityError {
  const allowed = `${Math.round(maxBytesOf(path) / 2 ** 20)} MiB`;
  return new VecinityError(
    'model_file_invalid',
    `The file ${path} at ${address} has more than the ${allowed} allowed.`,
  );
}

/**
 * Parses a JSON file; of a tokenizer, see `parseTokenizerJson`. Throws `model_file_invalid` with the file's name, also
 * when it is too deep; how long it may be is up to who reads it.
 */
export function parseJson(bytes: Uint8Array, path: string, address: string): unknown {
  const value = parse(bytes, path, address);
  // A tokenizer stays in its thread, and its library refuses what it cannot walk through.
  if (isTokenizer(path) || !isDeeper(value, maxJsonDepth)) return value;
  throw new VecinityError('model_file_invalid', `The file ${path} at ${address} nests its values too deeply.`);
}

function parse(bytes: Uint8Array, path: string, address: string): unknown {
  try {
    return isTokenizer(path) ? parseTokenizerJson(bytes) : JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new VecinityError('model_file_invalid', `The file ${path} at ${address} is not valid JSON.`, { cause });
  }
}

function isTokenizer(path: string): boolean {
  return path === 'tokenizer.json';
}

/** Without recursion, level by level: the depth is what is not known. */
function isDeeper(value: unknown, limit: number): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return false;
}
