/** Puts a `ModelSpec` together from a model's own files; the catalogue only fills what they leave out. */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';
import { type CatalogueEntry, findCanary } from './catalogue.js';
import type { ModelFiles, ReadOptions } from './files.js';
import { asObject, booleanField, countField, objectField, stringField } from './json-fields.js';
import { readOptionalJson } from './optional-files.js';
import { type Modules, type PoolingConfig, parseModules, parsePooling, parsePrompts } from './sentence-transformers.js';
import type { ModelSpec, Task } from './spec.js';

/** Families that count positions from behind the padding token's id on, so that the rows up to it are never used. */
const offsetPositions = new Set(['roberta', 'xlm-roberta', 'camembert', 'mpnet', 'xlm-roberta-xl']);

/** That id where config.json names none; MPNet has no other. */
const usualPaddingId = 1;

const optionalFiles = [
  'modules.json',
  'config_sentence_transformers.json',
  'sentence_bert_config.json',
  'tokenizer_config.json',
] as const;

/** What a spec is put together from; the pooling's file is where sentence-transformers puts it. */
export const specFiles = ['config.json', '1_Pooling/config.json', ...optionalFiles] as const;

export interface SpecOptions extends ReadOptions {
  /** What requests call the model. */
  id: string;
  repository: string;
  revision: string;
  entry: CatalogueEntry | null;
}

interface SpecFiles {
  config: JsonObject;
  modules: Modules | null;
  pooling: PoolingConfig | null;
  prompts: unknown;
  transformer: JsonObject | null;
  tokenizer: JsonObject | null;
}

/** Reads the small JSON files. Throws `model_file_missing` without config.json, `model_file_invalid`, `download_failed`. */
export async function loadModelSpec(files: ModelFiles, options: SpecOptions): Promise<ModelSpec> {
  const read = await readSpecFiles(files, options);
  const { config, modules, pooling } = read;
  const { entry } = options;
  const task = taskOf(config, entry);
  const prompts = parsePrompts(read.prompts);
  const ownPrompts = Object.values(prompts.prompts).some((prompt) => prompt !== '');
  return {
    id: options.id,
    repository: options.repository,
    revision: options.revision,
    task,
    architecture: stringField(config, 'model_type') ?? '',
    pooling: pooling?.pooling ?? entry?.pooling ?? 'mean',
    normalize: modules?.normalize ?? entry?.normalize ?? false,
    dimensions: dimensionsOf(task, config, pooling, entry),
    matryoshkaDimensions: matryoshkaOf(config),
    maxTokens: maxTokensOf(read, entry),
    vocabSize: vocabSizeOf(config),
    prompts: ownPrompts || !entry ? prompts.prompts : { ...entry.prompts },
    defaultPromptName: prompts.defaultPromptName,
    similarity: prompts.similarity ?? entry?.similarity ?? 'cosine',
    includePrompt: pooling?.includePrompt ?? true,
    lowercase: booleanField(read.transformer, 'do_lower_case') ?? false,
    license: entry?.license ?? null,
    config,
    canary: entry ? findCanary(entry.id) : null,
  };
}

async function readSpecFiles(files: ModelFiles, options: SpecOptions): Promise<SpecFiles> {
  const config = await files.readJson('config.json', options);
  if (config === null) {
    throw new VecinityError('model_file_missing', `The model at ${files.location.base} has no file config.json.`);
  }
  const [modulesJson, prompts, transformer, tokenizer] = await Promise.all(
    optionalFiles.map((path) => readOptionalJson(files, path, options)),
  );
  const modules = modulesJson === null ? null : parseModules(modulesJson);
  return {
    config: asObject(config, 'config.json'),
    modules,
    pooling: await readPooling(files, modules, options),
    prompts,
    transformer: isObject(transformer) ? transformer : null,
    tokenizer: isObject(tokenizer) ? tokenizer : null,
  };
}

async function readPooling(
  files: ModelFiles,
  modules: Modules | null,
  options: ReadOptions,
): Promise<PoolingConfig | null> {
  if (!modules || modules.poolingPath === null) return null;
  const path = `${modules.poolingPath}/config.json`;
  const value = await files.readJson(path, options);
  if (value !== null) return parsePooling(value, path);
  throw new VecinityError('model_file_missing', `The file ${path}, named by modules.json, does not exist.`);
}

function taskOf(config: JsonObject, entry: CatalogueEntry | null): Task {
  if (config.model_type === 'clip') return 'clip';
  const architectures = Array.isArray(config.architectures) ? config.architectures : [];
  if (architectures.some((name) => String(name).endsWith('ForSequenceClassification'))) return 'rerank';
  return architectures.length > 0 ? 'embedding' : (entry?.task ?? 'embedding');
}

function dimensionsOf(
  task: Task,
  config: JsonObject,
  pooling: PoolingConfig | null,
  entry: CatalogueEntry | null,
): number {
  if (task === 'rerank') return labelCount(config) ?? entry?.dimensions ?? 2; // transformers' own default
  const own = task === 'clip' ? countField(config, 'projection_dim') : (pooling?.dimensions ?? hiddenSize(config));
  const dimensions = own ?? entry?.dimensions;
  if (dimensions !== undefined) return dimensions;
  throw new VecinityError('model_file_invalid', 'The file config.json does not say the width: hidden_size is missing.');
}

function labelCount(config: JsonObject): number | null {
  const labels = objectField(config, 'id2label');
  return countField(config, 'num_labels') ?? (labels ? Object.keys(labels).length || null : null);
}

function hiddenSize(config: JsonObject): number | null {
  const names = ['hidden_size', 'dim', 'n_embd', 'd_model'];
  return names.map((name) => countField(config, name)).find((value) => value !== null) ?? null;
}

function matryoshkaOf(config: JsonObject): number[] {
  const values = config.matryoshka_dimensions;
  if (!Array.isArray(values)) return [];
  return values.filter((value): value is number => Number.isSafeInteger(value) && Number(value) > 0);
}

/**
 * The model's own limit if it names one, never more than it has positions for. The 1e30 that transformers writes for
 * "no limit" is no exact integer and so counts as missing.
 */
function maxTokensOf({ config, transformer, tokenizer }: SpecFiles, entry: CatalogueEntry | null): number {
  const declared = countField(transformer, 'max_seq_length') ?? countField(tokenizer, 'model_max_length');
  const positions = positionCount(config);
  const limits = [declared ?? entry?.maxTokens ?? null, positions].filter((limit) => limit !== null);
  if (limits.length > 0) return Math.min(...limits);
  throw new VecinityError(
    'model_file_invalid',
    'No file says how long an input may be: sentence_bert_config.json has no max_seq_length, ' +
      'tokenizer_config.json no model_max_length, config.json no max_position_embeddings.',
  );
}

function positionCount(config: JsonObject): number | null {
  const part = objectField(config, 'text_config') ?? config;
  const positions = countField(part, 'max_position_embeddings') ?? countField(part, 'n_positions');
  if (positions === null) return null;
  const family = stringField(part, 'model_type') ?? '';
  if (!offsetPositions.has(family)) return positions;
  const paddingId = family === 'mpnet' ? null : countField(part, 'pad_token_id');
  return positions - (paddingId ?? usualPaddingId) - 1;
}

function vocabSizeOf(config: JsonObject): number {
  const part = objectField(config, 'text_config') ?? config;
  const size = countField(part, 'vocab_size');
  if (size !== null) return size;
  throw new VecinityError(
    'model_file_invalid',
    'The file config.json does not say the vocabulary: vocab_size is missing.',
  );
}
