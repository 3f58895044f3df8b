/**
 * The forward pass of one thread: drives the kernels over packed tokens, layer by layer. Owns the order of things; where
 * they lie is in `plan.ts` and `scratch.ts`, what a layer is made of in `layer-parts.ts`, what becomes of the result in
 * `readout.ts`.
 */
import type { TokenBatch } from '../backend.js';
import { type Attention, queryPanels } from './attention.js';
import type { Heap } from './heap.js';
import { type LayerParts, type Place, type Range, whole } from './layer-parts.js';
import { type LayerPlan, type LinearPlan, type ModelPlan, roundUp } from './plan.js';
import { readRows } from './readout.js';
import { chunkRows, type Pass, type Scratch } from './scratch.js';

/** Sees intermediate tensors under the names that the plain reference uses; for finding faults. */
export type Tap = (name: string, values: Float32Array) => void;

/** A batch with the rows of the position table that its tokens take. */
export interface PlacedBatch extends TokenBatch {
  positionIds: Int32Array;
}

/** What a forward pass is driven with, over one heap. */
export interface EncoderTools {
  heap: Heap;
  plan: ModelPlan;
  attention: Attention;
  parts: LayerParts;
}

export class Encoder {
  readonly #heap: Heap;
  readonly #plan: ModelPlan;
  readonly #attention: Attention;
  readonly #parts: LayerParts;
  tap: Tap | null = null;

  constructor({ heap, plan, attention, parts }: EncoderTools) {
    this.#heap = heap;
    this.#plan = plan;
    this.#attention = attention;
    this.#parts = parts;
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
    for (const place of chunks(pass.scratch, { from, to })) {
      this.#parts.embed(place);
      this.#projectNext(pass, 0, place);
    }
  }

  /**
   * One layer for rows `from` to `to`, and the next layer's queries, keys and values of these rows. The last layer of a
   * pass with picked rows is computed for those that lie between `from` and `to`.
   */
  layerRows(pass: Pass, index: number, { from, to }: { from: number; to: number }): void {
    const { layers } = this.#plan;
    const { offsets, scratch, picked } = pass;
    if (picked !== null && index === layers.length - 1) {
      // One row a text: sharing them among threads would not pay.
      if (from === 0) this.pickedRows(scratch, offsets, picked);
      return;
    }
    this.#attention.runRows(scratch, { buffer: index % 2, offsets, from, to });
    for (const place of chunks(scratch, { from, to })) {
      this.#feedForward(layers[index] as LayerPlan, layers[index + 1]?.qkv, place);
      this.#projectNext(pass, index + 1, place);
    }
  }

  /** The last layer for one row of each text; text by text, they become the first rows of `scratch.hidden`. */
  pickedRows(scratch: Scratch, offsets: Int32Array, picked: Int32Array): void {
    const { layers, stride } = this.#plan;
    const layer = layers[layers.length - 1] as LayerPlan;
    const buffer = (layers.length - 1) % 2;
    const { f32 } = this.#heap;
    const hidden = scratch.hidden / 4;
    // A text's row never lies before its number, so no row is overwritten that is still to be moved.
    picked.forEach((row, text) => {
      f32.copyWithin(hidden + text * stride, hidden + row * stride, hidden + (row + 1) * stride);
    });
    const rows = { from: 0, to: roundUp(picked.length, 4) };
    for (const place of chunks(scratch, rows)) {
      this.#parts.takeHidden(layer, place);
      this.#parts.project(layer.qkv, place, { buffer, first: 0, last: queryPanels(this.#plan) });
    }
    this.#attention.runPicked(scratch, { buffer, offsets, picked });
    for (const place of chunks(scratch, rows)) this.#feedForward(layer, undefined, place);
  }

  #projectNext({ picked }: Pass, index: number, place: Place): void {
    const linear = this.#plan.layers[index]?.qkv;
    if (linear !== undefined) {
      this.#parts.project(linear, place, { buffer: index % 2, ...askedPanels(this.#plan, { picked, index }) });
    }
  }

  /** Everything of a layer behind attention. */
  #feedForward(layer: LayerPlan, next: LinearPlan | undefined, place: Place): void {
    const parts = this.#parts;
    parts.takeContext(layer, place);
    parts.attentionOutput(layer, place, whole(layer.attentionOutput));
    parts.attentionNorm(layer, place);
    parts.up(layer, place, { first: 0, last: this.#plan.intermediate });
    parts.down(layer, place, whole(layer.down));
    parts.outputNorm(layer, next, place);
  }

  #dump(name: string, address: number, { inputIds }: TokenBatch): void {
    if (this.tap === null) return;
    const values = new Float32Array(inputIds.length * this.#plan.hidden);
    readRows(this.#heap, this.#plan, { address, out: values });
    this.tap(name, values);
  }
}

/** Rows that are in the cache together. */
function* chunks(scratch: Scratch, { from, to }: { from: number; to: number }): Generator<Place> {
  for (let row = from; row < to; row += chunkRows) yield { scratch, row, rows: Math.min(chunkRows, to - row) };
}

/** What is needed of a layer's queries, keys and values; where only picked rows ask in it, all rows' keys and values. */
export function askedPanels(plan: ModelPlan, { picked, index }: { picked: Int32Array | null; index: number }): Range {
  const first = picked !== null && index === plan.layers.length - 1 ? queryPanels(plan) : 0;
  return { first, last: plan.layers[index]?.qkv.panels ?? first };
}
