/**
 * The check that a loaded backend computes what the model means: a known text against a known result.
 * Devices can be silently wrong, so nothing is served from one that fails here.
 */
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';
import type { VerdictStore } from '../storage/verdicts.js';
import type { Backend, BackendInfo, TokenBatch } from './backend.js';

/** What is embedded when the model brings no text of its own. */
export const defaultCanaryText = 'The quick brown fox jumps over the lazy dog.';

/** Has to come out differently; embedded beside the check text when the model brings no reference. */
export const otherText = '2 + 2 = 4';

/** Right code on another device differs by rounding only. */
const minCosine = 0.99;

/** The usual 8-bit ONNX exports themselves reach 0.96 to 0.98 against the model in f32. */
const minCosineOnnxQ8 = 0.9;

/** Two kinds of devices may each be as far from the model as their weights allow. */
const minCosineToOtherKind = 0.9;

/** Logits of one pair may differ by this much, or by this share of themselves. */
const logitTolerance = { absolute: 0.1, relative: 0.05 } as const;

/** The cause of the `backend_failed` of a result that differs: with right code on every device, the files are wrong. */
export class WrongAnswerError extends Error {}

export interface CanaryOptions {
  spec: ModelSpec;
  /** The known text as tokens, and the other one after it, in new arrays each time, because a run takes them over. */
  batch: () => TokenBatch;
  store: VerdictStore;
  /** Of two embeddings; passed in, because measures belong to the core. */
  cosine: (a: ArrayLike<number>, b: ArrayLike<number>) => number;
  /** Loads the model on the WASM device for a model without a reference; null when there is no such device. */
  openReference: () => Promise<Backend | null>;
  /** What devices of this load gave that passed, by their kind: whatever replaces one has to give the same. */
  passed: Map<string, readonly number[]>;
}

/** Throws `backend_failed` with the reason when the backend's result is not a number or not the model's. */
export async function checkCanary(backend: Backend, options: CanaryOptions): Promise<void> {
  const values = await runCanary(backend, options);
  const reference = await findReference(backend, values, options);
  if (reference) refuse(describeDifference(values, reference, options));
  else if (backend.info.device === 'wasm') await keepReference(backend.info, values, options);
  // What nothing was held against must not condemn the CPU that takes its place.
  else return;
  if (reference?.isNew) await options.store.write(referenceKey(options.spec, backend.info), reference.values);
  if (!options.passed.has(kindOf(backend.info))) options.passed.set(kindOf(backend.info), [...values]);
}

function kindOf({ backend, device, dtype }: BackendInfo): string {
  return `${backend}/${device}/${dtype}`;
}

/** The values of the check text, which were computed from it as far as they tell that by themselves. */
async function runCanary(backend: Backend, { batch, spec }: CanaryOptions): Promise<Float32Array> {
  const values = await backend.run(batch());
  if (values.length === 0 || !values.every(Number.isFinite))
    throw new VecinityError('backend_failed', 'The check text gave values that are not finite numbers.');
  const own = values.slice(0, backend.width);
  refuse(describeNonsense(own, values.subarray(backend.width), spec));
  return own;
}

function refuse(reason: string | null): void {
  if (!reason) return;
  const cause = new WrongAnswerError(reason);
  throw new VecinityError('backend_failed', `The check text came out wrong: ${reason}.`, { cause });
}

interface Reference {
  values: readonly number[];
  /** How near an embedding has to come. */
  minCosine: number;
  /** Computed for this check: to be kept when the backend agrees with it. */
  isNew?: boolean;
}

/** Null for a WASM device that comes first, of a model without a canary, and where no such device loads. */
async function findReference(
  backend: Backend,
  values: Float32Array,
  options: CanaryOptions,
): Promise<Reference | null> {
  const { spec, store, openReference, passed } = options;
  if (spec.canary) return { values: spec.canary.embedding, minCosine: nearnessToModel(backend.info) };
  const before = passed.get(kindOf(backend.info));
  if (before) return { values: before, minCosine };
  if (backend.info.device === 'wasm') return otherKind(options);
  const kept = parseValues(await store.read(referenceKey(spec, backend.info)), spec);
  const reference = kept && { values: kept, minCosine };
  if (reference && !describeDifference(values, reference, options)) return reference;
  // What was kept may be of the files that the model's address had before.
  const computed = await computeReference(openReference, options);
  return computed ? { values: computed, minCosine, isNew: true } : reference;
}

/** For a CPU device that goes on where another one ended; logits of other weights tell nothing. */
function otherKind({ passed, spec }: CanaryOptions): Reference | null {
  const [values] = passed.values();
  return values && spec.task !== 'rerank' ? { values, minCosine: minCosineToOtherKind } : null;
}

async function computeReference(
  open: CanaryOptions['openReference'],
  options: CanaryOptions,
): Promise<readonly number[] | null> {
  const reference = await open();
  if (!reference) return null;
  try {
    const values = await runCanary(reference, options);
    await keepReference(reference.info, values, options);
    return [...values];
  } finally {
    await reference.dispose();
  }
}

/** The WASM device is what other devices are held against, so its own values become the reference. */
async function keepReference(info: BackendInfo, values: Float32Array, options: CanaryOptions): Promise<void> {
  const { spec, store } = options;
  const key = referenceKey(spec, info);
  if (!parseValues(await store.read(key), spec)) await store.write(key, [...values]);
}

/** How near a backend comes to what another implementation computes in f32. */
function nearnessToModel({ backend, dtype }: BackendInfo): number {
  return backend === 'onnx' && dtype === 'q8' ? minCosineOnnxQ8 : minCosine;
}

/** What differs, in words, or null when the values agree. */
function describeDifference(values: Float32Array, reference: Reference, options: CanaryOptions): string | null {
  const { values: expected, minCosine: needed } = reference;
  if (values.length !== expected.length) return `${values.length} values instead of ${expected.length}`;
  if (options.spec.task === 'rerank') return compareLogits(values, expected);
  const found = options.cosine(values, expected);
  return found >= needed ? null : `cosine ${found.toFixed(4)} to the reference, ${needed} is needed`;
}

/** What shows that nothing was computed, whatever the right values are, in words; null when nothing does. */
function describeNonsense(own: Float32Array, other: Float32Array, spec: ModelSpec): string | null {
  if (!hasLength(own, spec)) return 'a vector of no length';
  return own.every((value, i) => value === other[i]) ? 'the same values as for another text' : null;
}

/** A logit may be zero, an embedding points somewhere. */
function hasLength(values: ArrayLike<number>, { task }: ModelSpec): boolean {
  return task === 'rerank' || Array.from(values).some((value) => value !== 0);
}

function compareLogits(values: Float32Array, expected: readonly number[]): string | null {
  for (const [i, logit] of expected.entries()) {
    const value = values[i] ?? Number.NaN;
    const allowed = Math.max(logitTolerance.absolute, Math.abs(logit) * logitTolerance.relative);
    // Written so that NaN fails.
    if (!(Math.abs(value - logit) <= allowed)) return `logit ${value.toFixed(4)} instead of ${logit.toFixed(4)}`;
  }
  return null;
}

function referenceKey(spec: ModelSpec, info: BackendInfo): string {
  return `canary/${spec.repository}@${spec.revision}/${info.dtype}`;
}

function parseValues(kept: unknown, spec: ModelSpec): readonly number[] | null {
  const isList = Array.isArray(kept) && kept.length > 0 && kept.every((value) => Number.isFinite(value));
  const ok = isList && hasLength(kept, spec);
  return ok ? kept : null;
}
