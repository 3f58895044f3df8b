/** The rows of one job as they come in, in any order, and all of them in the order of the inputs. */
import type { RunOutput } from '../backend/backend.js';
import type { TokenizedText } from './packing.js';

/** Rows that a run gives for one text. */
export function rowsOf({ inputIds }: TokenizedText, output: RunOutput): number {
  return output === 'tokens' ? inputIds.length : 1;
}

/** One row an input: its place is known beforehand. */
export class PooledValues {
  readonly #values: Float32Array<ArrayBuffer>;
  readonly #width: number;

  constructor(total: number, width: number) {
    this.#values = new Float32Array(total * width);
    this.#width = width;
  }

  set(input: number, row: Float32Array): void {
    this.#values.set(row, input * this.#width);
  }

  /** `[total, width]` */
  join(): Float32Array<ArrayBuffer> {
    return this.#values;
  }
}

/** A row a token: copied, because a run's memory is shared by all of its texts. */
export class TokenValues {
  readonly #rows: Float32Array[] = [];

  set(input: number, rows: Float32Array): void {
    this.#rows[input] = rows.slice();
  }

  /** `[tokens, width]` */
  join(): Float32Array<ArrayBuffer> {
    const values = new Float32Array(this.#rows.reduce((sum, rows) => sum + rows.length, 0));
    let at = 0;
    for (const rows of this.#rows) {
      values.set(rows, at);
      at += rows.length;
    }
    return values;
  }
}
