/** A model's tokenizer from its files, or the reason why there is none that fits the model. */
import { VecinityError } from '../errors.js';
import type { ModelFiles, ReadOptions } from '../models/files.js';
import { readOptionalJson } from '../models/optional-files.js';
import { HubTokenizer } from './hub-tokenizer.js';
import { ModelTokenizer } from './model-tokenizer.js';
import type { Tokenizer, TokenizerSpec } from './tokenizer.js';
import { checkVocabulary } from './vocabulary.js';

/** What a tokenizer is made of. */
export const tokenizerFiles = ['tokenizer.json', 'tokenizer_config.json'] as const;

/** Reads a model's tokenizer. Throws `model_file_missing`, `model_file_invalid`, `download_failed`. */
export async function loadTokenizer(
  files: ModelFiles,
  spec: TokenizerSpec,
  options: ReadOptions = {},
): Promise<Tokenizer> {
  const [json, config] = await Promise.all([
    files.readJson('tokenizer.json', options),
    readOptionalJson(files, 'tokenizer_config.json', options),
  ]);
  if (json !== null) return createTokenizer(json, config ?? {}, spec);
  const message = `The model at ${files.location.base} has no file tokenizer.json.`;
  throw new VecinityError('model_file_missing', message);
}

/** Throws `model_file_invalid` when the files do not describe a tokenizer. */
export function createTokenizer(tokenizerJson: unknown, tokenizerConfig: unknown, spec: TokenizerSpec): Tokenizer {
  const tokenizer = new HubTokenizer(tokenizerJson, tokenizerConfig, spec.id);
  checkVocabulary(tokenizerJson, [tokenizer.single, tokenizer.pair], spec);
  const { specials } = tokenizer.pair;
  if (specials >= spec.maxTokens) {
    const message = `The post_processor of tokenizer.json puts ${specials} tokens around two texts; ${spec.id} reads ${spec.maxTokens}.`;
    throw new VecinityError('model_file_invalid', message);
  }
  return new ModelTokenizer(tokenizer, spec, isByteLevel(tokenizerJson as object));
}

function isByteLevel(tokenizerJson: { decoder?: { type?: unknown } | null }): boolean {
  return tokenizerJson.decoder?.type === 'ByteLevel';
}
