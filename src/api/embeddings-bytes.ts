/** Embeddings as bare bytes, as vLLM sends them: float32 values in little-endian order, one vector behind the other. */
import type { EmbedResult } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { toUsage } from './embeddings.js';
import { createId } from './ids.js';
import { timingHeaders } from './respond.js';

/** `bytes` says in a header where each vector lies, `bytes_only` sends the vectors alone. */
export type BytesFormat = 'bytes' | 'bytes_only';

/** Clients read headers of 16 KiB in all; this one leaves room for the others. */
const maxHeaderBytes = 12 * 1024;

const bytesPerValue = 4;

/** Throws `invalid_request` when `bytes` would have to describe more vectors than a header can hold. */
export function bytesResponse(result: EmbedResult, format: BytesFormat): Response {
  const headers = {
    'content-type': 'application/octet-stream',
    ...timingHeaders(result),
    ...(format === 'bytes' ? { metadata: describeVectors(result) } : {}),
  };
  return new Response(toLittleEndian(result.embeddings), { headers });
}

function describeVectors(result: EmbedResult): string {
  const { model, count, dimensions } = result;
  const size = dimensions * bytesPerValue;
  const common = { embed_dtype: 'float32', endianness: 'little', shape: [dimensions] };
  const data = Array.from({ length: count }, (_, index) => ({
    ...{ index, start: index * size, end: (index + 1) * size },
    ...common,
  }));
  const created = Math.floor(Date.now() / 1000);
  // A header holds ASCII only; JSON can say the rest in escapes.
  const text = JSON.stringify({ id: createId('embd-'), created, model, data, usage: toUsage(result) }).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  if (text.length <= maxHeaderBytes) return text;
  const message =
    `\`encoding_format\` "bytes" describes each vector in a header, and ${count} do not fit there; ` +
    'ask for "bytes_only", whose vectors have one width and the order of the inputs.';
  throw new VecinityError('invalid_request', message, { param: 'encoding_format' });
}

/** Bytes of their own; every platform that runs JavaScript today keeps its floats in this order already. */
function toLittleEndian(values: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(values.length * bytesPerValue);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => void view.setFloat32(index * bytesPerValue, value, true));
  return bytes;
}
