/** Programs that tests start beside the browser: what they print, and their end with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { repositoryRoot } from '../../src/vite/bundle.js';

export class Program {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #printed: string[] = [];
  readonly #end: Promise<void>;
  #wake: () => void = () => {};

  /** Starts it in the repository's folder; a port is any free one. */
  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    // What builds and servers of this process left there would decide in what mode the program runs.
    const { NODE_ENV: _, ...inherited } = process.env;
    this.#child = spawn(command, args, {
      cwd: repositoryRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, PORT: '0', ...env },
    });
    const { stdout, stderr } = this.#child;
    if (!stdout || !stderr) throw new Error('the program has no output');
    createInterface(stdout).on('line', (line) => {
      this.#printed.push(line);
      this.#keep(line);
    });
    createInterface(stderr).on('line', (line) => this.#keep(line));
    this.#end = once(this.#child, 'close').then(() => this.#wake());
  }

  /** The number of its process. */
  get id(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error('The program was not started.');
    return pid;
  }

  /** The first line of either stream that matches, now or later. Rejects when the program ends without it. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      for (const line of this.#lines) {
        const match = pattern.exec(line);
        if (match) return match;
      }
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`The program ended without a line like ${pattern}:\n${this.#lines.join('\n')}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Waits for its end and gives what it wrote to its standard output. Rejects when it failed. */
  async output(): Promise<string> {
    await this.#end;
    if (this.#child.exitCode !== 0) throw new Error(`The program failed:\n${this.#lines.join('\n')}`);
    return this.#printed.join('\n');
  }

  #keep(line: string): void {
    this.#lines.push(line);
    this.#wake();
  }

  /** Tells it to end and waits for that. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM');
    await this.#end;
    return this.#child.exitCode;
  }
}
