/**
 * What a layer is made of, each piece for some rows that are in the cache together, products also for some of their
 * columns. Owns what the kernels are told; in which order and by whom the pieces are computed is others' business.
 */
import type { Kernels } from './kernels.js';
import { type LayerPlan, type LinearPlan, type ModelPlan, roundUp } from './plan.js';
import type { Scratch } from './scratch.js';

/** Rows of a pass, at most `chunkRows`. */
export interface Place {
  scratch: Scratch;
  row: number;
  rows: number;
}

/** Panels of 8 columns of a product, or columns of the intermediate layer. */
export interface Range {
  first: number;
  last: number;
}

export class LayerParts {
  readonly #kernels: Kernels;
  readonly #plan: ModelPlan;

  constructor(kernels: Kernels, plan: ModelPlan) {
    this.#kernels = kernels;
    this.#plan = plan;
  }

  /** Embeddings, and the input of the first layer's queries, keys and values. */
  embed({ scratch, row, rows }: Place): void {
    const { embed, normalize } = this.#kernels;
    const { words, positions, types, hidden, embeddingNorm, epsilon, layers } = this.#plan;
    const { input, inputParams } = scratch;
    const { out, rowBytes } = this.#hiddenRows(scratch, row);
    embed(words, scratch.ids + row * 4, rows, hidden, out, rowBytes, 0);
    embed(positions, scratch.positionIds + row * 4, rows, hidden, out, rowBytes, 1);
    if (types !== 0) embed(types, scratch.typeIds + row * 4, rows, hidden, out, rowBytes, 1);
    const linear = layers[0]?.qkv.address ?? 0;
    normalize(out, 0, embeddingNorm, epsilon, out, rows, hidden, rowBytes, linear, input, inputParams);
  }

  /** The input of queries, keys and values from the hidden values as they lie there. */
  takeHidden({ qkv }: LayerPlan, { scratch, row, rows }: Place): void {
    const { out, rowBytes } = this.#hiddenRows(scratch, row);
    this.#quantize(qkv, { from: out, rowBytes, rows, scratch });
  }

  /** Queries, keys and values into one of the two buffers. */
  project(
    linear: LinearPlan,
    { scratch, row, rows }: Place,
    { buffer, first, last }: Range & { buffer: number },
  ): void {
    const input = linear.form === 'f32' ? this.#hiddenRows(scratch, row).out : scratch.input;
    const panelBytes = scratch.panelRows * 32;
    const out = (scratch.qkv[buffer] as number) + first * panelBytes + row * 32;
    const gemm = this.#kernels.gemm[linear.form];
    gemm(linear.address, input, scratch.inputParams, out, rows, 32, panelBytes, first, last);
  }

  /** The input of the product behind attention. */
  takeContext({ attentionOutput }: LayerPlan, { scratch, row, rows }: Place): void {
    const rowBytes = this.#plan.stride * 4;
    this.#quantize(attentionOutput, { from: scratch.context + row * rowBytes, rowBytes, rows, scratch });
  }

  attentionOutput({ attentionOutput }: LayerPlan, { scratch, row, rows }: Place, range: Range): void {
    const context = scratch.context + row * this.#plan.stride * 4;
    const input = attentionOutput.form === 'f32' ? context : scratch.input;
    this.#apply(attentionOutput, { input, params: scratch.inputParams, scratch, rows }, range);
  }

  attentionNorm({ attentionNorm, up }: LayerPlan, { scratch, row, rows }: Place): void {
    const { projected, middle, input, inputParams } = scratch;
    const { hidden, epsilon } = this.#plan;
    const { out, rowBytes } = this.#hiddenRows(scratch, row);
    const { normalize } = this.#kernels;
    normalize(projected, out, attentionNorm, epsilon, middle, rows, hidden, rowBytes, up.address, input, inputParams);
  }

