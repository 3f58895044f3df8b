/** `vecinity rerank`: documents in the order of how well they answer a query. */
import { describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { outputFlags, type Result, toOutput, writeResult } from './output.js';
import { createProgress } from './progress.js';
import type { Terminal } from './terminal.js';
import { readTexts } from './texts.js';
import { modelFlags, withModel } from './with-model.js';

const flags = {
  file: { value: 'FILE', help: 'documents, one a line; - is the standard input' },
  'top-n': { value: 'N', help: 'results to print (default: all)' },
  'raw-scores': { value: null, help: "a cross-encoder's logits instead of their sigmoid" },
  'no-truncate': { value: null, help: 'fail on a document that is too long instead of cutting it' },
  ...outputFlags,
  ...modelFlags,
} as const satisfies Record<string, Flag>;

export const rerankUsage = `Usage: vecinity rerank QUERY [DOCUMENT...] [options]

Prints the documents, the best first; without a document and without --file it reads lines from its input.
With an embedding model the score is the cosine.

${describeFlags(flags)}`;

/** Runs the command. Throws `invalid_request` for a wrong command line, and what the model fails with. */
export async function rerank(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  const output = toOutput(given, terminal);
  const topN = given.integer('top-n', { least: 1 });
  const [query, ...named] = given.positionals;
  if (query === undefined) throw usageError('`rerank` takes a QUERY first.');
  const documents = await readTexts({ given: named, file: given.text('file') }, terminal);
  await withModel(given, terminal, async ({ engine, status }) => {
    const progress = createProgress(terminal, (done, total) => `${done} of ${total} documents`);
    const { scores, usage } = await engine
      .rerank({
        ...{ model: status.id, query, documents, signal: terminal.signal },
        scoreActivation: given.has('raw-scores') ? 'none' : 'sigmoid',
        maxTokensPerDocument: null,
        truncate: !given.has('no-truncate'),
        onProgress: ({ done, total }) => progress.show('rerank', done, total),
      })
      .finally(() => progress.clear());
    const order = rank(scores).slice(0, topN);
    const head = { model: status.id, query, usage };
    await writeResult(toResult({ head, order, scores, documents }), output, terminal);
  });
}

interface Ranking {
  head: object;
  /** Indices of documents, the best first. */
  order: readonly number[];
  scores: Float32Array;
  documents: readonly string[];
}

/** Documents of the same score keep their order. */
function rank(scores: Float32Array): number[] {
  return Array.from(scores.keys()).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
}

/** The array has two columns, the document's index and its score. */
function toResult({ head, order, scores, documents }: Ranking): Result {
  const at = (place: number) => order[place] ?? 0;
  const scoreAt = (place: number) => scores[at(place)] ?? 0;
  return {
    head,
    rowsName: 'results',
    count: order.length,
    row: (place) => ({ index: at(place), score: scoreAt(place), document: documents[at(place)] }),
    columns: ['index', 'score', 'document'],
    cells: (place) => [String(at(place)), scoreAt(place).toFixed(4), documents[at(place)] ?? ''],
    values: Float32Array.from(order.flatMap((index) => [index, scores[index] ?? 0])),
    shape: [order.length, 2],
  };
}
