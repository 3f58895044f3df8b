/** Vectors as response bytes. Long responses are written in slices, so that the event loop is never held for long. */

const alphabet = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const padding = 61;
const sliceMs = 8;

/** `[count, dimensions]` values and what surrounds them. */
export interface VectorRows {
  embeddings: Float32Array<ArrayBuffer>;
  count: number;
  dimensions: number;
}

/** Longest JSON text of a float32 written as its full double: sign, `0.`, five zeros, 17 digits; and a comma. */
const floatTextBytes = 26;

/**
 * Writes OpenAI's embeddings response as UTF-8 JSON. `float` writes each float32 as its full double, so that both
 * formats decode to the same numbers; `tail` is the JSON of the fields after `data`.
 */
export async function writeEmbeddings(
  rows: VectorRows,
  format: 'float' | 'base64',
  tail: object,
): Promise<Uint8Array<ArrayBuffer>> {
  const { embeddings, count, dimensions } = rows;
  const rowBytes = format === 'base64' ? base64Length(dimensions * 4) : dimensions * floatTextBytes;
  const tailText = `],${JSON.stringify(tail).slice(1)}`;
  const writer = new AsciiWriter(count * (rowBytes + 64) + tailText.length * 3 + 64);
  writer.text('{"object":"list","data":[');
  let sliceStart = performance.now();
  for (let index = 0; index < count; index += 1) {
    const row = embeddings.subarray(index * dimensions, (index + 1) * dimensions);
    writer.text(`${index > 0 ? ',' : ''}{"object":"embedding","index":${index},"embedding":`);
    if (format === 'base64') writer.base64(row);
    else writer.text(JSON.stringify(Array.from(row)));
    writer.text('}');
    if (performance.now() - sliceStart > sliceMs) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
  writer.text(tailText);
  return writer.finish();
}

/** Little-endian float32 in the standard alphabet with padding, as OpenAI's SDKs decode it. */
export function encodeBase64(row: Float32Array<ArrayBuffer>): string {
  const out = new Uint8Array(base64Length(row.byteLength));
  writeBase64(row, out, 0);
  return new TextDecoder().decode(out);
}

/** Appends to one buffer whose size is known beforehand. */
class AsciiWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #encoder = new TextEncoder();
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  text(text: string): void {
    this.#length += this.#encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  base64(row: Float32Array<ArrayBuffer>): void {
    this.text('"');
    this.#length = writeBase64(row, this.#bytes, this.#length);
    this.text('"');
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}

function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

/** Returns where the next byte goes. Typed arrays are little-endian on every platform that has WebAssembly. */
function writeBase64(row: Float32Array<ArrayBuffer>, out: Uint8Array, start: number): number {
  const bytes = new Uint8Array(row.buffer, row.byteOffset, row.byteLength);
  const whole = bytes.length - (bytes.length % 3);
  let at = start;
  for (let from = 0; from < whole; from += 3) {
    writeGroup(bytes, from, out, at);
    at += 4;
  }
  if (whole === bytes.length) return at;
  const rest = new Uint8Array(3);
  rest.set(bytes.subarray(whole));
  writeGroup(rest, 0, out, at);
  out.fill(padding, at + 1 + (bytes.length - whole), at + 4);
  return at + 4;
}

/** Three bytes as four letters. */
function writeGroup(bytes: Uint8Array, from: number, out: Uint8Array, at: number): void {
  const group = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
  out[at] = alphabet[group >> 18] ?? 0;
  out[at + 1] = alphabet[(group >> 12) & 63] ?? 0;
  out[at + 2] = alphabet[(group >> 6) & 63] ?? 0;
  out[at + 3] = alphabet[group & 63] ?? 0;
}

/** Lets waiting events run. A message is not clamped to 4 ms as nested timers are. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
