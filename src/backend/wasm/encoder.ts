/**
 * The forward pass of one thread: drives the kernels over packed tokens, layer by layer. Owns the order of things; where
 * they lie is in `plan.ts` and `scratch.ts`, what they compute in `kernels/`.
 */
import type { Pooling } from '../../models/spec.js';
import type { TokenBatch } from '../backend.js';
import type { Heap } from './heap.js';
import * as layout from './kernels/layout.js';
import type { Gemm, Kernels } from './kernels.js';
import type { GemmForm, LayerPlan, LinearPlan, ModelPlan } from './plan.js';
import { chunkRows, type Scratch } from './scratch.js';

/** Sees intermediate tensors under the names that the plain reference uses; for finding faults. */
export type Tap = (name: string, values: Float32Array) => void;

/** A batch with the rows of the position table that its tokens take. */
export interface PlacedBatch extends TokenBatch {
  positionIds: Int32Array;
}

export class Encoder {
  readonly #kernels: Kernels;
  readonly #heap: Heap;
  readonly #plan: ModelPlan;
  tap: Tap | null = null;

  constructor(kernels: Kernels, heap: Heap, plan: ModelPlan) {
    this.#kernels = kernels;
    this.#heap = heap;
    this.#plan = plan;
  }

  /** Last hidden states of a batch, left in `scratch.hidden`. */
  encode(batch: PlacedBatch, scratch: Scratch): void {
    this.place(batch, scratch);
    this.embedRows(scratch, 0, scratch.rows);
    this.#dump('embeddings', scratch.hidden, batch);
    this.#plan.layers.forEach((_, index) => {
      this.layerRows({ index, offsets: batch.offsets, scratch }, 0, scratch.rows);
      this.#dump(`layer.${index}.attention`, scratch.context, batch);
      this.#dump(`layer.${index}`, scratch.hidden, batch);
    });
  }

  /** Copies a batch's tokens to where the kernels read them. */
  place(batch: PlacedBatch, scratch: Scratch): void {
    const { i32, f32 } = this.#heap;
    const { hidden, stride } = this.#plan;
    // Attention writes no padding columns, and quantising must not see what an earlier pass left there.
    if (stride !== hidden) f32.fill(0, scratch.context / 4, scratch.context / 4 + scratch.rows * stride);
    const put = (address: number, values: Int32Array | null): void => {
      const at = address / 4;
      i32.fill(0, at, at + scratch.rows);
      if (values !== null) i32.set(values, at);
    };
    put(scratch.ids, batch.inputIds);
    put(scratch.typeIds, batch.typeIds);
    put(scratch.positionIds, batch.positionIds);
  }

  /** Embeddings of rows `from` to `to`, and the first layer's queries, keys and values. */
  embedRows(scratch: Scratch, from: number, to: number): void {
    const { embed, normalize } = this.#kernels;
    const { words, positions, types, hidden, stride, embeddingNorm, epsilon } = this.#plan;
    const rowBytes = stride * 4;
    for (let row = from; row < to; row += chunkRows) {
      const rows = Math.min(chunkRows, to - row);
      const out = scratch.hidden + row * rowBytes;
      embed(words, scratch.ids + row * 4, rows, hidden, out, rowBytes, 0);
      embed(positions, scratch.positionIds + row * 4, rows, hidden, out, rowBytes, 1);
      if (types !== 0) embed(types, scratch.typeIds + row * 4, rows, hidden, out, rowBytes, 1);
      const next = this.#plan.layers[0]?.qkv;
      const linear = next?.address ?? 0;
      const { input, inputParams } = scratch;
      normalize(out, 0, embeddingNorm, epsilon, out, rows, hidden, rowBytes, linear, input, inputParams);
      if (next !== undefined) this.#project(next, { scratch, buffer: 0, row, rows });
    }
  }

  /** One layer for rows `from` to `to`, and the next layer's queries, keys and values of these rows. */
  layerRows(place: { index: number; offsets: Int32Array; scratch: Scratch }, from: number, to: number): void {
    const { index, offsets, scratch } = place;
    this.#attend(offsets, scratch, { buffer: index % 2, from, to });
    for (let row = from; row < to; row += chunkRows) {
      const rows = Math.min(chunkRows, to - row);
      const layer = this.#plan.layers[index] as LayerPlan;
      const next = this.#plan.layers[index + 1]?.qkv;
      this.#feedForward(layer, next, { scratch, row, rows });
      if (next !== undefined) this.#project(next, { scratch, buffer: (index + 1) % 2, row, rows });
    }
  }

  /** One vector a text, un-normalised, into `out` `[batch, hidden]`. */
  pool(scratch: Scratch, batch: TokenBatch, pooling: Pooling, out: Float32Array): void {
    const { hidden } = this.#plan;
    const { offsets } = batch;
    for (let text = 0; text + 1 < offsets.length; text++) {
      const skipped = pooling === 'mean' ? (batch.skippedTokens?.[text] ?? 0) : 0;
      this.#poolRows(scratch, pooledRows(offsets, text, pooling, skipped));
      const at = scratch.pooled / 4;
      out.set(this.#heap.f32.subarray(at, at + hidden), text * hidden);
    }
  }

  /** The last hidden state of every token of a batch, into `out` `[tokens, hidden]`. */
  readTokens(scratch: Scratch, batch: TokenBatch, out: Float32Array): void {
    this.#readRows(scratch.hidden, batch.inputIds.length, out);
  }

  /** Raw logits of a classifier on every text's first token, into `out` `[batch, labels]`. */
  classify(scratch: Scratch, offsets: Int32Array, out: Float32Array): void {
    const { head, stride } = this.#plan;
    if (head === null) throw new TypeError('The model has no classification head.');
    const rowBytes = stride * 4;
    for (let text = 0; text + 1 < offsets.length; text++) {
      this.#poolRows(scratch, pooledRows(offsets, text, 'cls', 0));
      this.#gemm('f32')(head.dense.address, scratch.pooled, 0, scratch.dense, 4, rowBytes, 32, 0, head.dense.panels);
      this.#kernels.quantize(scratch.dense, rowBytes, 4, head.activation, head.output.address, 0, stride, 0, 0);
      const outBytes = head.output.panels * 32;
      const logits = scratch.pooled;
      this.#gemm('f32')(head.output.address, scratch.dense, 0, logits, 4, outBytes, 32, 0, head.output.panels);
      out.set(this.#heap.f32.subarray(logits / 4, logits / 4 + head.labels), text * head.labels);
    }
  }

  #gemm(form: GemmForm): Gemm {
    return this.#kernels.gemm[form];
  }

  /** The mean of some rows; of none, zeros. */
  #poolRows(scratch: Scratch, [first, end]: [number, number]): void {
    const rowBytes = this.#plan.stride * 4;
    const { pooled } = scratch;
    if (end > first) this.#kernels.mean(scratch.hidden + first * rowBytes, rowBytes, end - first, pooled);
    else this.#heap.f32.fill(0, pooled / 4, pooled / 4 + this.#plan.stride);
  }

  /** Queries, keys and values of some rows from their quantised input (f32: from the hidden values themselves). */
  #project(linear: LinearPlan, place: { scratch: Scratch; buffer: number; row: number; rows: number }): void {
    const { scratch, buffer, row, rows } = place;
    const input = linear.form === 'f32' ? scratch.hidden + row * this.#plan.stride * 4 : scratch.input;
    const out = (scratch.qkv[buffer] as number) + row * 32;
    const panelBytes = scratch.panelRows * 32;
    const gemm = this.#gemm(linear.form);
    gemm(linear.address, input, scratch.inputParams, out, rows, 32, panelBytes, 0, linear.panels);
  }

  #attend(offsets: Int32Array, scratch: Scratch, part: { buffer: number; from: number; to: number }): void {
    const { plan, i32 } = { plan: this.#plan, i32: this.#heap.i32 };
    const rowBytes = plan.stride * 4;
    const headBytes = plan.heads * (plan.depth / 8) * scratch.panelRows * 32;
    const job = scratch.job / 4;
    i32[job + layout.ATTEND_PANEL_STRIDE / 4] = scratch.panelRows * 32;
    i32[job + layout.ATTEND_HEADS / 4] = plan.heads;
    i32[job + layout.ATTEND_HEAD_SIZE / 4] = plan.headSize;
    i32[job + layout.ATTEND_OUT_STRIDE / 4] = rowBytes;
    i32[job + layout.ATTEND_BIAS / 4] = plan.bias?.address ?? 0;
    i32[job + layout.ATTEND_BIAS_STRIDE / 4] = plan.bias?.strideBytes ?? 0;
    i32[job + layout.ATTEND_SCRATCH / 4] = scratch.attention;
    this.#heap.f32[job + layout.ATTEND_SCALE / 4] = Math.LOG2E / Math.sqrt(plan.headSize);
    for (let text = 0; text + 1 < offsets.length; text++) {
      const first = offsets[text] as number;
      const last = offsets[text + 1] as number;
      if (last <= part.from || first >= part.to || first === last) continue;
      const query = (scratch.qkv[part.buffer] as number) + first * 32;
      i32[job + layout.ATTEND_QUERY / 4] = query;
      i32[job + layout.ATTEND_KEY / 4] = query + headBytes;
      i32[job + layout.ATTEND_VALUE / 4] = query + 2 * headBytes;
      i32[job + layout.ATTEND_TOKENS / 4] = last - first;
      i32[job + layout.ATTEND_FIRST / 4] = Math.max(part.from, first) - first;
      i32[job + layout.ATTEND_LAST / 4] = Math.min(part.to, last) - first;
      i32[job + layout.ATTEND_OUT / 4] = scratch.context + first * rowBytes;
      this.#kernels.attend(scratch.job);
    }
  }

  /** Everything of a layer behind attention, for rows that are in the cache together. */
  #feedForward(
    layer: LayerPlan,
    next: LinearPlan | undefined,
    place: { scratch: Scratch; row: number; rows: number },
  ): void {
    const { normalize, quantize } = this.#kernels;
    const { scratch, row, rows } = place;
    const { stride, hidden, epsilon } = this.#plan;
    const rowBytes = stride * 4;
    const { projected, middle, input, inputParams } = scratch;
    const context = scratch.context + row * rowBytes;
    const out = scratch.hidden + row * rowBytes;
    const { attentionOutput, up, down } = layer;

    quantize(context, rowBytes, rows, 0, attentionOutput.address, 0, stride, input, inputParams);
    const attended = attentionOutput.form === 'f32' ? context : input;
    this.#apply(attentionOutput, attended, inputParams, { out: projected, rows, rowBytes });
    const norm = layer.attentionNorm;
    normalize(projected, out, norm, epsilon, middle, rows, hidden, rowBytes, up.address, input, inputParams);
    this.#activateUp(layer, scratch, rows);
    const wide = down.form === 'f32' ? scratch.up : scratch.wideInput;
    this.#apply(down, wide, scratch.wideParams, { out: projected, rows, rowBytes });
    const address = next?.address ?? 0;
    normalize(projected, middle, layer.outputNorm, epsilon, out, rows, hidden, rowBytes, address, input, inputParams);
  }

  /** The intermediate layer, some columns at a time so that they are quantised while they are in the cache. */
  #activateUp(layer: LayerPlan, scratch: Scratch, rows: number): void {
    const { up, down } = layer;
    const { intermediate, activation } = this.#plan;
    const step = scratch.upColumns;
    const input = up.form === 'f32' ? scratch.middle : scratch.input;
    const rowBytes = step * 4;
    for (let column = 0; column < intermediate; column += step) {
      const columns = Math.min(step, intermediate - column);
      const first = column / 8;
      const last = Math.min(up.panels, first + columns / 8);
      const gemm = this.#gemm(up.form);
      gemm(up.address, input, scratch.inputParams, scratch.up, rows, rowBytes, 32, first, last);
      const { wideInput, wideParams } = scratch;
      const { quantize } = this.#kernels;
      quantize(scratch.up, rowBytes, rows, activation, down.address, column, columns, wideInput, wideParams);
    }
  }

  #apply(
    linear: LinearPlan,
    input: number,
    params: number,
    target: { out: number; rows: number; rowBytes: number },
  ): void {
    const { out, rows, rowBytes } = target;
    this.#gemm(linear.form)(linear.address, input, params, out, rows, rowBytes, 32, 0, linear.panels);
  }

  #dump(name: string, address: number, batch: TokenBatch): void {
    if (this.tap === null) return;
    const values = new Float32Array(batch.inputIds.length * this.#plan.hidden);
    this.#readRows(address, batch.inputIds.length, values);
    this.tap(name, values);
  }

  /** Rows without their padding columns. */
  #readRows(address: number, rows: number, out: Float32Array): void {
    const { hidden, stride } = this.#plan;
    for (let row = 0; row < rows; row++) {
      const at = address / 4 + row * stride;
      out.set(this.#heap.f32.subarray(at, at + hidden), row * hidden);
    }
  }
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
