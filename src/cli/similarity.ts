/** `vecinity similarity`: how alike texts are, each with each. */
import { similarityMatrix } from '../core/similarity.js';
import { type Embedded, embedAll, textFlags, toChoice } from './embed.js';
import { describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { outputFlags, type Result, toOutput, writeResult } from './output.js';
import type { Terminal } from './terminal.js';
import { readTexts } from './texts.js';
import { modelFlags, withModel } from './with-model.js';

const measures = ['cosine', 'dot', 'euclidean', 'manhattan'] as const;

/** A matrix of this many rows has 64 MiB. */
const mostTexts = 4096;

const flags = {
  measure: { value: 'MEASURE', help: `${measures.join(', ')}; distances are negative (default: the model's own)` },
  ...textFlags,
  ...outputFlags,
  ...modelFlags,
} as const satisfies Record<string, Flag>;

export const similarityUsage = `Usage: vecinity similarity TEXT TEXT... [options]

Prints a matrix: row i, column j tells how alike the texts i and j are; higher is more alike. Without a text and
without --file it reads lines from its input.

${describeFlags(flags)}`;

/** Runs the command. Throws `invalid_request` for a wrong command line, and what the model fails with. */
export async function similarity(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  const output = toOutput(given, terminal);
  const asked = given.word('measure', measures);
  const choice = toChoice(given);
  const texts = await readTexts({ given: given.positionals, file: given.text('file') }, terminal);
  if (texts.length < 2 || texts.length > mostTexts) {
    throw usageError(`\`similarity\` takes from 2 to ${mostTexts} texts, got ${texts.length}.`);
  }
  await withModel(given, terminal, async (loaded) => {
    const embedded = await embedAll(loaded, { texts, choice }, terminal);
    const measure = asked ?? loaded.status.spec?.similarity ?? 'cosine';
    const vectors = rowsOf(embedded, texts.length);
    const matrix = similarityMatrix(vectors, vectors, measure);
    const head = { model: embedded.model, measure, usage: { promptTokens: embedded.promptTokens } };
    await writeResult(toResult(head, matrix, texts), output, terminal);
  });
}

function rowsOf({ values, dimensions }: Embedded, count: number): Float32Array[] {
  return Array.from({ length: count }, (_, index) => values.subarray(index * dimensions, (index + 1) * dimensions));
}

function toResult(head: object, matrix: Float32Array, texts: readonly string[]): Result {
  const count = texts.length;
  const row = (index: number) => Array.from(matrix.subarray(index * count, (index + 1) * count));
  return {
    head,
    rowsName: 'similarities',
    count,
    row: (index) => ({ index, text: texts[index], similarities: row(index) }),
    columns: ['index', 'text', ...texts.map((_, index) => String(index))],
    cells: (index) => [String(index), texts[index] ?? '', ...row(index).map((value) => value.toFixed(4))],
    values: matrix,
    shape: [count, count],
  };
}
