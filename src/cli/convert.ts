/** `vecinity convert`: writes a model in 8 bits, in hub layout, ready to be served or mounted. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { calibrationTexts } from '../convert/calibration-texts.js';
import { convertModel } from '../convert/convert-model.js';
import { setDeadline } from '../core/deadline.js';
import { withDeadline } from '../edge/deadline.js';
import { openFolder } from '../models/folder.node.js';
import { formatManifest, manifestFile } from '../models/manifest.js';
import { openModelFiles, setFolderOpener } from '../models/open-files.js';
import { resolveModel } from '../models/resolve.js';
import { loadModelSpec } from '../models/spec-files.js';
import { hubFlags, toHub } from './engine-flags.js';
import { fileReason } from './file-error.js';
import { describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { createProgress } from './progress.js';
import { type Terminal, tell } from './terminal.js';
import { asFolder } from './with-model.js';

const flags = {
  dtype: { value: 'q8', help: '8-bit weights, the only target' },
  calibrate: { value: 'FILE', help: 'texts: a JSON list of strings, or one text a line (default: built-in texts)' },
  output: { value: 'DIR', help: 'folder to write (default: ./<model>-q8)' },
  ...hubFlags,
} as const satisfies Record<string, Flag>;

export const convertUsage = `Usage: vecinity convert MODEL [options]

MODEL is a folder in hub layout, a name of the catalogue, or a hub id (owner/name).

${describeFlags(flags)}`;

/** Runs the command. Throws `invalid_request` for a wrong command line. */
export async function convert(args: readonly string[], terminal: Pick<Terminal, 'stderr'>): Promise<void> {
  const { model, texts, output, source } = await parse(args);
  setFolderOpener(openFolder);
  setDeadline(withDeadline);
  const resolved = await resolveModel(model, { ...source, modelsUrl: null });
  const files = openModelFiles(resolved.location);
  const spec = await loadModelSpec(files, resolved);
  const converted = await convertModel({ files, spec, texts, onProgress: progressOf(spec.id, terminal) });
  converted.set(manifestFile, new TextEncoder().encode(formatManifest(describeFiles(converted))));
  const folder = resolve(output ?? `${basename(spec.id)}-q8`);
  for (const [path, bytes] of converted) await writeWhole(join(folder, path), bytes);
  tell(terminal, `wrote ${converted.size} files to ${folder}`);
}

/** A bar on a terminal; a log gets a line for every step, because a large model takes many minutes. */
function progressOf(model: string, terminal: Pick<Terminal, 'stderr'>): (done: number, total: number) => void {
  if (!terminal.stderr.isTTY) return (done, total) => tell(terminal, `${done} of ${total} linears`);
  const progress = createProgress(terminal, (done, total) => `${done} of ${total} linears`);
  return (done, total) => {
    if (done === total) progress.clear();
    else progress.show(`${model}: convert`, done, total);
  };
}

function describeFiles(files: ReadonlyMap<string, Uint8Array>) {
  const describe = (bytes: Uint8Array) => ({
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  });
  return new Map([...files].map(([path, bytes]) => [path, describe(bytes)]));
}

/** Nobody ever finds half a file under its name. */
async function writeWhole(target: string, bytes: Uint8Array): Promise<void> {
  const partial = `${target}.${process.pid}.partial`;
  await mkdir(dirname(target), { recursive: true });
  try {
    await writeFile(partial, bytes);
    await rename(partial, target);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cause;
  }
}

async function parse(args: readonly string[]) {
  const given = readArguments(flags, args, { environment: process.env, positionals: true });
  const [model, ...rest] = given.positionals;
  if (model === undefined || rest.length > 0) {
    throw usageError(`\`convert\` takes one MODEL, got ${given.positionals.length}.`);
  }
  given.word('dtype', ['q8']);
  const calibrate = given.text('calibrate');
  return {
    model: await asFolder(model),
    texts: calibrate === undefined ? calibrationTexts : await readTexts(calibrate),
    output: given.text('output'),
    source: toHub(given),
  };
}

async function readTexts(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw usageError(`\`--calibrate\` names ${file}, which cannot be read: ${fileReason(cause)}.`, 'calibrate', cause);
  });
  const texts = text.trimStart().startsWith('[') ? parseList(text, file) : text.split('\n');
  const used = texts.map((line) => line.trim()).filter((line) => line !== '');
  if (used.length === 0) throw usageError(`\`--calibrate\` names ${file}, which holds no text.`, 'calibrate');
  return used;
}

function parseList(text: string, file: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch (cause) {
    throw usageError(`\`--calibrate\` names ${file}, which is not valid JSON.`, 'calibrate', cause);
  }
  throw usageError(`\`--calibrate\` names ${file}, which must be a JSON list of strings.`, 'calibrate');
}
