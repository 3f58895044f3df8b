/** Embeddings as the bytes of OpenAI's JSON response, written in turns so that the event loop is never held for long. */
import { encodeFloats } from '../core/encoding.js';
import type { EmbedResult } from '../core/engine.js';
import { inTurns } from '../core/turns.js';

export type EncodingFormat = 'float' | 'base64';

/** What of a result is written: `[count, dimensions]` values. */
export type EmbeddingRows = Pick<EmbedResult, 'embeddings' | 'count' | 'dimensions'>;

/** Longest JSON text of a float32 written as its full double: sign, `0.`, five zeros, 17 digits; and a comma. */
const floatTextBytes = 26;

/** Room for the rest of a row: `,{"object":"embedding","index":2047,"embedding":[]}`. */
const rowFrameBytes = 64;

/**
 * Writes the response as UTF-8. `float` writes each float32 as its full double, so that both formats decode to the
 * same numbers; `tail` holds the fields after `data`.
 */
export async function writeEmbeddings(
  rows: EmbeddingRows,
  format: EncodingFormat,
  tail: object,
): Promise<Uint8Array<ArrayBuffer>> {
  const { count, dimensions } = rows;
  const tailText = `],${JSON.stringify(tail).slice(1)}`;
  const valuesBytes = format === 'base64' ? Math.ceil((dimensions * 4) / 3) * 4 : dimensions * floatTextBytes;
  const writer = new TextWriter(count * (rowFrameBytes + valuesBytes) + tailText.length * 3 + rowFrameBytes);
  writer.write('{"object":"list","data":[');
  const writeRows = (from: number, mayGoOn: () => boolean) => {
    let index = from;
    do {
      const values = format === 'base64' ? `"${encodeFloats(embeddingAt(rows, index))}"` : floatsText(rows, index);
      writer.write(`${index > 0 ? ',' : ''}{"object":"embedding","index":${index},"embedding":${values}}`);
      index += 1;
    } while (index < count && mayGoOn());
    return index;
  };
  await inTurns(writeRows, { count, now: () => performance.now(), stopped: () => false });
  writer.write(tailText);
  return writer.finish();
}

/** Row `index`, `[dimensions]`, as a view. */
export function embeddingAt({ embeddings, dimensions }: EmbeddingRows, index: number): Float32Array<ArrayBuffer> {
  return embeddings.subarray(index * dimensions, (index + 1) * dimensions);
}

function floatsText(rows: EmbeddingRows, index: number): string {
  return JSON.stringify(Array.from(embeddingAt(rows, index)));
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
