/** `vecinity convert`: writes a model in 8 bits, in hub layout, ready to be served or mounted. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultEngineConfig } from '../config.js';
import { calibrationTexts } from '../convert/calibration-texts.js';
import { convertModel } from '../convert/convert-model.js';
import { VecinityError } from '../errors.js';
import { openModelFiles, setFolderOpener } from '../models/files.js';
import { openFolder } from '../models/folder.node.js';
import { resolveModel } from '../models/resolve.js';
import { loadModelSpec } from '../models/spec-files.js';

export const convertUsage = `Usage: vecinity convert MODEL [options]

MODEL is a folder in hub layout, a name of the catalogue, or a hub id (owner/name).

  --dtype q8          8-bit weights, the only target
  --calibrate FILE    texts to calibrate on: a JSON list of strings, or one text a line (default: built-in texts)
  --output DIR        folder to write (default: ./<model>-q8)
  --hub-url URL       address of the model hub (default: ${defaultEngineConfig.hubUrl})`;

/** Runs the command. Throws `invalid_request` for a wrong command line. */
export async function convert(args: readonly string[], log: (line: string) => void): Promise<void> {
  const { model, texts, output, hubUrl } = await parse(args);
  setFolderOpener(openFolder);
  const resolved = await resolveModel(model, { hubUrl, hubToken: process.env.HF_TOKEN ?? null, modelsUrl: null });
  const files = openModelFiles(resolved.location);
  const spec = await loadModelSpec(files, resolved);
  const onProgress = (done: number, total: number) => log(`${done} of ${total} linears`);
  const converted = await convertModel({ files, spec, texts, onProgress });
  const folder = resolve(output ?? `${basename(spec.id)}-q8`);
  for (const [path, bytes] of converted) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, bytes);
  }
  log(`wrote ${converted.size} files to ${folder}`);
}

async function parse(args: readonly string[]) {
  const { values, positionals } = parseWords(args);
  const [model, ...rest] = positionals;
  if (model === undefined || rest.length > 0) {
    throw wrong(`\`convert\` takes one MODEL, got ${positionals.length}.`);
  }
  if ((values.dtype ?? 'q8') !== 'q8') throw wrong(`\`--dtype\` must be q8, got "${values.dtype}".`);
  return {
    model: await asFolder(model),
    texts: values.calibrate === undefined ? calibrationTexts : await readTexts(values.calibrate),
    output: values.output,
    hubUrl: values['hub-url'] ?? defaultEngineConfig.hubUrl,
  };
}

function parseWords(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        dtype: { type: 'string' },
        calibrate: { type: 'string' },
        output: { type: 'string' },
        'hub-url': { type: 'string' },
      },
    });
  } catch (cause) {
    throw wrong(cause instanceof Error ? cause.message : String(cause));
  }
}

/** A name that is a folder here means that folder, as with every other command-line tool. */
async function asFolder(model: string): Promise<string> {
  const config = await readFile(join(model, 'config.json')).catch(() => null);
  return config === null ? model : `${resolve(model)}/`;
}

async function readTexts(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw wrong(`\`--calibrate\` names ${file}, which cannot be read.`, cause);
  });
  const texts = text.trimStart().startsWith('[') ? parseList(text, file) : text.split('\n');
  const used = texts.map((line) => line.trim()).filter((line) => line !== '');
  if (used.length === 0) throw wrong(`\`--calibrate\` names ${file}, which holds no text.`);
  return used;
}

function parseList(text: string, file: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  } catch (cause) {
    throw wrong(`\`--calibrate\` names ${file}, which is not valid JSON.`, cause);
  }
  throw wrong(`\`--calibrate\` names ${file}, which must be a JSON list of strings.`);
}

function wrong(message: string, cause?: unknown): VecinityError {
  return new VecinityError('invalid_request', message, { cause });
}
