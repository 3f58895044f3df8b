/** Embeddings as bytes of JSON, written in turns so that the event loop is never held for long. */
import { encodeFloats } from '../core/encoding.js';
import type { EmbedResult, EmbedTokensResult } from '../core/engine.js';
import { inTurns } from '../core/turns.js';

export type EncodingFormat = 'float' | 'base64';

/** What of a result is written: `[count, dimensions]` values. */
export type EmbeddingRows = Pick<EmbedResult, 'embeddings' | 'count' | 'dimensions'>;

/** Longest JSON text of a float32 written as its full double: sign, `0.`, five zeros, 17 digits; and a comma. */
const floatTextBytes = 26;

/** Room for the rest of OpenAI's row: `{"object":"embedding","index":2047,"embedding":[]}`. */
const rowFrameBytes = 64;

/** Rows that are written one by one, with commas between them. */
export interface JsonRows {
  count: number;
  row: (index: number) => string;
  /** No row is longer, in bytes. */
  rowBytes: number;
}

/** A piece of JSON text, or rows. */
export type JsonPart = string | JsonRows;

/** Writes OpenAI's response as UTF-8 around the vectors of each row; `tail` holds the fields after `data`. */
export function writeEmbeddings({ count, row, rowBytes }: JsonRows, tail: object): Promise<Uint8Array<ArrayBuffer>> {
  const item = (index: number) => `{"object":"embedding","index":${index},"embedding":${row(index)}}`;
  const data = { count, row: item, rowBytes: rowBytes + rowFrameBytes };
  return writeJson(['{"object":"list","data":[', data, `],${JSON.stringify(tail).slice(1)}`]);
}

/** Each row as a JSON value. `float` writes each float32 as its full double, so that both formats decode to the same. */
export function toJsonRows(rows: EmbeddingRows, format: EncodingFormat): JsonRows {
  const { count, dimensions } = rows;
  if (format === 'base64') {
    const row = (index: number) => `"${encodeFloats(embeddingAt(rows, index))}"`;
    return { count, row, rowBytes: Math.ceil((dimensions * 4) / 3) * 4 + 2 };
  }
  const row = (index: number) => JSON.stringify(Array.from(embeddingAt(rows, index)));
  return { count, row, rowBytes: dimensions * floatTextBytes + 2 };
}

/** The token vectors of each input as a JSON array, in what `frame` puts around it; with commas between the inputs. */
export function toTokenParts(
  { embeddings, offsets, dimensions, count }: EmbedTokensResult,
  frame: (input: number) => readonly [before: string, after: string] = () => ['', ''],
): JsonPart[] {
  return Array.from({ length: count }, (_, input): JsonPart[] => {
    const [first = 0, end = 0] = offsets.subarray(input, input + 2);
    const own = embeddings.subarray(first * dimensions, end * dimensions);
    const rows = { embeddings: own, count: end - first, dimensions };
    const [before, after] = frame(input);
    return [`${input > 0 ? ',' : ''}${before}[`, toJsonRows(rows, 'float'), `]${after}`];
  }).flat();
}

/** The parts as UTF-8, one after the other; rows in turns. */
export async function writeJson(parts: readonly JsonPart[]): Promise<Uint8Array<ArrayBuffer>> {
  const sizes = parts.map((part) => (typeof part === 'string' ? part.length * 3 : part.count * (part.rowBytes + 1)));
  const writer = new TextWriter(sizes.reduce((sum, size) => sum + size, 0));
  for (const part of parts) {
    if (typeof part === 'string') writer.write(part);
    else await writeRows(writer, part);
  }
  return writer.finish();
}

async function writeRows(writer: TextWriter, { count, row }: JsonRows): Promise<void> {
  const work = (from: number, mayGoOn: () => boolean) => {
    let index = from;
    do {
      writer.write(`${index > 0 ? ',' : ''}${row(index)}`);
      index += 1;
    } while (index < count && mayGoOn());
    return index;
  };
  await inTurns(work, { count, now: () => performance.now(), stopped: () => false });
}

/** Row `index`, `[dimensions]`, as a view. */
export function embeddingAt({ embeddings, dimensions }: EmbeddingRows, index: number): Float32Array<ArrayBuffer> {
  return embeddings.subarray(index * dimensions, (index + 1) * dimensions);
}

/** Appends to one buffer whose size is known beforehand: megabytes of text never exist as one string. */
class TextWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #encoder = new TextEncoder();
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  write(text: string): void {
    this.#length += this.#encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
