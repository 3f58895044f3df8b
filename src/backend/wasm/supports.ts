/** What the WASM engine can serve; small enough to be asked where no model is ever computed. */
import { VecinityError } from '../../errors.js';
import type { ModelSpec } from '../../models/spec.js';
import { describeModel } from './architectures.js';

/** Whether the engine can compute this very model, as far as its config tells. */
export function supportsModel(spec: ModelSpec): boolean {
  if (spec.task === 'clip') return false;
  try {
    return describeModel(spec.config) !== null;
  } catch (error) {
    // Sizes that make no sense are the loader's to report.
    if (error instanceof VecinityError) return false;
    throw error;
  }
}
