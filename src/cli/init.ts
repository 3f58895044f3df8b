/** `vecinity init`: copies what a site must serve itself where no Vite plugin does it, and tells whether it is current. */
import { createHash } from 'node:crypto';
import { copyFile, lstat, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VecinityError } from '../errors.js';
import { describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { type Terminal, tell } from './terminal.js';

const flags = {
  check: { value: null, help: 'change nothing; fail when the files in DIR are not those of this package' },
} as const satisfies Record<string, Flag>;

export const initUsage = `Usage: vecinity init DIR [options]

DIR is the folder that the site serves at /, for example public. Writes DIR/vecinity-sw.js, the Service Worker, and
DIR/vecinity/ with the library, its workers and their WebAssembly. Then:

  import { createVecinity } from 'vecinity'; // or from '/vecinity/index.js', without a bundler
  await createVecinity({ workerUrl: '/vecinity/engine-worker.js' });

${describeFlags(flags)}`;

/** Its scope is the site only when it lies at its root. */
const serviceWorker = 'vecinity-sw.js';
const entries = ['index.js', 'engine-worker.js'];
const subfolder = 'vecinity';
const manifestFile = `${subfolder}/manifest.json`;

/** Static and dynamic imports, and files that are named relative to a module; as minifiers write them. */
const references =
  /(?:\bfrom|\bimport)\s*\(?\s*["'`](\.\/[^"'`]+)["'`]|\bnew URL\(\s*["'`](\.\/[^"'`]+)["'`]\s*,\s*import\.meta\.url/g;

interface Asset {
  /** In the package. */
  source: string;
  sha256: string;
}

/** By path below DIR. */
type Assets = ReadonlyMap<string, Asset>;

/** Runs the command. Throws `invalid_request`, and with `--check` for files that are not current. */
export async function init(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  const [folder, ...rest] = given.positionals;
  if (folder === undefined || rest.length > 0)
    throw usageError(`\`init\` takes one DIR, got ${given.positionals.length}.`);
  const source = fileURLToPath(new URL('./', import.meta.url));
  if (given.has('check')) {
    await checkAssets(source, folder);
    tell(terminal, `${folder} is current`);
    return;
  }
  const count = await installAssets(source, folder);
  tell(terminal, `wrote ${count} files to ${folder}`);
  tell(
    terminal,
    "next: createVecinity({ workerUrl: '/vecinity/engine-worker.js' }); `vecinity init --help` tells more",
  );
}

/** Copies the files and takes away those of an earlier version; returns how many there are. */
export async function installAssets(source: string, folder: string): Promise<number> {
  const assets = await collectAssets(source);
  const target = resolve(folder);
  const earlier = await readManifest(target);
  await requireInside(target, subfolder);
  for (const [path, { source: file }] of assets) {
    await requireInside(target, dirname(path));
    await replace(join(target, path), (partial) => copyFile(file, partial));
  }
  for (const path of Object.keys(earlier)) if (!assets.has(path)) await remove(target, path);
  const files = Object.fromEntries([...assets].map(([path, { sha256 }]) => [path, sha256]));
  const manifest = `${JSON.stringify({ files }, null, 2)}\n`;
  await replace(join(target, manifestFile), (partial) => writeFile(partial, manifest));
  return assets.size;
}

/** Throws `not_found` with the files that are missing or changed, and what to do. */
export async function checkAssets(source: string, folder: string): Promise<void> {
  const target = resolve(folder);
  const wrong: string[] = [];
  for (const [path, { sha256 }] of await collectAssets(source)) {
    const bytes = await readFile(join(target, path)).catch(() => null);
    if (bytes === null) wrong.push(`${path} is missing`);
    else if (hashOf(bytes) !== sha256) wrong.push(`${path} is of another version`);
  }
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 3).join(', ') + (wrong.length > 3 ? ` and ${wrong.length - 3} more` : '');
  throw new VecinityError('not_found', `${folder} is not current: ${shown}. Run \`vecinity init ${folder}\`.`);
}

/** What the entries lead to, one file after another: Node's parts lie in the same folder and are left out. */
async function collectAssets(source: string): Promise<Assets> {
  const assets = new Map<string, Asset>();
  await collect(source, serviceWorker, (file) => assets.set(serviceWorker, file));
  const waiting = [...entries];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const place = `${subfolder}/${path}`;
    if (assets.has(place)) continue;
    const bytes = await collect(source, path, (file) => assets.set(place, file));
    if (path.endsWith('.js')) waiting.push(...referencesOf(bytes, path));
  }
  return assets;
}

async function collect(source: string, path: string, keep: (asset: Asset) => void): Promise<Buffer> {
  const file = join(source, path);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new VecinityError('not_found', `The package is not whole: ${file} is not there.`, { cause });
  });
  keep({ source: file, sha256: hashOf(bytes) });
  return bytes;
}

function referencesOf(bytes: Buffer, path: string): string[] {
  const found = [...bytes.toString().matchAll(references)].map((match) => match[1] ?? match[2] ?? '');
  return found.map((reference) => posix.join(posix.dirname(path), reference));
}

/**
 * A server that answers at the same time sends the old file or the new one, never half of it. A link that lies there is
 * replaced, not followed.
 */
async function replace(to: string, write: (partial: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  const partial = `${to}.${process.pid}.partial`;
  await write(partial);
  await rename(partial, to);
}

async function remove(target: string, path: string): Promise<void> {
  await requireInside(target, dirname(path));
  const found = await lstat(join(target, path)).catch(() => null);
  if (found?.isFile() || found?.isSymbolicLink()) await rm(join(target, path), { force: true });
}

/** Throws `invalid_request` where a folder below DIR is a link to one elsewhere, as a repository from anywhere may hold. */
async function requireInside(target: string, folder: string): Promise<void> {
  const wanted = join(target, folder);
  const [root, place] = await Promise.all([realpath(target), realpath(wanted)].map((path) => path.catch(() => null)));
  // What is not there yet is made where it is asked for.
  if (root == null || place == null || `${place}${sep}`.startsWith(`${root}${sep}`)) return;
  throw new VecinityError(
    'invalid_request',
    `${wanted} is a link that leads out of ${target}; nothing is written there.`,
  );
}

async function readManifest(target: string): Promise<Record<string, unknown>> {
  const text = await readFile(join(target, manifestFile), 'utf8').catch(() => '{}');
  try {
    const { files } = JSON.parse(text) as { files?: Record<string, unknown> };
    // Only what lies in our own folder is ours to take away.
    return Object.fromEntries(Object.entries(files ?? {}).filter(([path]) => isOurs(path)));
  } catch {
    return {};
  }
}

function isOurs(path: string): boolean {
  return path === serviceWorker || (path.startsWith(`${subfolder}/`) && !/[\\\0]|(?:^|\/)\.\.(?:\/|$)/.test(path));
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
