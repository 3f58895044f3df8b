/** Finds a model by name and reads its small files: what the model is, and beside that its tokenizer. */

import { withFreshFiles } from '../models/fresh-files.js';
import { readingOnce } from '../models/json-once.js';
import { openModelFiles } from '../models/open-files.js';
import { type ModelSources, type ResolvedModel, resolveModel } from '../models/resolve.js';
import { loadModelSpec, specFiles } from '../models/spec-files.js';
import { loadTokenizer, tokenizerFiles } from './load-tokenizer.js';
import type { OpenedModel, OpenModelOptions } from './model-loader.js';

/** Rejects with `model_not_found`, `model_file_missing`, `model_file_invalid`, `download_failed`, `aborted`. */
export async function openModel(
  name: string,
  { onFound, ...config }: ModelSources & { onFound?: ((found: ResolvedModel) => void) | undefined },
  { revision, signal, onProgress }: OpenModelOptions,
): Promise<OpenedModel> {
  const resolved = await resolveModel(name, config, { signal, ...(revision === undefined ? {} : { revision }) });
  onFound?.(resolved);
  const files = readingOnce(openModelFiles(resolved.location), { 'config.json': resolved.config });
  const options = { signal, onProgress };
  const readSpec = () => loadModelSpec(files, { ...resolved, ...options });
  const spec = await withFreshFiles(files, () => specFiles, readSpec);
  // Only now, so that the weights do not wait while this thread reads a large vocabulary.
  const readTokenizer = () => loadTokenizer(files, spec, options);
  const tokenizer = withFreshFiles(files, () => tokenizerFiles, readTokenizer);
  // Its error is told by whoever waits for the tokenizer.
  tokenizer.catch(() => {});
  return { spec, location: resolved.location, tokenizer };
}
