/** What a command has of its process: arguments' environment, input, output, messages and the wish to end. */
import type { Readable, Writable } from 'node:stream';
import type { Environment } from './flags.js';

export interface Terminal {
  environment: Environment;
  /** Lines of text; not read where a person would have to type them unasked. */
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean; columns?: number };
  /** Messages and progress: never a part of the result. */
  stderr: Writable & { isTTY?: boolean; columns?: number };
  /** Fires at Ctrl-C and at SIGTERM. */
  signal: AbortSignal;
}

/** Writes and waits until there is room for more. Rejects with the stream's error. */
export function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** One line for people. */
export function tell(terminal: Pick<Terminal, 'stderr'>, line: string): void {
  terminal.stderr.write(`${line}\n`);
}
