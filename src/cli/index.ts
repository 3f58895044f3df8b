#!/usr/bin/env node
/** The `vecinity` command: finds the subcommand, prints errors as one sentence, and sets the exit code. */
import { toVecinityError } from '../errors.js';
import { convert, convertUsage } from './convert.js';
import { serve, serveUsage } from './serve.js';

interface Command {
  usage: string;
  run(args: readonly string[], log: (line: string) => void): Promise<void>;
}

const commands: Record<string, Command> = {
  convert: { usage: convertUsage, run: convert },
  serve: { usage: serveUsage, run: serve },
};

const usage = `Usage: vecinity COMMAND [options]

  ${Object.keys(commands).join('\n  ')}

\`vecinity COMMAND --help\` tells more.`;

/** Exit codes: 0 done, 1 failed, 2 a wrong command line. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(usage);
    return name === undefined ? 2 : 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) return refuse(`There is no command "${name}".\n\n${usage}`);
  if (args.includes('--help') || args.includes('-h')) {
    console.log(command.usage);
    return 0;
  }
  try {
    await command.run(args, (line) => console.error(line));
    return 0;
  } catch (thrown) {
    const error = toVecinityError(thrown);
    if (error.code === 'invalid_request') return refuse(`${error.message}\n\n${command.usage}`);
    console.error(error.message);
    return 1;
  }
}

function refuse(message: string): number {
  console.error(message);
  return 2;
}

process.exitCode = await main(process.argv.slice(2));
