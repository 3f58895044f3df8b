/** Builds the demo's Service Worker with the list of the files that it keeps; runs when all others are written. */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { rolldown } from 'rolldown';
import type { Plugin } from 'vite';

/** Bigger files (ONNX Runtime) are for some devices only; they are kept when they are first used. */
const maxShellBytes = 1_000_000;

interface ShellEntry {
  url: string;
  /** Null where the name already changes with the content. */
  revision: string | null;
}

export function offline(source: string): Plugin {
  let folder = '';
  return {
    name: 'demo:offline',
    apply: 'build',
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    async writeBundle() {
      if (this.environment.name !== 'client') return;
      await writeFile(path.join(folder, 'service-worker.js'), await bundle(source, await listFiles(folder)));
    },
  };
}

interface Files {
  shell: ShellEntry[];
  keptWhenUsed: string[];
}

/** Models are the person's choice and Service Workers are kept by the browser itself. */
async function listFiles(folder: string): Promise<Files> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((name) => !name.startsWith('models/') && !/^(vecinity-sw|service-worker)\.js$/.test(name))
    .sort();
  const files: Files = { shell: [], keptWhenUsed: [] };
  for (const name of names) {
    const file = path.join(folder, name);
    if ((await stat(file)).size > maxShellBytes) files.keptWhenUsed.push(name);
    else files.shell.push({ url: name, revision: name.startsWith('assets/') ? null : await hashFile(file) });
  }
  return files;
}

async function hashFile(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
    .slice(0, 12);
}

async function bundle(source: string, { shell, keptWhenUsed }: Files): Promise<string> {
  const define = {
    __SHELL__: JSON.stringify(shell),
    __KEPT_WHEN_USED__: JSON.stringify(keptWhenUsed),
    'process.env.NODE_ENV': '"production"',
  };
  const built = await rolldown({ input: source, platform: 'browser', transform: { define, target: 'es2022' } });
  const { output } = await built.generate({ format: 'iife', minify: true });
  await built.close();
  return output[0].code;
}
