/** What a pipeline returns: numbers in rows, with the members of Transformers.js's tensor that vectors are read by. */
import { VecinityError } from '../errors.js';

const kinds = {
  float: { type: 'float32', from: Float32Array },
  binary: { type: 'int8', from: Int8Array },
  ubinary: { type: 'uint8', from: Uint8Array },
} as const;

type Kind = keyof typeof kinds;

export type TensorData = Float32Array | Int8Array | Uint8Array;

/** `data` holds `[rows, width]` numbers, row after row. */
export class Tensor {
  readonly type: 'float32' | 'int8' | 'uint8';
  readonly data: TensorData;
  readonly dims: readonly [rows: number, width: number];

  constructor(type: Tensor['type'], data: TensorData, dims: Tensor['dims']) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }

  /** Joins rows of one width. Throws `internal_error` when the engine gave something else. */
  static fromRows(rows: readonly (Float32Array | number[] | string)[], kind: Kind): Tensor {
    const { type, from } = kinds[kind];
    const width = rows[0]?.length ?? 0;
    const data = new from(rows.length * width);
    rows.forEach((row, index) => {
      if (typeof row === 'string' || row.length !== width) {
        throw new VecinityError('internal_error', 'The engine gave vectors that do not make a tensor.');
      }
      data.set(row, index * width);
    });
    return new Tensor(type, data, [rows.length, width]);
  }

  get size(): number {
    return this.data.length;
  }

  /** The rows as plain arrays. */
  tolist(): number[][] {
    return [...this];
  }

  /** The rows, one after the other. */
  *[Symbol.iterator](): Generator<number[]> {
    const [rows, width] = this.dims;
    for (let row = 0; row < rows; row++) yield [...this.data.subarray(row * width, (row + 1) * width)];
  }
}
