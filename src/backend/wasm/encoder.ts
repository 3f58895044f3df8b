/**
 * The forward pass of one thread: drives the kernels over packed tokens, layer by layer. Owns the order of things; where
 * they lie is in `plan.ts` and `scratch.ts`, what they compute in `kernels/`, what becomes of the result in `readout.ts`.
 */
import type { TokenBatch } from '../backend.js';
import { Attention, queryPanels } from './attention.js';
import type { Heap } from './heap.js';
import type { Gemm, Kernels } from './kernels.js';
import { type GemmForm, type LayerPlan, type LinearPlan, type ModelPlan, roundUp } from './plan.js';
import { readRows } from './readout.js';
import { chunkRows, type Pass, type Scratch } from './scratch.js';

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
  readonly #attention: Attention;
  tap: Tap | null = null;

  constructor(kernels: Kernels, heap: Heap, plan: ModelPlan) {
    this.#kernels = kernels;
    this.#heap = heap;
    this.#plan = plan;
    this.#attention = new Attention(kernels, heap, plan);
  }

  /**
   * Last hidden states of a batch, left in `scratch.hidden`: those of all rows, or those of the picked ones alone, text
   * by text.
   */
  encode(batch: PlacedBatch, scratch: Scratch, picked: Int32Array | null = null): void {
    const pass: Pass = { offsets: batch.offsets, scratch, picked };
    this.place(batch, scratch);
    this.embedRows(pass, 0, scratch.rows);
    this.#dump('embeddings', scratch.hidden, batch);
    this.#plan.layers.forEach((_, index) => {
      this.layerRows(pass, index, { from: 0, to: scratch.rows });
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
  embedRows(pass: Pass, from: number, to: number): void {
    const { scratch } = pass;
    const { embed, normalize } = this.#kernels;
    const { words, positions, types, hidden, stride, embeddingNorm, epsilon } = this.#plan;
    const rowBytes = stride * 4;
    for (let row = from; row < to; row += chunkRows) {
      const rows = Math.min(chunkRows, to - row);
      const out = scratch.hidden + row * rowBytes;
      embed(words, scratch.ids + row * 4, rows, hidden, out, rowBytes, 0);
      embed(positions, scratch.positionIds + row * 4, rows, hidden, out, rowBytes, 1);
      if (types !== 0) embed(types, scratch.typeIds + row * 4, rows, hidden, out, rowBytes, 1);
      const linear = this.#plan.layers[0]?.qkv.address ?? 0;
      const { input, inputParams } = scratch;
      normalize(out, 0, embeddingNorm, epsilon, out, rows, hidden, rowBytes, linear, input, inputParams);
      this.#projectNext(pass, 0, { row, rows });
    }
  }

  /**
   * One layer for rows `from` to `to`, and the next layer's queries, keys and values of these rows. The last layer of a
   * pass with picked rows is computed for those that lie between `from` and `to`.
   */
  layerRows(pass: Pass, index: number, { from, to }: { from: number; to: number }): void {
    const { offsets, scratch, picked } = pass;
    if (picked !== null && index === this.#plan.layers.length - 1) {
      // One row a text: sharing them among threads would not pay.
      if (from === 0) this.#pickedRows(scratch, offsets, picked);
      return;
    }
    this.#attention.runRows(scratch, { buffer: index % 2, offsets, from, to });
    for (let row = from; row < to; row += chunkRows) {
      const rows = Math.min(chunkRows, to - row);
      const layer = this.#plan.layers[index] as LayerPlan;
      const next = this.#plan.layers[index + 1]?.qkv;
      this.#feedForward(layer, next, { scratch, row, rows });
      this.#projectNext(pass, index + 1, { row, rows });
    }
  }

  #gemm(form: GemmForm): Gemm {
    return this.#kernels.gemm[form];
  }

  /** The last layer for one row of each text; text by text, they become the first rows of `scratch.hidden`. */
  #pickedRows(scratch: Scratch, offsets: Int32Array, picked: Int32Array): void {
    const { layers, stride } = this.#plan;
    const layer = layers[layers.length - 1] as LayerPlan;
    const buffer = (layers.length - 1) % 2;
    const { f32 } = this.#heap;
    const hidden = scratch.hidden / 4;
    // A text's row never lies before its number, so no row is overwritten that is still to be moved.
    picked.forEach((row, text) => {
      f32.copyWithin(hidden + text * stride, hidden + row * stride, hidden + (row + 1) * stride);
    });
    const end = roundUp(picked.length, 4);
    for (let row = 0; row < end; row += chunkRows) {
      const rows = Math.min(chunkRows, end - row);
      const { input, inputParams } = scratch;
      const from = scratch.hidden + row * stride * 4;
      this.#kernels.quantize(from, stride * 4, rows, 0, layer.qkv.address, 0, stride, input, inputParams);
      this.#project(layer.qkv, { scratch, buffer, row, rows }, { first: 0, last: queryPanels(this.#plan) });
    }
    this.#attention.runPicked(scratch, { buffer, offsets, picked });
    for (let row = 0; row < end; row += chunkRows) {
      this.#feedForward(layer, undefined, { scratch, row, rows: Math.min(chunkRows, end - row) });
    }
  }

  /** Queries, keys and values of a layer; where only picked rows ask in it, all rows' keys and values. */
  #projectNext({ scratch, picked }: Pass, index: number, { row, rows }: { row: number; rows: number }): void {
    const { layers } = this.#plan;
    const linear = layers[index]?.qkv;
    if (linear === undefined) return;
    const first = picked !== null && index === layers.length - 1 ? queryPanels(this.#plan) : 0;
    this.#project(linear, { scratch, buffer: index % 2, row, rows }, { first, last: linear.panels });
  }

  /** Some panels of queries, keys and values of some rows from their quantised input (f32: from the hidden values). */
  #project(
    linear: LinearPlan,
    place: { scratch: Scratch; buffer: number; row: number; rows: number },
    { first, last }: { first: number; last: number },
  ): void {
    const { scratch, buffer, row, rows } = place;
    const input = linear.form === 'f32' ? scratch.hidden + row * this.#plan.stride * 4 : scratch.input;
    const panelBytes = scratch.panelRows * 32;
    const out = (scratch.qkv[buffer] as number) + first * panelBytes + row * 32;
    const gemm = this.#gemm(linear.form);
    gemm(linear.address, input, scratch.inputParams, out, rows, 32, panelBytes, first, last);
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

  #dump(name: string, address: number, { inputIds }: TokenBatch): void {
    if (this.tap === null) return;
    const values = new Float32Array(inputIds.length * this.#plan.hidden);
    readRows(this.#heap, this.#plan, { address, out: values });
    this.tap(name, values);
  }
}
