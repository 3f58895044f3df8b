#!/usr/bin/env node
/** The `vecinity` command: finds the subcommand, prints errors as one sentence, and sets the exit code. */
import { readFile } from 'node:fs/promises';
import { toVecinityError } from '../errors.js';
import { bench, benchUsage } from './bench.js';
import { convert, convertUsage } from './convert.js';
import { doctor, doctorUsage } from './doctor.js';
import { embed, embedUsage } from './embed.js';
import { init, initUsage } from './init.js';
import { pull, pullUsage } from './pull.js';
import { rerank, rerankUsage } from './rerank.js';
import { serve, serveUsage } from './serve.js';
import { similarity, similarityUsage } from './similarity.js';
import { type Terminal, tell, write } from './terminal.js';
import { inWordsOfFlags } from './words.js';

interface Command {
  summary: string;
  usage: string;
  /** Its work holds the event loop, so that no listener would hear of a signal: the system's own answer is taken. */
  blocks?: true;
  run(args: readonly string[], terminal: Terminal): Promise<void>;
}

const commands: Record<string, Command> = {
  embed: { summary: 'print the vectors of texts', usage: embedUsage, run: embed },
  rerank: { summary: 'order documents by a query', usage: rerankUsage, run: rerank },
  similarity: { summary: 'print how alike texts are', usage: similarityUsage, run: similarity },
  serve: { summary: 'answer the HTTP APIs on a port', usage: serveUsage, run: serve },
  pull: { summary: 'download a model from the hub', usage: pullUsage, run: pull },
  init: { summary: 'copy what a site serves itself', usage: initUsage, run: init },
  convert: {
    summary: 'write a model in 8 bits',
    usage: convertUsage,
    blocks: true,
    run: convert,
  },
  doctor: { summary: 'tell what is there to compute with', usage: doctorUsage, run: doctor },
  bench: { summary: 'measure how fast a model is here', usage: benchUsage, run: bench },
};

const usage = `Usage: vecinity COMMAND [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)} ${summary}`)
  .join('\n')}

\`vecinity COMMAND --help\` tells more; \`vecinity --version\` prints the version.
Exit codes: 0 done, 1 failed, 2 a wrong command line, 130 interrupted.`;

const failed = 1;
const wrongUsage = 2;
/** A shell's codes for a process that a signal ended. */
const codeOfSignal = { SIGINT: 130, SIGTERM: 143 } as const;

async function main([name, ...args]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h') return await print(terminal, usage, name === undefined);
  if (name === 'help') return await main([args[0] ?? '--help', ...(args.length > 0 ? ['--help'] : [])], terminal);
  if (name === '--version' || name === '-v') return await print(terminal, await readVersion());
  const command = findCommand(name);
  if (!command) {
    tell(terminal, `vecinity: there is no command "${name}"\n\n${usage}`);
    return wrongUsage;
  }
  if (asksForHelp(args)) return await print(terminal, command.usage);
  try {
    await command.run(args, terminal);
    return 0;
  } catch (thrown) {
    return explain(thrown, name, terminal);
  }
}

function findCommand(name: string | undefined): Command | undefined {
  return name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
}

/** What a person should read of a failure, and its exit code. */
function explain(thrown: unknown, name: string, terminal: Terminal): number {
  // Whoever reads our output has had enough, as `head` does.
  if (isBrokenPipe(thrown)) return 0;
  const { signal } = terminal;
  if (signal.aborted) return codeOfSignal[signal.reason === 'SIGTERM' ? 'SIGTERM' : 'SIGINT'];
  const error = toVecinityError(thrown);
  tell(terminal, `vecinity ${name}: ${inWordsOfFlags(error.message)}`);
  if (error.code !== 'invalid_request') return failed;
  tell(terminal, `\`vecinity ${name} --help\` shows the options.`);
  return wrongUsage;
}

/** A usage that was not asked for is a message, not a result. */
async function print(terminal: Terminal, text: string, unasked = false): Promise<number> {
  await write(unasked ? terminal.stderr : terminal.stdout, `${text}\n`);
  return unasked ? wrongUsage : 0;
}

/** Words after `--` are texts. */
function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const flags = end < 0 ? args : args.slice(0, end);
  return flags.includes('--help') || flags.includes('-h');
}

async function readVersion(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  return String((JSON.parse(text) as { version: unknown }).version);
}

function isBrokenPipe(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPIPE';
}

/** The first signal asks the command to end, a second one ends the process at once. */
function openTerminal(listens: boolean): Terminal {
  const controller = new AbortController();
  for (const name of listens ? (['SIGINT', 'SIGTERM'] as const) : []) {
    process.once(name, () => controller.abort(name));
  }
  // A pipe that is closed is reported by the write; without listeners it would end the process with a stack trace.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  const { env: environment, stdin, stdout, stderr } = process;
  return { environment, stdin, stdout, stderr, signal: controller.signal };
}

const args = process.argv.slice(2);
process.exitCode = await main(args, openTerminal(!findCommand(args[0])?.blocks));
