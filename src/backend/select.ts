/**
 * Which backends and devices may serve a model here, best first. Only lists; `ladder.ts` tries them, and a backend whose
 * weight files are not there says so when it is tried.
 */
import type { Attempt } from '../core/engine.js';
import type { ModelSpec } from '../models/spec.js';
import type { WebGpuSupport } from './adapter.js';
import type { BackendName, Device, DevicePreference, DtypePreference } from './backend.js';

export interface Candidate {
  backend: BackendName;
  device: Device;
  dtype: DtypePreference;
}

export interface SelectOptions {
  spec: ModelSpec;
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
  skipped: Omit<Attempt, 'at'>[];
}

/** Never empty: onnxruntime on the CPU is always worth a try. */
export function selectCandidates(options: SelectOptions): Selection {
  const gpu = selectGpu(options);
  const cpu = selectCpu(options);
  return {
    candidates: [...gpu.candidates, ...cpu.candidates],
    measure: options.device === 'auto' && gpu.candidates.length > 0,
    skipped: [...gpu.skipped, ...cpu.skipped],
  };
}

type Part = Pick<Selection, 'candidates' | 'skipped'>;

function selectGpu(options: SelectOptions): Part {
  const { device, dtype } = options;
  if (device === 'wasm') return { candidates: [], skipped: [] };
  const reason = whyNotGpu(options);
  if (reason) return { candidates: [], skipped: [{ backend: 'onnx', device: 'webgpu', ok: false, reason }] };
  return { candidates: [{ backend: 'onnx', device: 'webgpu', dtype }], skipped: [] };
}

function whyNotGpu({ webgpu, device }: SelectOptions): string | null {
  if (webgpu.kind === 'none') return 'there is no WebGPU adapter';
  if (webgpu.kind === 'software' && device === 'auto') return `the adapter is software (${webgpu.adapter})`;
  return null;
}

/** Our own engine first, onnxruntime for what it does not know. */
function selectCpu({ spec, dtype, wasmSupports }: SelectOptions): Part {
  const onnx: Candidate = { backend: 'onnx', device: 'wasm', dtype };
  if (wasmSupports(spec)) return { candidates: [{ backend: 'wasm', device: 'wasm', dtype }, onnx], skipped: [] };
  const reason = `the engine does not know the architecture '${spec.architecture}'`;
  return { candidates: [onnx], skipped: [{ backend: 'wasm', device: 'wasm', ok: false, reason }] };
}
