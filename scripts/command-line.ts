/** What the commands for developers share in reading their words. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { wordsOf } from '../src/errors.js';

/** A wrong command line; the message is for the person who typed it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The values of the options; throws `UsageError` with the usage for anything that is not among them. */
export function parseWords<const Options extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: Options,
  usage: string,
) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(`${wordsOf(error)}\n\n${usage}`);
  }
}
