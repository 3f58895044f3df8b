/** Loads any model that the engine knows for the reference: every tensor widened to f32, 8-bit ones de-quantised. */
import type { ModelFiles, ReadOptions } from '../../models/files.js';
import { openSafetensors, type Safetensors } from '../../models/safetensors.js';
import { decodeFloats } from '../../models/tensor-data.js';
import { describeModel } from './architectures.js';
import { bindNames } from './bound-names.js';
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

/** All floating-point tensors as f32; 8-bit tensors times their rows' scales and the multipliers of their inputs. */
async function readFloats(tensors: Safetensors, options: ReadOptions = {}): Promise<Map<string, Float32Array>> {
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
    const multipliers = weights.get(name.replace(/weight$/, 'smooth')) ?? null;
    if (scales !== undefined) weights.set(name, dequantise(values, scales, multipliers));
  }
  return weights;
}

function dequantise(codes: Int8Array, scales: Float32Array, multipliers: Float32Array | null): Float32Array {
  const width = codes.length / scales.length;
  return Float32Array.from(codes, (code, index) => {
    const weight = code * (scales[Math.trunc(index / width)] as number);
    return multipliers === null ? weight : weight * (multipliers[index % width] as number);
  });
}
