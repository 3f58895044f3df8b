/**
 * Writes one linear into the engine's memory in the order in which its kernel reads it: panels of 8 output columns.
 * Takes channels (rows of the weight) one by one in any order, so that a file is packed while it streams in.
 */
import { type Channel, fitChannel, quantizeChannel, quantizeWords } from './channel.js';
import type { CodePacker } from './code-packer.js';
import type { Heap } from './heap.js';
import * as layout from './kernels/layout.js';
import { blockCount, type GemmForm, isI16, type LinearPlan, roundUp, weightBytes } from './plan.js';

export interface LinearShape {
  form: GemmForm;
  /** Output columns, padding included; a multiple of 8. */
  columns: number;
  /** Input columns as the file has them. */
  width: number;
  /** Input columns that share a scale; f32 inputs have none, and those of `i16` one for the whole row. */
  block: number;
  /** The input is multiplied before it is quantised. */
  smooth: boolean;
}

export class LinearPacker {
  readonly plan: LinearPlan;
  readonly #heap: Heap;
  readonly #weights: number;
  readonly #columns: number;
  readonly #sums: number;
  readonly #smooth: number;
  readonly #rowWidth: number;

  constructor(heap: Heap, shape: LinearShape) {
    const width = roundUp(shape.width, 16);
    const panels = shape.columns / 8;
    const block = isU7(shape.form) || shape.form === 'w16' ? Math.min(shape.block, width) : width;
    this.#heap = heap;
    this.#rowWidth = shape.width;
    this.plan = { address: heap.allocate(layout.LINEAR_BYTES), form: shape.form, panels, width, block };
    this.#weights = heap.allocate(panels * width * 8 * weightBytes(shape.form));
    this.#columns = heap.allocate(panels * 64);
    this.#sums = isU7(shape.form) ? heap.allocate(panels * blockCount(this.plan) * 32) : 0;
    this.#smooth = shape.smooth ? heap.allocate(width * 4) : 0;
    this.#describe();
    for (let panel = 0; panel < panels; panel++)
      this.#heap.f32.fill(1, this.#columns / 4 + panel * 16, this.#columns / 4 + panel * 16 + 8);
  }

  /** A channel of floating-point weights. */
  writeFloats(column: number, weights: Float32Array): void {
    const { form, block } = this.plan;
    if (form === 'f32') this.#putFloats(column, weights);
    else if (form === 'w16') this.#putChannel(column, quantizeWords(weights, block));
    else this.#putChannel(column, quantizeChannel(weights, form));
  }

  /** A channel of 8-bit codes; its scale comes with `multiplyScale`, before or after. */
  writeCodes(column: number, codes: Int8Array): void {
    const { form } = this.plan;
    if (form === 'f32') this.#putFloats(column, Float32Array.from(codes));
    else if (form === 'w16') this.#putChannel(column, { codes: Int16Array.from(codes), scale: 1 });
    else this.#putChannel(column, fitChannel(codes, form));
  }

  /** Channels of consecutive columns, `[columns, width]`; codes all at once where that is possible. */
  writeRows(column: number, channels: Int8Array | Float32Array, packer: CodePacker | null): void {
    const width = this.#rowWidth;
    const isWhole = channels instanceof Int8Array && width === this.plan.width;
    if (isWhole && packer?.write(this.plan, column, channels)) return;
    for (let at = 0; at < channels.length; at += width) {
      const channel = channels.subarray(at, at + width);
      if (channel instanceof Int8Array) this.writeCodes(column + at / width, channel);
      else this.writeFloats(column + at / width, channel);
    }
  }

  multiplyScale(column: number, scale: number): void {
    const at = this.#columnIndex(column);
    const { f32 } = this.#heap;
    f32[at] = (f32[at] as number) * scale;
  }

  setBias(column: number, bias: number): void {
    this.#heap.f32[this.#columnIndex(column) + 8] = bias;
  }

