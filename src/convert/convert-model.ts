/**
 * Converts a whole model to 8 bits: reads it, tokenizes the calibration texts, rounds the weights, and names every file
 * that the converted model consists of. Where the files are written is the caller's business.
 */
import type { TokenBatch } from '../backend/backend.js';
import { convertedBlock } from '../backend/wasm/channel.js';
import { loadReferenceModel } from '../backend/wasm/reference-model.js';
import { loadTokenizer } from '../core/load-tokenizer.js';
import { packBatch } from '../core/packing.js';
import { VecinityError } from '../errors.js';
import { parseJson } from '../models/content.js';
import type { ModelFiles } from '../models/files.js';
import { readOptionalBytes, readOptionalJson } from '../models/optional-files.js';
import { openSafetensors } from '../models/safetensors.js';
import { writeSafetensors } from '../models/safetensors-writer.js';
import type { ModelSpec } from '../models/spec.js';
import { toQ8 } from './q8-model.js';

export interface ConvertRequest {
  files: ModelFiles;
  spec: ModelSpec;
  /** Texts like those that the model will meet; they decide where the rounding errors go. */
  texts: readonly string[];
  onProgress?: (done: number, total: number) => void;
}

/** Longer texts would make the pass slow and say little that their beginnings do not. */
const calibrationTokens = 256;

/** Files that are copied as they are, where the model has them. */
const copiedFiles = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'modules.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
];

/** The converted model's files by path. Throws `model_file_missing`, `unsupported_task`, `invalid_request`. */
export async function convertModel(request: ConvertRequest): Promise<Map<string, Uint8Array>> {
  const { files, spec, onProgress } = request;
  const model = await loadReferenceModel(files, spec.config);
  const source = model && (await openSafetensors(files));
  if (!source) throw notConvertible(spec);
  if (source.metadata.format === 'vecinity-q8') {
    const message = `The model ${spec.id} is converted already; convert the original weights.`;
    throw new VecinityError('invalid_request', message, { param: 'model' });
  }
  const shapes = new Map([...source.tensors].map(([name, { shape }]) => [name, shape]));
  const batch = await calibrationBatch(request);
  const tensors = toQ8({ model, shapes, batch, ...(onProgress ? { onProgress } : {}) });
  const converted = await copyFiles(files);
  return converted.set('model.safetensors', writeSafetensors(tensors, metadata(spec)));
}

async function calibrationBatch({ files, spec, texts }: ConvertRequest): Promise<TokenBatch> {
  const tokenizer = await loadTokenizer(files, spec, {});
  const maxTokens = Math.min(spec.maxTokens, calibrationTokens);
  if (spec.task === 'rerank') {
    // Pairs of neighbours, so that both segments and the separator between them occur.
    return packBatch(
      texts.map((text, i) =>
        tokenizer.encodePair(text, texts[(i + 1) % texts.length] as string, { truncate: true, maxTokens }),
      ),
    );
  }
  return packBatch(texts.map((text) => tokenizer.encode(text, { truncate: true, maxTokens })));
}

async function copyFiles(files: ModelFiles): Promise<Map<string, Uint8Array>> {
  const modules = await readOptionalJson(files, 'modules.json', {});
  const folders = Array.isArray(modules) ? modules.map((module) => module?.path).filter(Boolean) : [];
  const copied = new Map<string, Uint8Array>();
  for (const path of [...copiedFiles, ...folders.map((folder) => `${folder}/config.json`)]) {
    const bytes = await readOptionalBytes(files, path, {});
    if (!bytes) continue;
    // In a folder from elsewhere a name may be a link to any file; what is no JSON is nothing to pass on.
    parseJson(bytes, path, files.location.base);
    copied.set(path, bytes);
  }
  return copied;
}

function metadata(spec: ModelSpec): Record<string, string> {
  return {
    format: 'vecinity-q8',
    version: '1',
    source: sourceName(spec),
    block: String(convertedBlock),
    ...(spec.license === null ? {} : { license: spec.license }),
  };
}

/** Where the weights came from; of a folder only its name, so that equal weights give equal files everywhere. */
function sourceName({ repository, revision }: ModelSpec): string {
  const isFolder = /^[./\\]|[/\\]$|:/.test(repository);
  return isFolder ? (repository.split(/[/\\]/).findLast(Boolean) ?? repository) : `${repository}@${revision}`;
}

function notConvertible({ id, architecture }: ModelSpec): VecinityError {
  const reason = `it needs a model.safetensors of a family that the WASM engine knows; this is '${architecture}'`;
  return new VecinityError('unsupported_task', `The model ${id} cannot be converted: ${reason}.`, { param: 'model' });
}
