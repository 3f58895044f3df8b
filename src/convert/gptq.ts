/**
 * Rounds the weights of a linear to 8 bits one input after the other; the error of each rounding is fed into the inputs
 * that are still open, weighted by how inputs occur together. Method: GPTQ (Frantar et al., 2022, arXiv 2210.17323),
 * with the extra rule that codes which meet in a 16-bit lane of the kernels must not overflow it.
 */
import { laneLimit, laneSpan, quantizeChannel } from '../backend/wasm/channel.js';
import { inverseFactor } from './cholesky.js';

/** Share of the mean diagonal that is added to it: inputs that were rarely seen are trusted less. */
const damping = 0.3;
/** Scales leave this much of a lane to the feedback, which would be clipped otherwise. */
const plannedLaneSum = 250;
/** The widest lanes of all kernels. */
const span = laneSpan('quad');

/** How the inputs of one linear occur together; shared by linears with the same input. */
export interface InputStatistics {
  width: number;
  /** Inputs, the most important first. */
  order: Int32Array;
  /** Upper triangular factor in that order, `[width, width]`. */
  factor: Float64Array;
}

/** Codes `[out, width]` and a scale for every output. */
export interface RoundedLinear {
  codes: Int8Array;
  scales: Float32Array;
}

/** From the rounded inputs `[tokens, width]`. */
export function describeInputs(inputs: Float32Array, width: number): InputStatistics {
  const moments = secondMoments(inputs, width);
  const diagonal = Float64Array.from({ length: width }, (_, k) => moments[k * width + k] as number);
  const damp = (damping * diagonal.reduce((sum, value) => sum + value, 0)) / width || 1;
  const order = Int32Array.from(diagonal.keys()).sort(
    (a, b) => (diagonal[b] as number) - (diagonal[a] as number) || a - b,
  );
  const ordered = new Float64Array(width * width);
  order.forEach((from, row) => {
    order.forEach((to, column) => {
      ordered[row * width + column] = moments[from * width + to] as number;
    });
    ordered[row * width + row] = (ordered[row * width + row] as number) + damp;
  });
  return { width, order, factor: inverseFactor(ordered, width) };
}

/** Rounds `[out, width]` weights. */
export function roundLinear(weights: Float32Array, statistics: InputStatistics): RoundedLinear {
  const { width } = statistics;
  const rows = weights.length / width;
  const codes = new Int8Array(weights.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const channel = weights.subarray(row * width, (row + 1) * width);
    // Taken back from the file's f32, which is what the codes will be multiplied by.
    scales[row] = quantizeChannel(channel, 'quad', plannedLaneSum).scale;
    const scale = scales[row] as number;
    roundChannel(channel, scale, statistics, codes.subarray(row * width, (row + 1) * width));
  }
  return { codes, scales };
}

function roundChannel(channel: Float32Array, scale: number, statistics: InputStatistics, codes: Int8Array): void {
  const { width, order, factor } = statistics;
  const open = Float64Array.from(order, (k) => channel[k] as number);
  const lanes = new LaneBudget(width);
  for (let step = 0; step < width; step++) {
    const k = order[step] as number;
    const code = lanes.take(k, Math.round((open[step] as number) / scale));
    codes[k] = code;
    const row = step * width;
    const error = ((open[step] as number) - code * scale) / (factor[row + step] as number);
    for (let later = step + 1; later < width; later++) {
      open[later] = (open[later] as number) - error * (factor[row + later] as number);
    }
  }
}

/** What the codes of one channel may still add to the lanes that they meet in. */
class LaneBudget {
  readonly #positive: Int32Array;
  readonly #negative: Int32Array;

  constructor(width: number) {
    const lanes = Math.ceil(width / span) * 2;
    this.#positive = new Int32Array(lanes).fill(laneLimit);
    this.#negative = new Int32Array(lanes).fill(laneLimit);
  }

  /** The code nearest to the wanted one that fits. */
  take(k: number, wanted: number): number {
    const lane = Math.floor(k / span) * 2 + ((k >> 1) & 1);
    const budget = wanted > 0 ? this.#positive : this.#negative;
    const size = Math.min(Math.abs(wanted), 127, budget[lane] as number);
    budget[lane] = (budget[lane] as number) - size;
    return wanted > 0 ? size : -size;
  }
}

/** `inputsᵀ · inputs`, `[width, width]`. */
function secondMoments(inputs: Float32Array, width: number): Float64Array {
  const moments = new Float64Array(width * width);
  for (let start = 0; start < inputs.length; start += width) {
    const token = inputs.subarray(start, start + width);
    for (let row = 0; row < width; row++) {
      const value = token[row] as number;
      if (value === 0) continue;
      const target = moments.subarray(row * width, (row + 1) * width);
      for (let column = row; column < width; column++) {
        target[column] = (target[column] as number) + value * (token[column] as number);
      }
    }
  }
  for (let row = 0; row < width; row++) {
    for (let column = 0; column < row; column++)
      moments[row * width + column] = moments[column * width + row] as number;
  }
  return moments;
}
