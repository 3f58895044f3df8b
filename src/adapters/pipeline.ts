/**
 * `vecinity/pipeline`: `pipeline('feature-extraction', model)` in the shape of Transformers.js, for code that comes from
 * there. As there, no prompt is added, long texts are cut and vectors are not normalised unless that is asked for.
 */
import type { LoadOptions } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import type { Pooling } from '../models/spec.js';
import { checkObject, checkRules, isText, oneOf, type Rules } from '../rules.js';
import type { Calls } from './engine-calls.js';
import { callsOf, checkSource, type VecinitySource } from './source.js';
import { Tensor } from './tensor.js';

export type { VecinitySource } from './source.js';
export { Tensor } from './tensor.js';

export interface PipelineOptions extends LoadOptions {
  source: VecinitySource;
}

export interface FeatureExtractionOptions {
  /** The model's own is taken when this is left out; another one is refused. */
  pooling?: Pooling | 'first_token' | 'eos' | 'none';
  normalize?: boolean;
  /** True packs the signs of eight numbers into a byte. */
  quantize?: boolean;
  /** Layout of those bytes; default `binary`, which is signed. */
  precision?: 'binary' | 'ubinary';
  signal?: AbortSignal;
}

export interface FeatureExtractionPipeline {
  /** A tensor of `[texts, dimensions]`; one text gives one row. */
  (texts: string | readonly string[], options?: FeatureExtractionOptions): Promise<Tensor>;
  /** Unloads the model. */
  dispose(): Promise<void>;
}

const extractionRules: Rules<keyof FeatureExtractionOptions> = {
  pooling: ['the name of a pooling', isText],
  precision: oneOf(['binary', 'ubinary']),
};

/** Transformers.js has two names each for these. */
const synonyms: Readonly<Record<string, string>> = { first_token: 'cls', eos: 'last_token' };

/** Loads the model and gives the function that embeds with it. Throws `unsupported_task` for any other task. */
export async function pipeline(
  task: 'feature-extraction',
  model: string,
  options: PipelineOptions,
): Promise<FeatureExtractionPipeline> {
  if (task !== 'feature-extraction') {
    const message = `\`task\` is ${JSON.stringify(String(task))}; 'feature-extraction' is the one task of this pipeline.`;
    throw new VecinityError('unsupported_task', message, { param: 'task' });
  }
  checkObject(options);
  const { source, ...load } = options;
  checkSource(source);
  const calls = await callsOf(source);
  const { id, spec } = await calls.load(model, load);
  const extract = async (texts: string | readonly string[], options: FeatureExtractionOptions = {}) => {
    checkObject(options);
    checkRules(extractionRules, options);
    if (spec) checkPooling(options.pooling, spec.pooling);
    return await embed(calls, { model: id, texts: typeof texts === 'string' ? [texts] : texts }, options);
  };
  return Object.assign(extract, { dispose: () => calls.unload(id) });
}

async function embed(
  calls: Calls,
  { model, texts }: { model: string; texts: readonly string[] },
  { normalize = false, quantize = false, precision = 'binary', signal }: FeatureExtractionOptions,
): Promise<Tensor> {
  const type = quantize ? precision : 'float';
  const body = { model, input: texts, prompt: '', normalize, truncate: true, embedding_type: type };
  const { data } = await calls.embeddings.create(body, signal ? { signal } : {});
  return Tensor.fromRows(
    data.map(({ embedding }) => embedding),
    type,
  );
}

/** A model was trained with one pooling: with another its vectors mean nothing, and single tokens are not kept. */
function checkPooling(asked: FeatureExtractionOptions['pooling'], own: Pooling): void {
  if (asked === undefined || (synonyms[asked] ?? asked) === own) return;
  const message = `\`pooling\` is ${JSON.stringify(asked)}; this model's pooling is ${JSON.stringify(own)}.`;
  throw new VecinityError('invalid_request', message, { param: 'pooling' });
}
