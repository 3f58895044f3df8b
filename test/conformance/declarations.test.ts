/** The package's declarations, read by projects that check every file: only what a project installs may be named in them. */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { repositoryRoot } from '../../src/vite/bundle.js';

const installed = path.join(repositoryRoot, 'node_modules');
const tsc = path.join(installed, 'typescript/bin/tsc');

/** What such a project has beside the package: its peers, and the types of Node. */
const companions = ['ai', '@langchain/core', '@llamaindex/core', 'vite', '@types/node'];

/** Entries that hold no browser's types, so that they are read without them. */
const onNode = ['node', 'vite', 'ai-sdk', 'langchain', 'llamaindex', 'pipeline'];

let project = '';

beforeAll(async () => {
  project = await mkdtemp(path.join(tmpdir(), 'vecinity-types-'));
  const home = path.join(project, 'node_modules/vecinity');
  await mkdir(home, { recursive: true });
  await cp(path.join(repositoryRoot, 'package.json'), path.join(home, 'package.json'));
  expect(await check(['-p', 'tsconfig.types.json', '--outDir', path.join(home, 'dist/types')], repositoryRoot)).toBe(
    '',
  );
  for (const name of companions) {
    const place = path.join(project, 'node_modules', name);
    await mkdir(path.dirname(place), { recursive: true });
    await symlink(path.join(installed, name), place);
  }
  await writeFile(path.join(project, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rm(project, { recursive: true, force: true }));

/** What the compiler complains about. */
function check(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, ...args], { cwd }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

/** Complaints about the package's own files when the entries are imported; those of its peers are theirs to mend. */
async function complaints(resolution: string, lib: string, entries: readonly string[]): Promise<string[]> {
  const name = `${resolution}.ts`;
  const imports = entries.map((entry, at) => `import * as entry${at} from '${path.posix.join('vecinity', entry)}';`);
  const uses = entries.map((_, at) => `entry${at}`).join(', ');
  await writeFile(path.join(project, name), `${imports.join('\n')}\nexport const entries = [${uses}];\n`);
  const strict = ['--ignoreConfig', '--noEmit', '--strict', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes'];
  const modules = ['--module', resolution === 'bundler' ? 'esnext' : resolution, '--moduleResolution', resolution];
  const printed = await check(
    [...strict, ...modules, '--target', 'es2023', '--lib', lib, '--types', 'node', name],
    project,
  );
  return printed.split('\n').filter((line) => line.startsWith('node_modules/vecinity/') || line.startsWith(name));
}

describe.each(['bundler', 'nodenext'])('a project with moduleResolution %s', (resolution) => {
  it('reads the types of every entry', async () => {
    const entries = Object.entries(packageJson.exports).filter(([, target]) => typeof target === 'object');
    expect(
      await complaints(
        resolution,
        'ES2023,DOM,DOM.Iterable',
        entries.map(([entry]) => entry),
      ),
    ).toEqual([]);
  });

  it('reads those for Node without the types of a browser', async () => {
    expect(await complaints(resolution, 'ES2023', onNode)).toEqual([]);
  });
});