  /** Multipliers of the input. f32 products take them into the weights, which must all be written by then. */
  setSmooth(multipliers: Float32Array): void {
    const { f32 } = this.#heap;
    if (this.#smooth !== 0) f32.set(multipliers, this.#smooth / 4);
    if (this.plan.form !== 'f32') return;
    const { width, panels } = this.plan;
    for (let panel = 0; panel < panels; panel++) {
      for (let k = 0; k < multipliers.length; k++) {
        const at = this.#weights / 4 + (panel * width + k) * 8;
        for (let c = 0; c < 8; c++) f32[at + c] = (f32[at + c] as number) * (multipliers[k] as number);
      }
    }
  }

  #describe(): void {
    const { i32 } = this.#heap;
    const { address, form, width, block } = this.plan;
    const put = (field: number, value: number): void => {
      i32[(address + field) / 4] = value;
    };
    put(layout.LINEAR_WEIGHTS, this.#weights);
    put(layout.LINEAR_COLUMNS, this.#columns);
    put(layout.LINEAR_SUMS, this.#sums);
    put(layout.LINEAR_WIDTH, width);
    put(layout.LINEAR_BLOCK, block);
    put(layout.LINEAR_BLOCKS, blockCount(this.plan));
    // f32 products have the multipliers in their weights.
    put(layout.LINEAR_SMOOTH, form === 'f32' ? 0 : this.#smooth);
    put(layout.LINEAR_INPUT, inputKind(form));
  }

  #putChannel(column: number, { codes, scale }: Channel | Channel<Int16Array>): void {
    const bytes = new Int8Array(codes.buffer, codes.byteOffset, codes.byteLength);
    if (this.plan.form === 'i16') this.#putPairs(column, bytes);
    else this.#putFours(column, bytes);
    if (this.#sums !== 0) this.#putSums(column, bytes);
    this.multiplyScale(column, scale);
  }

  /** Four consecutive bytes of a column lie together: four inputs, or two of 16 bits. */
  #putFours(column: number, codes: Int8Array): void {
    const words = codes.length >> 2;
    const base = this.#panelAddress(column) + (column & 7) * 4;
    const { i8, i32 } = this.#heap;
    // A typed array of words needs a multiple of four as its start; rows of a file seldom have another.
    const fours = codes.byteOffset % 4 === 0 ? codes : codes.slice();
    const from = new Int32Array(fours.buffer, fours.byteOffset, words);
    for (let k = 0, at = base / 4; k < words; k++, at += 8) i32[at] = from[k] as number;
    for (let k = words * 4; k < codes.length; k++) i8[base + words * 32 + (k & 3)] = codes[k] as number;
  }

  /** Two consecutive inputs of a column lie together; of every four, the first two of all columns come first. */
  #putPairs(column: number, codes: Int8Array): void {
    const { i8 } = this.#heap;
    const base = this.#panelAddress(column) + (column & 7) * 2;
    for (let k = 0; k < codes.length; k++) i8[base + (k >> 1) * 16 + (k & 1)] = codes[k] as number;
  }

  #putFloats(column: number, weights: Float32Array): void {
    const { f32 } = this.#heap;
    const base = (this.#weights + (column >> 3) * this.plan.width * 32) / 4 + (column & 7);
    for (let k = 0; k < weights.length; k++) f32[base + k * 8] = weights[k] as number;
  }

  #putSums(column: number, codes: Int8Array): void {
    const { block } = this.plan;
    const blocks = blockCount(this.plan);
    const base = this.#sums / 4 + (column >> 3) * blocks * 8 + (column & 7);
    for (let b = 0; b < blocks; b++) {
      let sum = 0;
      for (let k = b * block; k < Math.min(codes.length, (b + 1) * block); k++) sum += codes[k] as number;
      this.#heap.f32[base + b * 8] = sum;
    }
  }

  #columnIndex(column: number): number {
    return this.#columns / 4 + (column >> 3) * 16 + (column & 7);
  }

  #panelAddress(column: number): number {
    return this.#weights + (column >> 3) * this.plan.width * 8 * weightBytes(this.plan.form);
  }
}

export function isU7(form: GemmForm): boolean {
  return form !== 'f32' && !isI16(form);
}

function inputKind(form: GemmForm): number {
  if (form === 'f32') return layout.INPUT_F32;
  return isI16(form) ? layout.INPUT_I16 : layout.INPUT_U7;
}
