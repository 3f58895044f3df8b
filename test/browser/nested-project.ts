/**
 * Projects with dependencies of their own (`test/projects/*`, `examples/next`): installed from the registry when a test
 * wants them, with the built package where npm would put it. What is installed is kept for the next run.
 */
import { execFile } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../src/vite/bundle.js';

const run = promisify(execFile);

/** npm's words for a registry that cannot be reached; every other failure is one of ours. */
const unreachable = /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED)\b/;

/** Its folder; null, and said in the test's output, where the registry cannot be reached. */
export async function installProject(name: string): Promise<string | null> {
  const folder = path.join(repositoryRoot, name);
  try {
    await installPackages(folder);
  } catch (error) {
    const reason = unreachable.exec(String(error))?.[0];
    if (reason === undefined) throw error;
    console.log(`${name}: absent: its packages cannot be installed (${reason})`);
    return null;
  }
  const installed = path.join(folder, 'node_modules/vecinity');
  await rm(installed, { recursive: true, force: true });
  for (const part of ['dist', 'package.json']) {
    await cp(path.join(repositoryRoot, part), path.join(installed, part), { recursive: true });
  }
  return folder;
}

/** `npm ci`, unless what is there was installed from the same lock. */
async function installPackages(folder: string): Promise<void> {
  const lock = await readFile(path.join(folder, 'package-lock.json'), 'utf8');
  const receipt = path.join(folder, 'node_modules/.installed-lock.json');
  if ((await readFile(receipt, 'utf8').catch(() => null)) === lock) return;
  const options = { cwd: folder, shell: process.platform === 'win32' };
  // Builds that ran in this process before may have left NODE_ENV=production, with which npm omits them.
  const wanted = ['--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--fetch-retries=1'];
  await run('npm', ['ci', ...wanted], options);
  await writeFile(receipt, lock);
}
