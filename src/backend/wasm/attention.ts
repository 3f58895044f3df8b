/**
 * Tells the attention kernel what to compute: which rows of which texts, and where their queries, keys, values and
 * results lie. Owns the job's structure in memory; the arithmetic is in `kernels/attention.ts`.
 */
import type { Heap } from './heap.js';
import * as layout from './kernels/layout.js';
import type { Kernels } from './kernels.js';
import type { ModelPlan } from './plan.js';
import type { Scratch } from './scratch.js';

/** Up to here 16-bit products save next to nothing, so their rounding is not worth it. */
const floatTokens = 32;

/** Which queries, keys and values are looked at, and where their texts begin and end. */
interface Source {
  buffer: number;
  offsets: Int32Array;
}

export class Attention {
  readonly #kernels: Kernels;
  readonly #heap: Heap;
  readonly #plan: ModelPlan;

  constructor(kernels: Kernels, heap: Heap, plan: ModelPlan) {
    this.#kernels = kernels;
    this.#heap = heap;
    this.#plan = plan;
  }

  /** Rows `from` to `to`, each with its text's keys and values; results in the same rows of `scratch.context`. */
  runRows(scratch: Scratch, { buffer, offsets, ...part }: Source & { from: number; to: number }): void {
    this.#describe(scratch);
    for (let text = 0; text + 1 < offsets.length; text++) {
      const first = offsets[text] as number;
      const last = offsets[text + 1] as number;
      const from = Math.max(part.from, first);
      const to = Math.min(part.to, last);
      if (from < to) this.#run(scratch, { buffer, first, last, from, to }, from);
    }
  }

  /** One row of each text: the query of text `i` is in row `i`, and so is its result. */
  runPicked(scratch: Scratch, { buffer, offsets, picked }: Source & { picked: Int32Array }): void {
    this.#describe(scratch);
    picked.forEach((row, text) => {
      const first = offsets[text] as number;
      const last = offsets[text + 1] as number;
      this.#run(scratch, { buffer, first, last, from: row, to: row + 1 }, text);
    });
  }

  /** What is the same for all texts. */
  #describe(scratch: Scratch): void {
    const { i32, f32 } = this.#heap;
    const { heads, headSize, stride, bias } = this.#plan;
    const job = scratch.job / 4;
    i32[job + layout.ATTEND_PANEL_STRIDE / 4] = scratch.panelRows * 32;
    i32[job + layout.ATTEND_HEADS / 4] = heads;
    i32[job + layout.ATTEND_HEAD_SIZE / 4] = headSize;
    i32[job + layout.ATTEND_OUT_STRIDE / 4] = stride * 4;
    i32[job + layout.ATTEND_BIAS / 4] = bias?.address ?? 0;
    i32[job + layout.ATTEND_BIAS_STRIDE / 4] = bias?.strideBytes ?? 0;
    i32[job + layout.ATTEND_SCRATCH / 4] = scratch.attention;
    f32[job + layout.ATTEND_SCALE / 4] = Math.LOG2E / Math.sqrt(headSize);
  }

  /** Rows `from` to `to` of the text from `first` to `last`; queries and results begin in row `at` of their buffers. */
  #run(
    scratch: Scratch,
    text: { buffer: number; first: number; last: number; from: number; to: number },
    at: number,
  ): void {
    const { buffer, first, last, from, to } = text;
    const queries = scratch.qkv[buffer] as number;
    const partBytes = queryPanels(this.#plan) * scratch.panelRows * 32;
    const { i32 } = this.#heap;
    const job = scratch.job / 4;
    // The kernel counts rows from the text's first one on.
    const start = at - (from - first);
    i32[job + layout.ATTEND_QUERY / 4] = queries + start * 32;
    i32[job + layout.ATTEND_KEY / 4] = queries + partBytes + first * 32;
    i32[job + layout.ATTEND_VALUE / 4] = queries + 2 * partBytes + first * 32;
    i32[job + layout.ATTEND_TOKENS / 4] = last - first;
    i32[job + layout.ATTEND_FIRST / 4] = from - first;
    i32[job + layout.ATTEND_LAST / 4] = to - first;
    i32[job + layout.ATTEND_OUT / 4] = scratch.context + start * this.#plan.stride * 4;
    if (this.#plan.attention === 'words' && last - first > floatTokens) this.#kernels.attendWords(scratch.job);
    else this.#kernels.attend(scratch.job);
  }
}

/** Panels of all heads' queries; those of the keys follow, then those of the values. */
export function queryPanels({ heads, depth }: ModelPlan): number {
  return heads * (depth / 8);
}
