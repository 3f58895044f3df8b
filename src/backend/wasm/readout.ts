/** What a forward pass has left, as its caller wants it: one vector a text, one a token, or a classifier's logits. */
import type { Pooling } from '../../models/spec.js';
import type { Heap } from './heap.js';
import type { Kernels } from './kernels.js';
import type { LinearPlan, ModelPlan } from './plan.js';
import type { Pass } from './scratch.js';

/** How a text's rows become its vector. */
export interface PoolingChoice {
  pooling: Pooling;
  /** Leading tokens of each text that its mean leaves out; null where it is of all. */
  skippedTokens: Int32Array | null;
}

export class Readout {
  readonly #kernels: Kernels;
  readonly #heap: Heap;
  readonly #plan: ModelPlan;

  constructor(kernels: Kernels, heap: Heap, plan: ModelPlan) {
    this.#kernels = kernels;
    this.#heap = heap;
    this.#plan = plan;
  }

  /** One vector a text, un-normalised, into `out` `[batch, hidden]`. */
  pool(pass: Pass, { pooling, skippedTokens }: PoolingChoice, out: Float32Array): void {
    const { hidden } = this.#plan;
    const at = pass.scratch.pooled / 4;
    for (let text = 0; text + 1 < pass.offsets.length; text++) {
      const skipped = pooling === 'mean' ? (skippedTokens?.[text] ?? 0) : 0;
      this.#poolRows(pass, resultRows(pass, text, { pooling, skipped }));
      out.set(this.#heap.f32.subarray(at, at + hidden), text * hidden);
    }
  }

  /** The last hidden state of every token, into `out` `[tokens, hidden]`. */
  tokens({ scratch }: Pass, out: Float32Array): void {
    readRows(this.#heap, this.#plan, { address: scratch.hidden, out });
  }

  /** Raw logits of a classifier on every text's first token, into `out` `[batch, labels]`. */
  classify(pass: Pass, out: Float32Array): void {
    const { head, stride } = this.#plan;
    const { pooled, dense } = pass.scratch;
    if (head === null) throw new TypeError('The model has no classification head.');
    const rowBytes = stride * 4;
    for (let text = 0; text + 1 < pass.offsets.length; text++) {
      this.#poolRows(pass, resultRows(pass, text, { pooling: 'cls', skipped: 0 }));
      this.#apply(head.dense, pooled, { out: dense, rowBytes });
      this.#kernels.quantize(dense, rowBytes, 4, head.activation, head.output.address, 0, stride, 0, 0);
      this.#apply(head.output, dense, { out: pooled, rowBytes: head.output.panels * 32 });
      out.set(this.#heap.f32.subarray(pooled / 4, pooled / 4 + head.labels), text * head.labels);
    }
  }

  /** The heads' linears are f32; their rows are computed by four. */
  #apply({ address, panels }: LinearPlan, input: number, { out, rowBytes }: { out: number; rowBytes: number }): void {
    this.#kernels.gemm.f32(address, input, 0, out, 4, rowBytes, 32, 0, panels);
  }

  /** The mean of some rows; of none, zeros. */
  #poolRows({ scratch }: Pass, [first, end]: [number, number]): void {
    const rowBytes = this.#plan.stride * 4;
    const { pooled } = scratch;
    if (end > first) this.#kernels.mean(scratch.hidden + first * rowBytes, rowBytes, end - first, pooled);
    else this.#heap.f32.fill(0, pooled / 4, pooled / 4 + this.#plan.stride);
  }
}

/** As many rows as `out` `[rows, hidden]` takes, without their padding columns. */
export function readRows(
  { f32 }: Heap,
  { hidden, stride }: ModelPlan,
  { address, out }: { address: number; out: Float32Array },
): void {
  for (let row = 0; row * hidden < out.length; row++) {
    const at = address / 4 + row * stride;
    out.set(f32.subarray(at, at + hidden), row * hidden);
  }
}

/** The one row of every text that makes up its result, or null when it takes more than one. */
export function pickRows(offsets: Int32Array, pooling: Pooling): Int32Array | null {
  if (pooling === 'mean') return null;
  return Int32Array.from({ length: offsets.length - 1 }, (_, text) => pooledRows(offsets, text, pooling, 0)[0]);
}

/** Rows of `scratch.hidden` that make up a text's result: a pass with picked rows has left those alone. */
function resultRows(pass: Pass, text: number, read: { pooling: Pooling; skipped: number }): [number, number] {
  return pass.picked === null ? pooledRows(pass.offsets, text, read.pooling, read.skipped) : [text, text + 1];
}

/** First and last row (exclusive) that make up a text's vector. */
function pooledRows(offsets: Int32Array, text: number, pooling: Pooling, skipped: number): [number, number] {
  const first = offsets[text] as number;
  const end = offsets[text + 1] as number;
  switch (pooling) {
    case 'mean':
      return [Math.min(first + skipped, end), end];
    case 'cls':
      return [first, first + 1];
    case 'last_token':
      return [end - 1, end];
    default:
      return pooling satisfies never;
  }
}
