/** Vectors as base64 of little-endian float32, which is what OpenAI's SDKs ask for by default, and back. */
import { VecinityError } from '../errors.js';

/** `Uint8Array.prototype.toBase64` is in browsers since 2025 and not in Node 20; libraries of types lag behind. */
interface Base64Bytes {
  toBase64?: () => string;
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Bytes per call of `String.fromCharCode`: below the limit on arguments everywhere, and divisible by 3. */
const chunkBytes = 24_576;

/** Exact for every bit pattern, NaN included. */
export function encodeFloats(values: Float32Array): string {
  const bytes = littleEndian
    ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    : swapFloats(new Uint8Array(Float32Array.from(values).buffer));
  return encodeBytes(bytes);
}

/** Bytes as base64 of the standard alphabet, with padding. */
export function encodeBytes(bytes: Uint8Array): string {
  const native = (bytes as Base64Bytes).toBase64;
  return native ? native.call(bytes) : encodeInChunks(bytes);
}

/** Inverse of `encodeFloats`. Throws `invalid_request` when the text is not base64 of whole float32 values. */
export function decodeFloats(text: string): Float32Array<ArrayBuffer> {
  const bytes = decodeBytes(text);
  if (bytes.length % 4 !== 0) {
    throw new VecinityError('invalid_request', `${bytes.length} bytes are not a whole number of float32 values.`);
  }
  return new Float32Array(littleEndian ? bytes.buffer : swapFloats(bytes).buffer);
}

function encodeInChunks(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    // `apply` takes anything array-like, but is typed for arrays of numbers.
    binary += String.fromCharCode.apply(null, bytes.subarray(start, start + chunkBytes) as unknown as number[]);
  }
  return btoa(binary);
}

function decodeBytes(text: string): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(text);
  } catch (cause) {
    throw new VecinityError('invalid_request', 'The embedding is not base64.', { cause });
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Reverses each group of four bytes in place. */
function swapFloats(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse();
  return bytes;
}
