/** The values of the kernels' constant vectors, by the addresses that `kernels/layout.ts` gives them. */
import * as layout from './kernels/layout.js';

/** f32, the same in all four lanes. Polynomials are minimax fits (Lawson) made for these kernels. */
const floats: readonly (readonly [address: number, value: number])[] = [
  // 1.5 * 2^23: added to a small number it leaves the nearest whole number in the low bits of the mantissa.
  [layout.ROUNDER, 12_582_912],
  [layout.LEAST_EXPONENT, -126],
  [layout.EXP2_5, 0.001326472203144443],
  [layout.EXP2_4, 0.009671512996978037],
  [layout.EXP2_3, 0.055507337604399125],
  [layout.EXP2_2, 0.24022242077585343],
  [layout.EXP2_1, 0.6931469775871786],
  [layout.ONE, 1],
  [layout.HALF, 0.5],
  [layout.ERF_LIMIT, 5],
  [layout.ERF_MINUS_LIMIT, -5],
  [layout.ERF_P4, 0.00000516249997006597],
  [layout.ERF_P3, 0.0002689003564655727],
  [layout.ERF_P2, 0.005217013607635745],
  [layout.ERF_P1, 0.045434758325129644],
  [layout.ERF_P0, 0.3989420537205795],
  [layout.ERF_Q5, 4.593155737216974e-7],
  [layout.ERF_Q4, 0.00009670454225119783],
  [layout.ERF_Q3, 0.002437441539899988],
  [layout.ERF_Q2, 0.0348427183022362],
  [layout.ERF_Q1, 0.2805509536433434],
  [layout.TANH_LIMIT, 20],
  [layout.TWO_LOG2_E, 2.8853900817779268],
  [layout.TWO, 2],
  [layout.TANH_INNER, 0.7978845608028654],
  [layout.TANH_CUBE, 0.044715],
  [layout.TAIL_LIMIT, 3.75],
  [layout.TAIL_7, -0.0007531809387728572],
  [layout.TAIL_6, 0.011341854929924011],
  [layout.TAIL_5, -0.06474212557077408],
  [layout.TAIL_4, 0.15792730450630188],
  [layout.TAIL_3, -0.065809465944767],
  [layout.TAIL_2, -0.3769587278366089],
  [layout.TAIL_1, 0.4975895285606384],
  [layout.TAIL_0, -1.1115621418866795e-5],
  [layout.ROUGH_EXP2_3, 0.055171668808154696],
  [layout.ROUGH_EXP2_2, 0.2426111221740903],
  [layout.ROUGH_EXP2_1, 0.6932609855067483],
  [layout.ROUGH_EXP2_0, 0.9999280735417505],
];

/** Writes all constants into a memory; every thread that opens it may do so again. */
export function writeConstants(memory: WebAssembly.Memory): void {
  const { buffer } = memory;
  new Int16Array(buffer, layout.ONES, 8).fill(1);
  new Int32Array(buffer, layout.LEVEL_MASK, 4).fill(0x7f);
  for (const [address, value] of floats) new Float32Array(buffer, address, 4).fill(value);
}
