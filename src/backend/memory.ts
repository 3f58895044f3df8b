/** Memory that a device does not have, in whichever words a runtime says it. */
import { toVecinityError, VecinityError, wordsOf } from '../errors.js';
import type { TokenBatch } from './backend.js';

const words =
  /out of memory|bad_alloc|allocation failed|allocate memory|could not allocate|memory size exceeded|Aborted\(OOM/i;

/** Whether a runtime failed because it could get no more memory; a smaller run may then succeed. */
export function isOutOfMemory(thrown: unknown): boolean {
  return words.test(wordsOf(thrown));
}

/**
 * What a load failed with: what it says itself, or for what a runtime threw `out_of_memory` or `backend_failed`. Where
 * memory ran out and the weights' size is known, in our words or the runtime's, it is named.
 */
export function failedLoad(model: string, cause: unknown, sizeBytes?: number): VecinityError {
  const error = toVecinityError(cause);
  const isForeign = error !== cause && error.code === 'internal_error';
  const isScarce = isForeign ? isOutOfMemory(cause) : error.code === 'out_of_memory';
  const size = sizeBytes === undefined ? '' : ` (a file of ${inMebibytes(sizeBytes)})`;
  if (isScarce && (isForeign || size !== '')) {
    const message = `The model ${model}${size} does not fit into memory: ${error.message}`;
    return new VecinityError('out_of_memory', message, { cause });
  }
  if (!isForeign) return error;
  return new VecinityError('backend_failed', `The model ${model} could not be loaded: ${error.message}`, { cause });
}

/** What a run failed with: `out_of_memory` with the size of the run, else `backend_failed`. */
export function failedRun(model: string, { batch, cause }: { batch: TokenBatch; cause: unknown }): VecinityError {
  const reason = wordsOf(cause);
  if (!isOutOfMemory(cause))
    return new VecinityError('backend_failed', `A run of ${model} failed: ${reason}`, { cause });
  const size = `${batch.offsets.length - 1} texts with ${batch.inputIds.length} tokens`;
  return new VecinityError('out_of_memory', `A run of ${size} does not fit into memory beside ${model}: ${reason}`, {
    cause,
  });
}

/** Bytes as words for an error, rounded up. */
export function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
