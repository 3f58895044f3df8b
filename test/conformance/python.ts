/** Python programs of the tests. `VECINITY_PYTHON` names the interpreter; default `python3`. Nothing is installed here. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../src/vite/bundle.js';

const command = process.env.VECINITY_PYTHON ?? 'python3';
const run = promisify(execFile);

export type FoundPackage = { version: string; reason: null } | { version: null; reason: string };

/** The version of a Python package, or why it cannot be had. */
export async function findPython(name: string): Promise<FoundPackage> {
  const program = `import ${name}, sys; print(${name}.__version__, 'on Python', sys.version.split()[0])`;
  try {
    const { stdout } = await run(command, ['-c', program]);
    return { version: stdout.trim(), reason: null };
  } catch (error) {
    const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n');
    return { version: null, reason: lines.at(-1) ?? '' };
  }
}

/** Runs a program of this repository and parses the JSON that it prints. Rejects with its output when it fails. */
export async function runPython(file: string, args: readonly string[]) {
  const { stdout } = await run(command, [path.join(repositoryRoot, file), ...args]);
  return JSON.parse(stdout);
}
