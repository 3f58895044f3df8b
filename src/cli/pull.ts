/** `vecinity pull`: a model from the hub onto this disk, whole or not at all, where the other commands find it. */
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { supportsModel } from '../backend/wasm/supports.js';
import { RateMeter } from '../core/load-rate.js';
import { type CatalogueEntry, findEntry } from '../models/catalogue.js';
import type { HubTree } from '../models/hub-tree.js';
import { formatManifest, manifestFile } from '../models/manifest.js';
import { openModelFiles } from '../models/open-files.js';
import { resolveModel } from '../models/resolve.js';
import { loadModelSpec } from '../models/spec-files.js';
import { pulledModels } from './cache.js';
import { cacheFolder, sourceFlags, toHub } from './engine-flags.js';
import { fetchFile } from './fetch-file.js';
import { type Arguments, describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { type HubFile, type HubListing, type HubSource, listRepository } from './hub.js';
import { withLock } from './lock.js';
import { createProgress, describeSpeed, inMegabytes } from './progress.js';
import { noWeights, onnxFiles, safetensorsFiles, smallFiles, type WeightForm } from './pull-files.js';
import { type Terminal, tell, write } from './terminal.js';

const flags = {
  revision: { value: 'REVISION', help: 'branch, tag or commit (default: main)' },
  weights: { value: 'FORM', help: 'auto, safetensors or onnx (default: auto, what the engine here reads)' },
  dtype: { environment: ['DTYPE'], value: 'DTYPE', help: 'of ONNX weights: auto, f32, f16 or q8 (default: auto)' },
  output: { value: 'DIR', help: 'folder to write instead of the cache' },
  ...sourceFlags,
} as const satisfies Record<string, Flag>;

export const pullUsage = `Usage: vecinity pull MODEL [options]

MODEL is a name of the catalogue or a hub id (owner/name). Prints the folder. A download that was interrupted goes on
where it stopped; every file's length and hash are checked.

${describeFlags(flags)}`;

/** Beside the model's own files: where they come from. */
const receiptFile = 'vecinity-pull.json';

interface Wish {
  repository: string;
  revision: string;
  entry: CatalogueEntry | null;
  source: HubSource;
  folder: string;
}

/** Runs the command. Throws `invalid_request`, and what the hub or the disk fails with. */
export async function pull(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  const wish = toWish(given, terminal);
  const choose = chooser(given, wish, terminal.signal);
  const { folder } = wish;
  const lock = join(dirname(folder), `.${basename(folder)}.lock`);
  const onWait = () => tell(terminal, `another process is pulling ${wish.repository}; waiting for it`);
  await withLock(lock, { signal: terminal.signal, onWait }, async () => {
    const listing = await listRepository({ ...wish.source, ...wish, signal: terminal.signal });
    const files = await choose(listing);
    const receipt = toReceipt(wish, listing, files);
    if (await isCurrent(folder, receipt)) return tell(terminal, `${wish.repository} is current at ${listing.commit}`);
    await requireOurs(folder);
    const staging = join(dirname(folder), `.${basename(folder)}.${listing.commit}.partial`);
    await download(files, { staging, source: wish.source, terminal });
    await writeFile(join(staging, receiptFile), receipt);
    await writeFile(join(staging, manifestFile), formatManifest(toManifest(files)));
    await putInPlace(staging, folder);
    tell(terminal, `pulled ${wish.repository} at ${listing.commit}`);
  });
  await write(terminal.stdout, `${folder}\n`);
}

function toWish(given: Arguments<keyof typeof flags>, { environment }: Terminal): Wish {
  const [name, ...rest] = given.positionals;
  if (name === undefined || rest.length > 0) {
    throw usageError(`\`pull\` takes one MODEL, got ${given.positionals.length}.`);
  }
  const entry = findEntry(name) ?? null;
  const repository = entry?.repository ?? name;
  if (!/^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(repository)) {
    throw usageError(`MODEL must be a name of the catalogue or a hub id (owner/name); got ${JSON.stringify(name)}.`);
  }
  const output = given.text('output');
  const folder = output === undefined ? join(pulledModels(cacheFolder(given, environment)), repository) : output;
  const revision = given.text('revision') ?? entry?.revision ?? 'main';
  return { repository, revision, entry, source: toHub(given), folder: resolve(folder) };
}

/** Reads the flags now, so that a wrong one is told before anything is asked of the network. */
function chooser(given: Arguments<keyof typeof flags>, wish: Wish, signal: AbortSignal) {
  const weights = given.word('weights', ['auto', 'safetensors', 'onnx']) ?? 'auto';
  const dtype = given.word('dtype', ['auto', 'f32', 'f16', 'q8']) ?? 'auto';
  return async (listing: HubListing): Promise<HubFile[]> => {
    const own = safetensorsFiles(listing.files);
    const form = weights === 'auto' ? await usualForm(own, listing, { wish, signal }) : weights;
    const small = smallFiles(listing.files);
    if (form === 'safetensors' && own.length > 0) return [...small, ...own];
    if (form === 'safetensors') throw noWeights(wish.repository, form, dtype);
    const onnx = onnxFiles(listing.files, dtype);
    if (onnx.length > 0) return [...small, ...onnx];
    const other = wish.entry?.onnxRepository ?? null;
    if (other === null) throw noWeights(wish.repository, form, dtype);
    const elsewhere = await listRepository({ ...wish.source, repository: other, revision: 'main', signal });
    const found = onnxFiles(elsewhere.files, dtype);
    if (found.length === 0) throw noWeights(other, form, dtype);
    return [...small, ...found];
  };
}

/** Safetensors where our own engine knows the model, ONNX for everything else. */
async function usualForm(
  own: readonly HubFile[],
  { repository, commit }: HubListing,
  { wish, signal }: { wish: Wish; signal: AbortSignal },
): Promise<WeightForm> {
  if (own.length === 0) return 'onnx';
  const resolved = await resolveModel(repository, { ...wish.source, modelsUrl: null }, { revision: commit, signal });
  const spec = await loadModelSpec(openModelFiles(resolved.location), { ...resolved, signal });
  return supportsModel(spec) ? 'safetensors' : 'onnx';
}

interface Download {
  staging: string;
  source: HubSource;
  terminal: Terminal;
}

async function download(files: readonly HubFile[], { staging, source, terminal }: Download): Promise<void> {
  await mkdir(staging, { recursive: true });
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const progress = createProgress(terminal, inMegabytes);
  const rate = new RateMeter(() => performance.now());
  let finishedBytes = 0;
  let receivedBytes = 0;
  try {
    for (const file of files) {
      const onBytes = (ofFileBytes: number, cameBytes: number) => {
        const loadedBytes = finishedBytes + ofFileBytes;
        receivedBytes += cameBytes;
        rate.note(receivedBytes);
        const speed = describeSpeed(rate.bytesPerSecond, rate.remainingMs(totalBytes - loadedBytes));
        progress.show(file.path, loadedBytes, totalBytes, speed);
      };
      await fetchFile(file, { target: join(staging, file.path), source, signal: terminal.signal, onBytes });
      finishedBytes += file.sizeBytes;
    }
  } finally {
    progress.clear();
  }
}

function toReceipt({ repository, revision }: Wish, { commit }: HubListing, files: readonly HubFile[]): string {
  const sizes = Object.fromEntries(
    files.map(({ path, sizeBytes, digest }) => [path, { sizeBytes, digest: digest.hex }]),
  );
  return `${JSON.stringify({ repository, revision, commit, files: sizes }, null, 2)}\n`;
}

/** For whoever serves the folder: the hub publishes the SHA-256 of large files only, and the size of all. */
function toManifest(files: readonly HubFile[]): HubTree {
  return new Map(
    files.map(({ path, sizeBytes, digest }) => {
      const sha256 = digest.algorithm === 'sha256' ? digest.hex.toLowerCase() : null;
      return [path, { sizeBytes, sha256 }];
    }),
  );
}

/** Every file was checked before its receipt was written; a later change shows in the length at least. */
async function isCurrent(folder: string, receipt: string): Promise<boolean> {
  if ((await readFile(join(folder, receiptFile), 'utf8').catch(() => null)) !== receipt) return false;
  const { files } = JSON.parse(receipt) as { files: Record<string, { sizeBytes: number }> };
  const sound = await Promise.all(
    Object.entries(files).map(async ([path, { sizeBytes }]) => {
      const found = await stat(join(folder, path)).catch(() => null);
      return found?.size === sizeBytes;
    }),
  );
  return sound.every(Boolean);
}

/** Throws for a folder with files that no pull has put there. */
async function requireOurs(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  if (names.length === 0 || names.includes(receiptFile)) return;
  throw usageError(`The folder ${folder} has files that \`vecinity pull\` did not write; name another with --output.`);
}

/** Nobody ever sees half a model: a folder comes and goes by its name alone. */
async function putInPlace(staging: string, folder: string): Promise<void> {
  const old = join(dirname(folder), `.${basename(folder)}.${randomUUID()}.old`);
  const hadOld = await rename(folder, old).then(
    () => true,
    () => false,
  );
  await rename(staging, folder);
  if (hadOld) await rm(old, { recursive: true, force: true });
}
