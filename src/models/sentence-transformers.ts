/**
 * Reads what sentence-transformers writes beside a model: the list of modules, how token vectors are pooled, prompts,
 * the longest input. Each function reads one file; `spec-files.ts` puts them together.
 */
import { VecinityError } from '../errors.js';
import { isObject, type JsonObject } from '../json-object.js';
import { asObject, booleanField, countField, stringField } from './json-fields.js';
import type { Pooling, Similarity } from './spec.js';

export interface Modules {
  /** Folder of the pooling module, for example `1_Pooling`; null without one. */
  poolingPath: string | null;
  normalize: boolean;
}

/** Reads `modules.json`. Throws `model_file_invalid` for a module that Vecinity does not compute. */
export function parseModules(value: unknown): Modules {
  if (!Array.isArray(value)) throw new VecinityError('model_file_invalid', 'The file modules.json must hold a list.');
  const modules: Modules = { poolingPath: null, normalize: false };
  for (const item of value) readModule(asObject(item, 'modules.json'), modules);
  return modules;
}

function readModule(module: JsonObject, into: Modules): void {
  const type = stringField(module, 'type') ?? '';
  const path = stringField(module, 'path') ?? '';
  // The Python module moved between releases and custom ones have their own; the class name is what says the kind.
  switch (type.slice(type.lastIndexOf('.') + 1)) {
    case 'Transformer':
      if (path === '') return;
      throw unsupported(type, `its files lie in the folder ${path} instead of the model's own`);
    case 'Pooling':
      into.poolingPath = path;
      return;
    case 'Normalize':
      into.normalize = true;
      return;
    case 'CLIPModel':
      return;
    default:
      throw unsupported(type, 'only Transformer, Pooling and Normalize are');
  }
}

function unsupported(type: string, reason: string): VecinityError {
  return new VecinityError(
    'model_file_invalid',
    `The file modules.json names the module ${type || '(no type)'}, which is not supported: ${reason}.`,
  );
}

export interface PoolingConfig {
  pooling: Pooling;
  includePrompt: boolean;
  dimensions: number | null;
}

/** What a pooling mode is called in either form of the file; null marks the modes that are not supported. */
const poolingByMode: Readonly<Record<string, Pooling | null>> = {
  cls: 'cls',
  mean: 'mean',
  lasttoken: 'last_token',
  last_token: 'last_token',
  max: null,
  mean_sqrt_len_tokens: null,
  weightedmean: null,
};

const modeByFlag: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: 'cls',
  pooling_mode_mean_tokens: 'mean',
  pooling_mode_lasttoken: 'lasttoken',
  pooling_mode_max_tokens: 'max',
  pooling_mode_mean_sqrt_len_tokens: 'mean_sqrt_len_tokens',
  pooling_mode_weightedmean_tokens: 'weightedmean',
};

/** Reads `<pooling>/config.json` in both forms: the flags `pooling_mode_*` and the name `pooling_mode`. */
export function parsePooling(value: unknown, path: string): PoolingConfig {
  const config = asObject(value, path);
  const modes = poolingModes(config);
  const pooling = modes.length === 1 ? poolingByMode[modes[0] ?? ''] : null;
  if (!pooling) {
    throw new VecinityError(
      'model_file_invalid',
      `The file ${path} asks for the pooling ${modes.join(' + ')}; mean, cls and lasttoken, one of them, are supported.`,
    );
  }
  return {
    pooling,
    includePrompt: booleanField(config, 'include_prompt') ?? true,
    dimensions: countField(config, 'word_embedding_dimension') ?? countField(config, 'embedding_dimension'),
  };
}

function poolingModes(config: JsonObject): string[] {
  const named = config.pooling_mode;
  if (typeof named === 'string') return [named];
  if (Array.isArray(named)) return named.map(String);
  const flagged = Object.keys(modeByFlag).filter((flag) => config[flag] === true);
  // sentence-transformers takes the mean when a file raises no flag.
  return flagged.length === 0 ? ['mean'] : flagged.map((flag) => modeByFlag[flag] ?? flag);
}

export interface PromptConfig {
  prompts: Record<string, string>;
  defaultPromptName: string | null;
  similarity: Similarity | null;
}

const similarityByName: Readonly<Record<string, Similarity>> = {
  cosine: 'cosine',
  cos_sim: 'cosine',
  dot: 'dot',
  dot_score: 'dot',
  dot_product: 'dot',
  euclidean: 'euclidean',
  manhattan: 'manhattan',
};

/** Reads `config_sentence_transformers.json`; null when the model has none. */
export function parsePrompts(value: unknown): PromptConfig {
  const config = isObject(value) ? value : {};
  const entries = isObject(config.prompts) ? Object.entries(config.prompts) : [];
  const prompts = Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
  const defaultName = stringField(config, 'default_prompt_name');
  if (defaultName !== null && !Object.hasOwn(prompts, defaultName)) {
    throw new VecinityError(
      'model_file_invalid',
      `The file config_sentence_transformers.json names the default prompt ${defaultName}, which it does not have.`,
    );
  }
  const similarity = similarityByName[stringField(config, 'similarity_fn_name') ?? ''] ?? null;
  return { prompts, defaultPromptName: defaultName, similarity };
}
