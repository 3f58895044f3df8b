/** The texts that a command works on: its arguments, the lines of a file, or the lines of its input. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { abortError, type VecinityError } from '../errors.js';
import { fileReason } from './file-error.js';
import { usageError } from './flags.js';
import type { Terminal } from './terminal.js';

export interface TextSources {
  /** Texts of the command line. */
  given: readonly string[];
  /** A file with a text on each line; `-` is the input. */
  file: string | undefined;
}

/**
 * Texts of the command line, then those of the file; the input where there is neither. Lines without text are left out.
 * Throws `invalid_request` where there is no text at all, or only a keyboard to read from.
 */
export async function readTexts({ given, file }: TextSources, terminal: Terminal): Promise<string[]> {
  const texts = [...given, ...(await readSource({ given, file }, terminal))];
  if (texts.length > 0) return texts;
  throw file === undefined ? withoutTexts() : usageError(`There is no text in ${file}.`);
}

async function readSource({ given, file }: TextSources, terminal: Terminal): Promise<string[]> {
  if (file !== undefined && file !== '-') return await readFileLines(file, terminal.signal);
  if (file === undefined && given.length > 0) return [];
  if (file === undefined && terminal.stdin.isTTY) throw withoutTexts();
  return await readLines(terminal.stdin, terminal.signal);
}

function withoutTexts(): VecinityError {
  return usageError('There is no text: give some as arguments, with --file, or through a pipe.');
}

async function readFileLines(file: string, signal: AbortSignal): Promise<string[]> {
  try {
    return await readLines(createReadStream(file), signal);
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw usageError(`\`--file\` names ${file}, which cannot be read: ${fileReason(cause)}.`, 'file', cause);
  }
}

/** Lines in UTF-8, without a byte order mark and line ends of any system. */
async function readLines(input: Readable, signal: AbortSignal): Promise<string[]> {
  const lines: string[] = [];
  // A line reader alone would keep a failed file's error to itself.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  failed.catch(() => {});
  const reader = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY, signal });
  const reading = (async () => {
    for await (const line of reader) if (line.trim() !== '') lines.push(line);
  })();
  await Promise.race([reading, failed]);
  if (signal.aborted) throw abortError(signal);
  const [first = ''] = lines;
  if (first.startsWith('\ufeff')) lines[0] = first.slice(1);
  return lines;
}
