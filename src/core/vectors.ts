/** Rows of raw embeddings to what a caller gets: cut to a width, normalised, in a buffer of their own. */

export interface ShapeOptions {
  /** Values per row as the backend gave them. */
  width: number;
  /** Values per row to keep. */
  dimensions: number;
  normalize: boolean;
}

/** `[count, width]` to `[count, dimensions]`; hands back the same array when nothing changes. */
export function shapeRows(values: Float32Array<ArrayBuffer>, options: ShapeOptions): Float32Array<ArrayBuffer> {
  const { width, dimensions, normalize } = options;
  const rows = dimensions === width ? values : cutRows(values, width, dimensions);
  if (normalize) {
    for (let start = 0; start < rows.length; start += dimensions)
      normalizeRow(rows.subarray(start, start + dimensions));
  }
  return rows;
}

/** Scales to length 1 in place, with the sum in f64; a row of zeros points nowhere and stays. */
function normalizeRow(row: Float32Array): void {
  let sum = 0;
  for (const value of row) sum += value * value;
  if (sum === 0) return;
  const scale = 1 / Math.sqrt(sum);
  for (let i = 0; i < row.length; i++) row[i] = (row[i] as number) * scale; // The index is in range.
}

/** The logistic function, without overflow on either side. */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

/** Logits `[count, width]` to probabilities: softmax over a row, the sigmoid of a single value. */
export function toProbabilities(logits: Float32Array<ArrayBuffer>, width: number): Float32Array<ArrayBuffer> {
  if (width === 1) return logits.map(sigmoid);
  const values = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += width) {
    const row = logits.subarray(start, start + width);
    const most = Math.max(...row);
    const powers = Array.from(row, (logit) => Math.exp(logit - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    values.set(
      powers.map((power) => power / sum),
      start,
    );
  }
  return values;
}

function cutRows(values: Float32Array, width: number, dimensions: number): Float32Array<ArrayBuffer> {
  const count = values.length / width;
  const rows = new Float32Array(count * dimensions);
  for (let i = 0; i < count; i++) rows.set(values.subarray(i * width, i * width + dimensions), i * dimensions);
  return rows;
}
