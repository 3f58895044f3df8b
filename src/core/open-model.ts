/** Finds a model by name and reads its small files: what the model is, and beside that its tokenizer. */
import { openModelFiles } from '../models/files.js';
import { type ModelSources, resolveModel } from '../models/resolve.js';
import { loadModelSpec } from '../models/spec-files.js';
import type { OpenedModel, OpenModelOptions } from './model-loader.js';
import { createTokenizer, readTokenizerFiles } from './tokenizer.js';

/** Rejects with `model_not_found`, `model_file_missing`, `model_file_invalid`, `download_failed`, `aborted`. */
export async function openModel(
  name: string,
  config: ModelSources,
  { revision, signal, onProgress }: OpenModelOptions,
): Promise<OpenedModel> {
  const resolved = await resolveModel(name, config, { signal, ...(revision === undefined ? {} : { revision }) });
  const files = openModelFiles(resolved.location);
  const reading = readTokenizerFiles(files, { signal, onProgress });
  // Its error is told by whoever waits for the tokenizer; where the spec fails first, nobody does.
  reading.catch(() => {});
  const spec = await loadModelSpec(files, { ...resolved, signal, onProgress });
  const tokenizer = reading.then(({ tokenizerJson, tokenizerConfig }) =>
    createTokenizer(tokenizerJson, tokenizerConfig, spec),
  );
  tokenizer.catch(() => {});
  return { spec, location: resolved.location, tokenizer };
}