  /**
   * Some columns of the intermediate layer, activated and quantised while they are in the cache. `first` and `last` are
   * multiples of what `upUnit` says, or the end of all.
   */
  up(layer: LayerPlan, { scratch, rows }: Place, { first, last }: Range): void {
    const { upColumns } = scratch;
    for (let column = first; column < last; column += upColumns) {
      const range = { first: column, last: Math.min(last, column + upColumns) };
      this.#up(layer, { scratch, rows, out: scratch.up }, range);
      this.#activate(layer, { scratch, rows, from: scratch.up }, range);
    }
  }

  /** The same without what follows, where a row has one scale: `up` and its buffer have room for all columns then. */
  upAlone(layer: LayerPlan, { scratch, rows }: Place, range: Range): void {
    this.#up(layer, { scratch, rows, out: scratch.up + range.first * 4 }, range);
  }

  /** What follows that. */
  activate(layer: LayerPlan, { scratch, rows }: Place): void {
    this.#activate(layer, { scratch, rows, from: scratch.up }, { first: 0, last: this.#plan.intermediate });
  }

  down({ down }: LayerPlan, { scratch, rows }: Place, range: Range): void {
    const input = down.form === 'f32' ? scratch.up : scratch.wideInput;
    this.#apply(down, { input, params: scratch.wideParams, scratch, rows }, range);
  }

  /** The layer's hidden values, and the input of the next one's queries, keys and values. */
  outputNorm({ outputNorm }: LayerPlan, next: LinearPlan | undefined, { scratch, row, rows }: Place): void {
    const { projected, middle, input, inputParams } = scratch;
    const { hidden, epsilon } = this.#plan;
    const { out, rowBytes } = this.#hiddenRows(scratch, row);
    const { normalize } = this.#kernels;
    const address = next?.address ?? 0;
    normalize(projected, middle, outputNorm, epsilon, out, rows, hidden, rowBytes, address, input, inputParams);
  }

  #hiddenRows({ hidden }: Scratch, row: number): { out: number; rowBytes: number } {
    const rowBytes = this.#plan.stride * 4;
    return { out: hidden + row * rowBytes, rowBytes };
  }

  #quantize(
    linear: LinearPlan,
    { from, rowBytes, rows, scratch }: { from: number; rowBytes: number; rows: number; scratch: Scratch },
  ): void {
    const { input, inputParams } = scratch;
    this.#kernels.quantize(from, rowBytes, rows, 0, linear.address, 0, this.#plan.stride, input, inputParams);
  }

  #up(
    { up }: LayerPlan,
    { scratch, rows, out }: { scratch: Scratch; rows: number; out: number },
    { first, last }: Range,
  ): void {
    const input = up.form === 'f32' ? scratch.middle : scratch.input;
    const gemm = this.#kernels.gemm[up.form];
    const lastPanel = Math.min(up.panels, last / 8);
    gemm(up.address, input, scratch.inputParams, out, rows, scratch.upColumns * 4, 32, first / 8, lastPanel);
  }

  #activate(
    { down }: LayerPlan,
    { scratch, rows, from }: { scratch: Scratch; rows: number; from: number },
    { first, last }: Range,
  ): void {
    const { quantize } = this.#kernels;
    const { upColumns, wideInput, wideParams } = scratch;
    const { activation } = this.#plan;
    quantize(from, upColumns * 4, rows, activation, down.address, first, last - first, wideInput, wideParams);
  }

  #apply(
    linear: LinearPlan,
    { input, params, scratch, rows }: { input: number; params: number; scratch: Scratch; rows: number },
    { first, last }: Range,
  ): void {
    const gemm = this.#kernels.gemm[linear.form];
    const out = scratch.projected + first * 32;
    gemm(linear.address, input, params, out, rows, this.#plan.stride * 4, 32, first, last);
  }
}

/** All columns of a product. */
export function whole({ panels }: LinearPlan): Range {
  return { first: 0, last: panels };
}

/** Columns of the intermediate layer that can be quantised without the others; null where a row has one scale. */
export function upUnit({ intermediate, layers }: ModelPlan): number | null {
  const down = layers[0]?.down;
  return down === undefined || down.form === 'f32' || down.block >= intermediate ? null : roundUp(down.block, 16);
}
