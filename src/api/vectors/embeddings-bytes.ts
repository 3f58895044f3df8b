/** Embeddings as bare bytes, as vLLM sends them: one vector behind the other. */
import type { EmbedResult } from '../../core/engine.js';
import { VecinityError } from '../../errors.js';
import type { Computed } from '../compute.js';
import { createId, nowSeconds } from '../ids.js';
import { timingHeaders } from '../respond.js';
import { toUsage } from '../usage.js';
import { type BytesForm, bytesPerValue, toVectorBytes } from './vector-bytes.js';

/** `bytes` says in a header where each vector lies, `bytes_only` sends the vectors alone. */
export type BytesFormat = 'bytes' | 'bytes_only';

/** Clients read headers of 16 KiB in all; this one leaves room for the others. */
const maxHeaderBytes = 12 * 1024;

/** Throws `invalid_request` when `bytes` would have to describe more vectors than a header can hold. */
export function bytesResponse(
  format: BytesFormat,
  { result, form }: { result: Computed<EmbedResult>; form: BytesForm },
): Response {
  const headers = {
    'content-type': 'application/octet-stream',
    ...timingHeaders(result),
    ...(format === 'bytes' ? { metadata: describeVectors(result, form) } : {}),
  };
  return new Response(toVectorBytes(result.embeddings, form), { headers });
}

function describeVectors(result: EmbedResult, form: BytesForm): string {
  const { model, count, dimensions } = result;
  const size = dimensions * bytesPerValue(form);
  const endianness = form.bigEndian ? 'big' : 'little';
  const common = { embed_dtype: form.dtype, endianness, shape: [dimensions] };
  const data = Array.from({ length: count }, (_, index) => ({
    ...{ index, start: index * size, end: (index + 1) * size },
    ...common,
  }));
  const created = nowSeconds();
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
