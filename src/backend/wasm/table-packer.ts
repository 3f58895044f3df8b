/**
 * Writes an embedding table into the engine's memory as its kernel reads it: rows of floats, or of whole numbers of 16 or
 * 8 bits with a scale a row.
 */
import { quantizeChannel, quantizeWords } from './channel.js';
import type { Heap } from './heap.js';
import * as layout from './kernels/layout.js';

export interface TableShape {
  rows: number;
  width: number;
  /** Of one value: 4 for floats, 2 or 1 for whole numbers. */
  valueBytes: number;
}

export class TablePacker {
  /** Of the table's structure, see `kernels/layout.ts`. */
  readonly address: number;
  readonly #heap: Heap;
  readonly #shape: TableShape;
  readonly #values: number;
  readonly #scales: number;

  constructor(heap: Heap, shape: TableShape) {
    const { rows, width, valueBytes } = shape;
    this.#heap = heap;
    this.#shape = shape;
    this.address = heap.allocate(layout.TABLE_BYTES);
    this.#values = heap.allocate(rows * width * valueBytes);
    this.#scales = valueBytes < 4 ? heap.allocate(rows * 4) : 0;
    heap.i32[(this.address + layout.TABLE_VALUES) / 4] = this.#values;
    heap.i32[(this.address + layout.TABLE_SCALES) / 4] = this.#scales;
    heap.i32[(this.address + layout.TABLE_SIZE) / 4] = valueBytes;
  }

  /** Rows from `first` on, `[rows, width]`, rounded to what the table holds. */
  writeFloats(first: number, floats: Float32Array): void {
    const { width, valueBytes } = this.#shape;
    if (valueBytes === 4) {
      this.#heap.f32.set(floats, this.#values / 4 + first * width);
      return;
    }
    for (let start = 0; start < floats.length; start += width) {
      this.#writeRounded(first + start / width, floats.subarray(start, start + width));
    }
  }

  /** The same for the codes of a table of 8 bits; their scales come with `writeScales`, before or after. */
  writeCodes(first: number, codes: Uint8Array): void {
    this.#heap.i8.set(codes, this.#values + first * this.#shape.width);
  }

  writeScales(first: number, scales: Float32Array): void {
    this.#heap.f32.set(scales, this.#scales / 4 + first);
  }

  #writeRounded(row: number, weights: Float32Array): void {
    const { width, valueBytes } = this.#shape;
    const isWords = valueBytes === 2;
    const { codes, scale } = isWords ? quantizeWords(weights, 1) : quantizeChannel(weights, 'i16');
    const view = isWords ? this.#heap.i16 : this.#heap.i8;
    view.set(codes, this.#values / valueBytes + row * width);
    this.#heap.f32[this.#scales / 4 + row] = scale;
  }
}
