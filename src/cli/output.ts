/** How results leave a command: JSON, JSON lines, a NumPy array or a table; to the output or to a file. */

import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Writable } from 'node:stream';
import { fileReason } from './file-error.js';
import { type Arguments, type Flag, usageError } from './flags.js';
import { npyHeader, npyValues } from './npy.js';
import { formatTable } from './table.js';
import { type Terminal, write } from './terminal.js';

const formats = ['json', 'jsonl', 'npy', 'table'] as const;
export type Format = (typeof formats)[number];

export const outputFlags = {
  output: {
    value: 'FORMAT',
    help: 'json, jsonl, npy or table (default: table on a terminal, else by the name of --out, else json)',
  },
  out: { value: 'FILE', help: 'file to write instead of the standard output' },
} as const satisfies Record<string, Flag>;

export interface Output {
  format: Format;
  /** Null is the standard output. */
  file: string | null;
}

/** What was computed, in every form that may be asked for; rows come one by one, so that no text of all is made. */
export interface Result {
  /** Members of the JSON object before the rows, and the name of the rows. */
  head: object;
  rowsName: string;
  count: number;
  /** A row as JSON has it. */
  row(index: number): object;
  /** A row of the table; its cells are text. */
  cells(index: number): readonly string[];
  columns: readonly string[];
  /** The numbers, with the shape of the array. */
  values: Float32Array;
  shape: readonly number[];
}

/** Throws `invalid_request` for a format that is not known, or bytes for a terminal. */
export function toOutput(given: Arguments<keyof typeof outputFlags>, { stdout }: Pick<Terminal, 'stdout'>): Output {
  const file = given.text('out') ?? null;
  const format = given.word('output', formats) ?? usualFormat(file, stdout.isTTY ?? false);
  if (format === 'npy' && file === null && stdout.isTTY) {
    throw usageError('`--output npy` is bytes, which a terminal cannot show: give --out FILE or use a pipe.', 'output');
  }
  return { format, file };
}

function usualFormat(file: string | null, isTerminal: boolean): Format {
  if (file === null) return isTerminal ? 'table' : 'json';
  const ending = extname(file).slice(1);
  return formats.find((format) => format === ending) ?? 'json';
}

/** A file appears whole or not at all. */
export async function writeResult(result: Result, { format, file }: Output, terminal: Terminal): Promise<void> {
  if (file === null) return await writeTo(terminal.stdout, result, format);
  const partial = `${file}.${randomUUID()}.partial`;
  const stream = createWriteStream(partial);
  // What goes wrong is told to the write that it happens to.
  stream.on('error', () => {});
  try {
    await writeTo(stream, result, format);
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.end(resolve);
    });
    await rename(partial, file);
  } catch (cause) {
    stream.destroy();
    await rm(partial, { force: true });
    throw usageError(`\`--out\` names ${file}, which cannot be written: ${fileReason(cause)}.`, 'out', cause);
  }
}

async function writeTo(stream: Writable, result: Result, format: Format): Promise<void> {
  for (const chunk of chunksOf(result, format)) await write(stream, chunk);
}

function* chunksOf(result: Result, format: Format): Generator<string | Uint8Array> {
  if (format === 'npy') {
    yield npyHeader(result.shape);
    yield npyValues(result.values);
  } else if (format === 'table') {
    const rows = Array.from({ length: result.count }, (_, index) => result.cells(index));
    yield formatTable(result.columns, rows);
  } else if (format === 'jsonl') {
    for (let index = 0; index < result.count; index++) yield `${JSON.stringify(result.row(index))}\n`;
  } else {
    yield* jsonOf(result);
  }
}

function* jsonOf({ head, rowsName, count, row }: Result): Generator<string> {
  yield `${JSON.stringify(head).slice(0, -1)},${JSON.stringify(rowsName)}:[`;
  for (let index = 0; index < count; index++) yield `${index === 0 ? '' : ','}\n${JSON.stringify(row(index))}`;
  yield '\n]}\n';
}
