/** The command line of the soak: its options, their defaults, and an error that names what is wrong. */
import { parseWords, UsageError } from '../../scripts/command-line.js';
import { faultsOn } from './faults.js';

export interface SoakOptions {
  /** How long requests are sent; what is open then is waited for. */
  minutes: number;
  /** Decides which requests and faults come, in which order. */
  seed: number;
  /** Tabs that are open at a time. */
  tabs: number;
  /** Where the counts are also written; null prints only. */
  json: string | null;
  /** Computes on the GPU, whose process then crashes too. */
  gpu: boolean;
  /** The kinds of faults that come; null for all. */
  faults: readonly string[] | null;
  help: boolean;
}

export const defaults = { minutes: 10, tabs: 4 } as const;
const maxSeed = 2 ** 32 - 1;

export const usage = `Usage: npm run soak -- [options]

  --minutes M   how long requests are sent (default: ${defaults.minutes})
  --seed S      decides requests and faults, 0 to ${maxSeed} (default: by chance; it is printed)
  --tabs N      tabs that are open at a time (default: ${defaults.tabs})
  --json FILE   also write {sent, answered, refused, lost, wrong, faults} to FILE
  --gpu         compute on the GPU (WebGPU) and let it crash too
  --faults A,B  only these kinds: ${Object.keys(faultsOn(true)).join(', ')}
  --help        this text`;

const options = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  tabs: { type: 'string' },
  json: { type: 'string' },
  gpu: { type: 'boolean' },
  faults: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Parses the words after `npm run soak --`; throws `UsageError` for anything that is not in `usage`. */
export function parseOptions(args: readonly string[]): SoakOptions {
  const values = parseWords(args, options, usage);
  return {
    minutes: parseNumber('--minutes', values.minutes, { least: 0.1, most: 1_440 }) ?? defaults.minutes,
    seed: parseWhole('--seed', values.seed, { least: 0, most: maxSeed }) ?? Math.floor(Math.random() * maxSeed),
    tabs: parseWhole('--tabs', values.tabs, { least: 2, most: 16 }) ?? defaults.tabs,
    json: values.json ?? null,
    gpu: values.gpu ?? false,
    faults: values.faults === undefined ? null : parseKinds(values.faults, values.gpu ?? false),
    help: values.help ?? false,
  };
}

function parseKinds(value: string, gpu: boolean): string[] {
  const kinds = value.split(',');
  const known = faultsOn(gpu);
  const unknown = kinds.find((kind) => !Object.hasOwn(known, kind));
  if (unknown === undefined) return kinds;
  throw new UsageError(`--faults knows ${Object.keys(known).join(', ')}, got "${unknown}".`);
}

interface Range {
  least: number;
  most: number;
}

function parseNumber(option: string, value: string | undefined, { least, most }: Range): number | null {
  if (value === undefined) return null;
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (number >= least && number <= most) return number;
  throw new UsageError(`${option} must be a number from ${least} to ${most}, got "${value}".`);
}

function parseWhole(option: string, value: string | undefined, range: Range): number | null {
  const number = parseNumber(option, value, range);
  if (number === null || Number.isInteger(number)) return number;
  throw new UsageError(`${option} must be a whole number, got "${value}".`);
}
