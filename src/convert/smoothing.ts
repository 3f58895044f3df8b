/**
 * Smoothing: moves some of the range of an input's columns into the weights, so that no column takes all the levels of
 * its block. Formula: SmoothQuant (Xiao et al., 2022, arXiv 2211.10438), s = max|x|^α / max|w|^(1-α).
 */

/** Found on all-MiniLM-L6-v2: 7-bit inputs lose more than 8-bit weights, so they get the larger part. */
const alpha = 0.6;
/** Columns that are never used would otherwise get an infinite multiplier. */
const floor = 1e-5;

/** A linear that reads the input, and how much its errors weigh beside those of the others. */
export interface SmoothedLinear {
  /** `[out, width]` */
  weights: Float32Array;
  importance: number;
}

/** What each input column is multiplied by before it is rounded (1/s), with a geometric mean of 1. */
export function smoothingMultipliers(
  input: Float32Array,
  linears: readonly SmoothedLinear[],
  width: number,
): Float32Array {
  const inputs = columnRange([{ weights: input, importance: 1 }], width);
  const outputs = columnRange(linears, width);
  const logs = Array.from(
    { length: width },
    (_, k) => (1 - alpha) * Math.log(outputs[k] as number) - alpha * Math.log(inputs[k] as number),
  );
  const mean = logs.reduce((sum, log) => sum + log, 0) / width;
  return Float32Array.from(logs, (log) => Math.exp(log - mean));
}

/** Largest weighted magnitude in every column of row-major matrices. */
function columnRange(matrices: readonly SmoothedLinear[], width: number): Float64Array {
  const range = new Float64Array(width).fill(floor);
  for (const { weights, importance } of matrices) {
    for (let i = 0; i < weights.length; i++) {
      range[i % width] = Math.max(range[i % width] as number, importance * Math.abs(weights[i] as number));
    }
  }
  return range;
}
