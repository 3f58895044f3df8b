/** What the WASM engine can serve; small enough to be asked where no model is ever computed. */
import { VecinityError } from '../../errors.js';
import { isObject } from '../../json-object.js';
import type { ModelSpec } from '../../models/spec.js';
import { describeModel } from './architectures.js';

/** Whether the engine can compute this very model, as far as its config tells. */
export function supportsModel(spec: ModelSpec): boolean {
  return spec.task !== 'clip' && supportsConfig(spec.config);
}

/** The same as far as the content of config.json tells, whatever that is. */
export function supportsConfig(config: unknown): boolean {
  if (!isObject(config)) return false;
  try {
    return describeModel(config) !== null;
  } catch (error) {
    // Sizes that make no sense are the loader's to report.
    if (error instanceof VecinityError) return false;
    throw error;
  }
}
