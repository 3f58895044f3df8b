/** Finds a model by name and reads its small files: what the model is, and beside that its tokenizer. */
import { openModelFiles } from '../models/files.js';
import { withFreshFiles } from '../models/fresh-files.js';
import { type ModelSources, resolveModel } from '../models/resolve.js';
import { loadModelSpec, specFiles } from '../models/spec-files.js';
import type { OpenedModel, OpenModelOptions } from './model-loader.js';
import { createTokenizer, readTokenizerFiles, tokenizerFiles } from './tokenizer.js';

/** Rejects with `model_not_found`, `model_file_missing`, `model_file_invalid`, `download_failed`, `aborted`. */
export async function openModel(
  name: string,
  config: ModelSources,
  { revision, signal, onProgress }: OpenModelOptions,
): Promise<OpenedModel> {
  const resolved = await resolveModel(name, config, { signal, ...(revision === undefined ? {} : { revision }) });
  const files = openModelFiles(resolved.location);
  const options = { signal, onProgress };
  // Read beside the spec, and again only when what was kept turns out to be no tokenizer.
  const first = readTokenizerFiles(files, options);
  first.catch(() => {});
  const readings = [first];
  const readSpec = () => loadModelSpec(files, { ...resolved, ...options });
  const spec = await withFreshFiles(files, () => specFiles, readSpec);
  const readTokenizer = async () => {
    const { tokenizerJson, tokenizerConfig } = await (readings.pop() ?? readTokenizerFiles(files, options));
    return createTokenizer(tokenizerJson, tokenizerConfig, spec);
  };
  const tokenizer = withFreshFiles(files, () => tokenizerFiles, readTokenizer);
  // Its error is told by whoever waits for the tokenizer.
  tokenizer.catch(() => {});
  return { spec, location: resolved.location, tokenizer };
}
