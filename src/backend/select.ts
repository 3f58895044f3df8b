/** Which backends and devices can serve a model here, best first. Only lists; `ladder.ts` tries them. */
import type { Attempt } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import type { ModelSpec } from '../models/spec.js';
import type { WebGpuSupport } from './adapter.js';
import type { BackendName, Device, DevicePreference, DtypePreference } from './backend.js';

/** Which weight files a model has. */
export interface WeightFiles {
  /** `model.safetensors` or its sharded index. */
  safetensors: boolean;
  /** Files below `onnx/`. */
  onnx: boolean;
}

export interface Candidate {
  backend: BackendName;
  device: Device;
  dtype: DtypePreference;
}

export interface SelectOptions {
  spec: ModelSpec;
  weights: WeightFiles;
  device: DevicePreference;
  dtype: DtypePreference;
  webgpu: WebGpuSupport;
  /** Whether our own engine knows the architecture. */
  wasmSupports: (spec: ModelSpec) => boolean;
}

export interface Selection {
  candidates: Candidate[];
  /** True when the first candidate is a GPU that has to prove itself faster than the CPU. */
  measure: boolean;
  /** Devices that were asked for or are usual and cannot be tried, with the reason. */
  skipped: Attempt[];
}

/** Throws `device_unavailable` with every reason when nothing can serve the model. */
export function selectCandidates(options: SelectOptions): Selection {
  const gpu = selectGpu(options);
  const cpu = selectCpu(options);
  const candidates = [...gpu.candidates, ...cpu.candidates];
  const skipped = [...gpu.skipped, ...cpu.skipped];
  if (candidates.length === 0) throw nothingServes(options.spec, skipped);
  const measure = options.device === 'auto' && gpu.candidates.length > 0 && cpu.candidates.length > 0;
  return { candidates, measure, skipped };
}

type Part = Pick<Selection, 'candidates' | 'skipped'>;

function selectGpu(options: SelectOptions): Part {
  const { device, dtype } = options;
  if (device === 'wasm') return { candidates: [], skipped: [] };
  const reason = whyNotGpu(options);
  if (reason) return { candidates: [], skipped: [{ backend: 'onnx', device: 'webgpu', ok: false, reason }] };
  return { candidates: [{ backend: 'onnx', device: 'webgpu', dtype }], skipped: [] };
}

function whyNotGpu({ webgpu, weights, device }: SelectOptions): string | null {
  if (webgpu.kind === 'none') return 'there is no WebGPU adapter';
  if (!weights.onnx) return 'the model has no ONNX files';
  if (webgpu.kind === 'software' && device === 'auto') return `the adapter is software (${webgpu.adapter})`;
  return null;
}

/** Our own engine first, onnxruntime for what it does not know. */
function selectCpu({ spec, weights, dtype, wasmSupports }: SelectOptions): Part {
  const candidates: Candidate[] = [];
  const skipped: Attempt[] = [];
  const skip = (backend: BackendName, reason: string) => skipped.push({ backend, device: 'wasm', ok: false, reason });
  if (!wasmSupports(spec)) skip('wasm', `the architecture '${spec.architecture}' is not known to the engine`);
  else if (!weights.safetensors) skip('wasm', 'the model has no model.safetensors');
  else candidates.push({ backend: 'wasm', device: 'wasm', dtype });
  if (weights.onnx) candidates.push({ backend: 'onnx', device: 'wasm', dtype });
  else skip('onnx', 'the model has no ONNX files');
  return { candidates, skipped };
}

function nothingServes(spec: ModelSpec, skipped: readonly Attempt[]): VecinityError {
  const reasons = skipped.map(({ backend, device, reason }) => `${backend} on ${device}: ${reason}`);
  return new VecinityError(
    'device_unavailable',
    `Nothing here can run the model '${spec.id}' (${reasons.join('; ')}).`,
  );
}
