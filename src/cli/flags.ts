/** Flags of a command as a table: read from the command line and the environment, checked, and told in the usage. */
import { parseArgs } from 'node:util';
import { VecinityError, wordsOf } from '../errors.js';

export interface Flag {
  /** Looked at in this order when the flag is not given. */
  environment?: readonly string[];
  /** What stands for the value in the usage; null for a switch that takes none. */
  value: string | null;
  help: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ReadOptions {
  environment: Environment;
  /** True where words without a flag are texts or names. */
  positionals?: boolean;
}

/** Flags win over the environment, an empty variable is none. Throws `invalid_request` that names the argument. */
export function readArguments<Name extends string>(
  flags: Readonly<Record<Name, Flag>>,
  args: readonly string[],
  { environment, positionals = false }: ReadOptions,
): Arguments<Name> {
  const names = Object.keys(flags) as Name[];
  const parsed = parse(flags, args, positionals);
  const values = new Map<Name, string>();
  for (const name of names) {
    const variables = flags[name].environment ?? [];
    const value = parsed.values[name] ?? variables.map((variable) => environment[variable]).find(Boolean);
    if (value !== undefined) values.set(name, String(value));
  }
  return new Arguments(flags, values, parsed.positionals);
}

/** What a command was given; every question names a flag of its table. */
export class Arguments<Name extends string> {
  readonly positionals: readonly string[];
  // Wider than `Name`, so that a command's arguments can be given to what asks for a part of them.
  readonly #flags: Readonly<Record<string, Flag>>;
  readonly #values: ReadonlyMap<string, string>;

  constructor(flags: Readonly<Record<Name, Flag>>, values: ReadonlyMap<Name, string>, positionals: readonly string[]) {
    this.#flags = flags;
    this.#values = values;
    this.positionals = positionals;
  }

  text(name: Name): string | undefined {
    return this.#values.get(name);
  }

  has(name: Name): boolean {
    return this.#values.has(name);
  }

  /** Throws `invalid_request` for what is not an integer of the range. */
  integer(name: Name, range: { least: number; most?: number }): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const { least, most = Number.MAX_SAFE_INTEGER } = range;
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw this.wrong(name, range.most === undefined ? `an integer of at least ${least}` : `from ${least} to ${most}`);
  }

  /** Throws `invalid_request` for a word that is not one of `words`. */
  word<const Words extends readonly string[]>(name: Name, words: Words): Words[number] | undefined {
    const value = this.text(name);
    if (value === undefined || words.includes(value)) return value;
    throw this.wrong(name, words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`);
  }

  /** The error of a flag whose value is not allowed. */
  wrong(name: Name, allowed: string): VecinityError {
    const variables = this.#flags[name]?.environment ?? [];
    const place = variables.length === 0 ? `\`--${name}\`` : `\`--${name}\` (or ${variables.join(', ')})`;
    return usageError(`${place} must be ${allowed}; got ${JSON.stringify(this.text(name) ?? '')}.`, name);
  }
}

/** Columns of a usage: where the help of a flag begins, and where its lines end. */
const helpColumn = 27;
const usageColumns = 110;

/** The flags as lines of a usage; a long help goes on below itself. */
export function describeFlags(flags: Readonly<Record<string, Flag>>): string {
  const lines = Object.entries(flags).flatMap(([name, { value, help, environment = [] }]) => {
    const flag = value === null ? `  --${name}` : `  --${name} ${value}`;
    const words = environment.length === 0 ? help : `${help} [${environment.join(', ')}]`;
    const [first = '', ...more] = wrap(words, usageColumns - helpColumn);
    const below = more.map((line) => ' '.repeat(helpColumn) + line);
    if (flag.length < helpColumn) return [flag.padEnd(helpColumn) + first, ...below];
    return [flag, ' '.repeat(helpColumn) + first, ...below];
  });
  return lines.join('\n');
}

/** Lines of whole words, none longer than `width` unless one word is. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** A wrong command line: exit code 2. */
export function usageError(message: string, param: string | null = null, cause?: unknown): VecinityError {
  return new VecinityError('invalid_request', message, { param, cause });
}

function parse(flags: Readonly<Record<string, Flag>>, args: readonly string[], allowPositionals: boolean) {
  const entries = Object.entries(flags);
  const options = Object.fromEntries(
    entries.map(([name, { value }]) => [name, { type: value === null ? ('boolean' as const) : ('string' as const) }]),
  );
  try {
    return parseArgs({ args: [...args], options, allowPositionals, strict: true });
  } catch (cause) {
    // Node's own words name the argument; what follows for an unknown one is about texts that begin with a dash.
    const [unknown, name] = /^Unknown option '--?([^']+)'/.exec(wordsOf(cause)) ?? [];
    if (unknown === undefined || name === undefined) throw usageError(wordsOf(cause), null, cause);
    const meant = Object.keys(flags).find((flag) => isAlmost(flag, name));
    throw usageError(`${unknown}.${meant === undefined ? '' : ` Is --${meant} meant?`}`, null, cause);
  }
}

/** True for words that one slip of a finger apart are the same: a letter too many, too few, another, or two exchanged. */
function isAlmost(word: string, typed: string): boolean {
  let start = 0;
  while (start < word.length && word[start] === typed[start]) start++;
  const [rest, typedRest] = [word.slice(start), typed.slice(start)];
  const swapped = (rest[1] ?? '') + (rest[0] ?? '') + rest.slice(2);
  return (
    rest.slice(1) === typedRest ||
    rest === typedRest.slice(1) ||
    rest.slice(1) === typedRest.slice(1) ||
    swapped === typedRest ||
    (typed.length > 2 && word.startsWith(typed))
  );
}
