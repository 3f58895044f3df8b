/** The compiled kernels: their types, where their modules lie, and how one is instantiated over a memory. */
import type { GemmForm } from './plan.js';

/** `kernels/gemm-u7.ts` says what the arguments are; all are addresses, counts or strides in bytes. */
export type Gemm = (
  linear: number,
  input: number,
  params: number,
  out: number,
  rows: number,
  rowStride: number,
  panelStride: number,
  first: number,
  last: number,
) => void;

export interface Kernels {
  gemm: Record<GemmForm, Gemm>;
  /** Attention in floats, and in 16-bit numbers. */
  attend(job: number): void;
  attendWords(job: number): void;
  embed(table: number, ids: number, rows: number, width: number, out: number, stride: number, add: number): void;
  mean(x: number, stride: number, rows: number, out: number): void;
  pack(linear: number, codes: number, first: number, count: number, span: number): number;
  normalize(
    x: number,
    residual: number,
    norm: number,
    epsilon: number,
    out: number,
    rows: number,
    width: number,
    stride: number,
    linear: number,
    input: number,
    params: number,
  ): void;
  quantize(
    x: number,
    stride: number,
    rows: number,
    activation: number,
    linear: number,
    column: number,
    count: number,
    input: number,
    params: number,
  ): void;
}

/** A module's exports, spelled by the kernels' sources. */
type Exports = Omit<Kernels, 'gemm'> & {
  gemmF32: Gemm;
  gemmI16: Gemm;
  gemmW16: Gemm;
  gemmAdd?: Gemm;
  gemmSingle?: Gemm;
  gemmPair?: Gemm;
  gemmQuad?: Gemm;
};

/** The kernels of one module over one memory. */
export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  // The modules are built from kernels/ together with this file; their exports are known.
  const exports = instance.exports as unknown as Exports;
  const missing: Gemm = () => {
    throw new TypeError('This build of the kernels has no relaxed SIMD.');
  };
  const { gemmF32, gemmW16, gemmI16, gemmAdd, gemmSingle, gemmPair, gemmQuad } = exports;
  const { attend, attendWords, embed, mean, normalize, pack, quantize } = exports;
  return {
    gemm: {
      f32: gemmF32,
      w16: gemmW16,
      i16: gemmI16,
      add: gemmAdd ?? missing,
      single: gemmSingle ?? missing,
      pair: gemmPair ?? missing,
      quad: gemmQuad ?? missing,
    },
    attend,
    attendWords,
    embed,
    mean,
    normalize,
    pack,
    quantize,
  };
}
