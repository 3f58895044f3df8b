/** The command line of the benchmark: its options, their defaults, and an error that names what is wrong. */
import { parseWords, UsageError } from '../scripts/command-line.js';

export interface BenchOptions {
  /** Where the results are also written as JSON; null prints only. */
  json: string | null;
  /** JSON list of texts; null takes `mixed.json` of the shared benchmark corpora. */
  corpus: string | null;
  /** Reference vectors; null takes those of the default model. */
  goldens: string | null;
  /** Folder of models in hub layout; null takes the shared folder. */
  models: string | null;
  /** Keys of the systems to run; null runs all. */
  systems: string[] | null;
  /** Turns of every system, each in a fresh page. */
  rounds: number;
  /** A quarter of the texts and one round: for looking, not for quoting. */
  quick: boolean;
  /** Also scores retrieval on the known-item corpus. */
  quality: boolean;
  /** Serves the page with the headers that allow shared memory. */
  isolated: boolean;
  /** Prints the usage and ends. */
  help: boolean;
}

export const defaultRounds = 3;

export const usage = `Usage: npm run bench -- [options]
       npm run bench -- handler | load [SECONDS] | memory | serve   (bench/README.md says what each measures)

  --json FILE       also write {machine, rows} to FILE
  --corpus FILE     JSON list of texts (default: ../shared/bench/mixed.json)
  --goldens FILE    reference vectors {texts, embeddings} (default: ../shared/goldens/all-MiniLM-L6-v2.json)
  --models DIR      models in hub layout (default: ../shared/models)
  --systems A,B     only these systems; a word matches every system whose key contains it
  --rounds N        turns of every system, each in a fresh page (default: ${defaultRounds})
  --quality         also MRR@10 and recall@10 on the known-item corpus
  --not-isolated    serve the page without cross-origin isolation: no shared memory, no threads of onnxruntime
  --quick           a quarter of the texts, one round
  --help            this text`;

const options = {
  json: { type: 'string' },
  corpus: { type: 'string' },
  goldens: { type: 'string' },
  models: { type: 'string' },
  systems: { type: 'string' },
  rounds: { type: 'string' },
  quick: { type: 'boolean' },
  quality: { type: 'boolean' },
  'not-isolated': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Parses the words after `npm run bench --`; throws `UsageError` for anything that is not in `usage`. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const values = parseWords(args, options, usage);
  const quick = values.quick ?? false;
  return {
    json: values.json ?? null,
    corpus: values.corpus ?? null,
    goldens: values.goldens ?? null,
    models: values.models ?? null,
    systems: values.systems === undefined ? null : parseList('--systems', values.systems),
    rounds: values.rounds === undefined ? (quick ? 1 : defaultRounds) : parseCount('--rounds', values.rounds),
    quick,
    quality: values.quality ?? false,
    isolated: !(values['not-isolated'] ?? false),
    help: values.help ?? false,
  };
}

function parseList(option: string, value: string): string[] {
  const words = value
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (words.length === 0) throw new UsageError(`${option} needs at least one name, got "${value}".`);
  return words;
}

function parseCount(option: string, value: string): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw new UsageError(`${option} must be a whole number from 1 to 100, got "${value}".`);
  }
  return count;
}
