/** The input of an 8-bit linear as the kernels see it: smoothed, then 7 bits for every token and block of columns. */

export interface ActivationShape {
  tokens: number;
  width: number;
  /** Columns that share a scale and a zero point. */
  block: number;
}

const steps = 127;

/** `input · multipliers` rounded to 128 levels between the least and the largest value of each block, `[tokens, width]`. */
export function roundActivations(
  input: Float32Array,
  multipliers: Float32Array,
  { tokens, width, block }: ActivationShape,
): Float32Array {
  const rounded = new Float32Array(input.length);
  for (let token = 0; token < tokens; token++) {
    for (let start = 0; start < width; start += block) {
      const end = Math.min(start + block, width);
      roundBlock({ from: input, to: rounded, at: token * width }, multipliers, start, end);
    }
  }
  return rounded;
}

function roundBlock(
  { from, to, at }: { from: Float32Array; to: Float32Array; at: number },
  multipliers: Float32Array,
  start: number,
  end: number,
): void {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (let k = start; k < end; k++) {
    const value = (from[at + k] as number) * (multipliers[k] as number);
    to[at + k] = value;
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const scale = (most - least) / steps;
  if (scale === 0) return;
  for (let k = start; k < end; k++) {
    to[at + k] = least + Math.round(((to[at + k] as number) - least) / scale) * scale;
  }
}
