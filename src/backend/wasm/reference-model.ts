/** Loads any model that the engine knows for the reference: every tensor widened to f32, 8-bit ones de-quantised. */
import type { ModelFiles, ReadOptions } from '../../models/files.js';
import { decodeFloats, openSafetensors, type Safetensors } from '../../models/safetensors.js';
import { bindNames, describeModel } from './architectures.js';
import type { ReferenceModel } from './reference.js';

/**
 * The model in these files, or null when they hold no safetensors or a family that the engine does not know.
 * Throws `model_file_invalid` for files that are broken or do not fit each other.
 */
export async function loadReferenceModel(
  files: ModelFiles,
  config: Readonly<Record<string, unknown>>,
  options: ReadOptions = {},
): Promise<ReferenceModel | null> {
  const description = describeModel(config);
  const tensors = description === null ? null : await openSafetensors(files, options);
  if (description === null || tensors === null) return null;
  return {
    description: bindNames(description, (name) => tensors.tensors.has(name)),
    weights: await readFloats(tensors, options),
  };
}

/** All floating-point tensors as f32, and 8-bit tensors that have a scale for each row multiplied out. */
export async function readFloats(tensors: Safetensors, options: ReadOptions = {}): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  const scaled: { name: string; values: Int8Array }[] = [];
  const chunkBytes = Number.MAX_SAFE_INTEGER;
  for await (const { tensor, bytes } of tensors.stream({ ...options, chunkBytes })) {
    // Sliced because the stream uses its buffer again.
    if (/^(F|BF)/.test(tensor.dtype)) weights.set(tensor.name, decodeFloats(tensor, bytes.slice()));
    if (tensor.dtype === 'I8') scaled.push({ name: tensor.name, values: new Int8Array(bytes.slice().buffer) });
  }
  for (const { name, values } of scaled) {
    const scales = weights.get(`${name}_scale`);
    if (scales !== undefined) weights.set(name, dequantise(values, scales));
  }
  return weights;
}

function dequantise(values: Int8Array, scales: Float32Array): Float32Array {
  const width = values.length / scales.length;
  return Float32Array.from(values, (value, index) => value * (scales[Math.trunc(index / width)] as number));
}
