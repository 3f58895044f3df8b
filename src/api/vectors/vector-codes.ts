/**
 * Embeddings in fewer bytes: 8-bit codes and packed signs, in the layouts of Cohere and sentence-transformers.
 * 8-bit codes are scaled by the largest value of their own vector, so they keep its direction: compare them by cosine.
 */
import { encodeBytes, encodeFloats } from '../../core/encoding.js';
import { VecinityError } from '../../errors.js';
import { type EmbeddingRows, embeddingAt, type JsonRows, toJsonRows } from './embeddings-json.js';
import { type BytesForm, plainForm, toVectorBytes } from './vector-bytes.js';

export const vectorTypes = ['float', 'int8', 'uint8', 'binary', 'ubinary', 'base64'] as const;
export type VectorType = (typeof vectorTypes)[number];

/** Vectors, and how they are asked for. */
export interface TypedVectors {
  result: EmbeddingRows;
  /** One type, unless Jina's words named several. */
  types: readonly [VectorType, ...VectorType[]];
  /** Of base64 and bytes. */
  form: BytesForm;
}

/** Each row as a JSON value of this type. Throws `invalid_request` for bits of a width that is not a multiple of 8. */
export function toTypedRows(rows: EmbeddingRows, type: VectorType): JsonRows {
  if (type === 'float' || type === 'base64') return toJsonRows(rows, type);
  const encode = encoders[type];
  checkWidth(rows.dimensions, type);
  const row = (index: number) => JSON.stringify(Array.from(encode(embeddingAt(rows, index))));
  return { count: rows.count, row };
}

/** Each row as base64 of numbers in that form. */
function toBase64Rows(rows: EmbeddingRows, form: BytesForm): JsonRows {
  const row = (index: number) => `"${encodeBytes(toVectorBytes(embeddingAt(rows, index), form))}"`;
  return { count: rows.count, row };
}

/** The rows as one type, base64 in that form, or as objects with a field for each of several types. */
export function toRows({ result, types, form }: TypedVectors): JsonRows {
  const isPlain = form.dtype === plainForm.dtype && form.bigEndian === plainForm.bigEndian;
  if (types.length > 1) return toManyTypedRows(result, types);
  return types[0] === 'base64' && !isPlain ? toBase64Rows(result, form) : toTypedRows(result, types[0]);
}

/** Each row as a JSON object with a field for each type. */
function toManyTypedRows(rows: EmbeddingRows, types: readonly VectorType[]): JsonRows {
  const parts = [...new Set(types)].map((type) => ({ name: `"${type}":`, ...toTypedRows(rows, type) }));
  const row = (index: number) => `{${parts.map((part) => part.name + part.row(index)).join()}}`;
  return { count: rows.count, row };
}

/** One vector as a JSON value of this type. */
export function toTypedVector(vector: Float32Array<ArrayBuffer>, type: VectorType): number[] | string {
  if (type === 'base64') return encodeFloats(vector);
  if (type === 'float') return Array.from(vector);
  checkWidth(vector.length, type);
  return Array.from(encoders[type](vector));
}

const encoders = {
  int8: toCodes,
  uint8: (vector) => Uint8Array.from(toCodes(vector), (code) => code + 128),
  binary: (vector) => Int8Array.from(toBits(vector), (bits) => bits - 128),
  ubinary: toBits,
} satisfies Record<Exclude<VectorType, 'float' | 'base64'>, (vector: Float32Array) => Int8Array | Uint8Array>;

/** -127 to 127, where 127 is the vector's largest absolute value. */
function toCodes(vector: Float32Array): Int8Array {
  const most = vector.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const scale = most === 0 ? 0 : 127 / most;
  return Int8Array.from(vector, (value) => Math.round(value * scale));
}

/** A bit a value, set when it is positive; the first value is the highest bit of the first byte. */
function toBits(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(vector.length / 8);
  vector.forEach((value, index) => {
    if (value > 0) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (128 >> (index & 7));
  });
  return bytes;
}

function checkWidth(dimensions: number, type: VectorType): void {
  const isPacked = type === 'binary' || type === 'ubinary';
  if (!isPacked || dimensions % 8 === 0) return;
  const message = `\`dimensions\` must be a multiple of 8 for embeddings of type ${type}; it is ${dimensions}.`;
  throw new VecinityError('invalid_request', message, { param: 'dimensions' });
}
