/** The `vecinity` command as a process of its own, with what it prints and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';

export interface Ended {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

export interface CommandOptions {
  /** Written to the input, which ends after it; without it the input is empty. */
  input?: string;
  environment?: Record<string, string>;
  cwd?: string;
}

/** Starts `cli.js` of a built folder. */
export function startCommand(
  folder: string,
  args: readonly string[],
  { environment = {}, cwd = folder }: CommandOptions = {},
): ChildProcess {
  const env = { PATH: process.env.PATH ?? '', HOME: folder, ...environment };
  return spawn(process.execPath, [`${folder}/cli.js`, ...args], { stdio: 'pipe', env, cwd });
}

/** Runs it to its end. */
export async function runCommand(
  folder: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Ended> {
  return await finish(startCommand(folder, args, options), options.input);
}

/** What a started command prints until it ends. */
export async function finish(child: ChildProcess, input = ''): Promise<Ended> {
  if (!child.stdout || !child.stderr || !child.stdin) throw new Error('the process has no pipes');
  // A command that refuses its arguments may end before it has read the input.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr: stderr.toString() };
}
