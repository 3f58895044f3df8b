/** Embeddings as bytes of JSON, written in turns so that the event loop is never held for long. */
import { encodeFloats } from '../../core/encoding.js';
import type { EmbedResult, EmbedTokensResult } from '../../core/engine.js';
import { inTurns } from '../../core/turns.js';
import { WrittenJson } from './written-json.js';

export type EncodingFormat = 'float' | 'base64';

/** What of a result is written: `[count, dimensions]` values. */
export type EmbeddingRows = Pick<EmbedResult, 'embeddings' | 'count' | 'dimensions'>;

/** Rows that are written one by one, with commas between them. */
export interface JsonRows {
  count: number;
  row: (index: number) => string;
}

/** A piece of JSON text, or rows. */
export type JsonPart = string | JsonRows;

/** How long the event loop is held at once; the rest of a server's work waits for no more than this. */
const turnMs = 4;

/** Of text that is written and sent at once. */
const pieceBytes = 128 * 1024;
const firstPieceBytes = 16 * 1024;

/** Writes OpenAI's response as UTF-8 around the vectors of each row; `tail` holds the fields after `data`, `itemTail` the JSON after each vector. */
export function writeEmbeddings({ count, row }: JsonRows, tail: object, itemTail = ''): Promise<WrittenJson> {
  const item = (index: number) => `{"object":"embedding","index":${index},"embedding":${row(index)}${itemTail}}`;
  return writeJson(['{"object":"list","data":[', { count, row: item }, `],${JSON.stringify(tail).slice(1)}`]);
}

/** Each row as a JSON value. `float` writes each float32 as its full double, so that both formats decode to the same. */
export function toJsonRows(rows: EmbeddingRows, format: EncodingFormat): JsonRows {
  const { count } = rows;
  if (format === 'base64') {
    return { count, row: (index) => `"${encodeFloats(embeddingAt(rows, index))}"` };
  }
  return { count, row: (index) => JSON.stringify(Array.from(embeddingAt(rows, index))) };
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
export async function writeJson(parts: readonly JsonPart[]): Promise<WrittenJson> {
  const writer = new TextWriter();
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
  await inTurns(work, { count, now: () => performance.now(), stopped: () => false, turnMs });
}

/** Row `index`, `[dimensions]`, as a view. */
export function embeddingAt({ embeddings, dimensions }: EmbeddingRows, index: number): Float32Array<ArrayBuffer> {
  return embeddings.subarray(index * dimensions, (index + 1) * dimensions);
}

/** Appends to pieces of bytes: megabytes of text never exist as one string or one buffer. */
class TextWriter {
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  readonly #encoder = new TextEncoder();
  #piece = new Uint8Array(firstPieceBytes);
  #length = 0;

  write(text: string): void {
    let rest = text;
    while (rest !== '') {
      const { read, written } = this.#encoder.encodeInto(rest, this.#piece.subarray(this.#length));
      this.#length += written;
      rest = rest.slice(read);
      if (rest !== '') this.#nextPiece();
    }
  }

  finish(): WrittenJson {
    return new WrittenJson([...this.#pieces, this.#piece.subarray(0, this.#length)]);
  }

  #nextPiece(): void {
    this.#pieces.push(this.#piece.subarray(0, this.#length));
    this.#piece = new Uint8Array(pieceBytes);
    this.#length = 0;
  }
}
