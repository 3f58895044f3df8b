/**
 * Where tokens stand in their text, as UTF-8 byte offsets. Tokenizers of the web keep no offsets, so the pieces are laid
 * along the text again: byte by byte for byte-level vocabularies, else letter by letter without case and accents.
 */

/** Bytes `start` (inclusive) to `stop` (exclusive) of the text's UTF-8. */
export interface Span {
  start: number;
  stop: number;
}

/** Spans of a byte-level vocabulary; null for a piece that the text does not have at its place. */
export function findByteSpans(text: string, pieces: readonly string[]): (Span | null)[] {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return pieces.map((piece) => {
    const own = [...piece].map((letter) => byteOf.get(letter));
    const leads = own.findIndex((byte) => byte !== space);
    // A vocabulary may put a space before the first word that the text does not have.
    const skipped = at === 0 && leads > 0 && bytes[0] !== space ? leads : 0;
    const matches = own.slice(skipped).every((byte, index) => byte !== undefined && bytes[at + index] === byte);
    if (!matches) return null;
    const start = at + Math.max(0, leads - skipped);
    at += own.length - skipped;
    return { start, stop: at };
  });
}

/** Spans of any other vocabulary; null for a piece that is not in the rest of the text, such as an unknown token. */
export function findSpans(text: string, pieces: readonly string[]): (Span | null)[] {
  const { letters, spans } = foldText(text);
  // What the rest does not have it never will; to look for it again each time would take the square of the text.
  const missing = new Set<string>();
  let at = 0;
  return pieces.map((piece) => {
    if (missing.has(piece)) return null;
    const wanted = fold(piece.replace(/^(?:##|▁)/, ''));
    if (wanted === '') return null;
    const found = letters.indexOf(wanted, at);
    const first = spans[found];
    const last = spans[found + wanted.length - 1];
    if (first === undefined || last === undefined) {
      missing.add(piece);
      return null;
    }
    at = found + wanted.length;
    return { start: first.start, stop: last.stop };
  });
}

/** Gives the part of a text that a span covers. */
export function byteSlicer(text: string): (span: Span) => string {
  const bytes = new TextEncoder().encode(text);
  const decoder = new TextDecoder();
  return ({ start, stop }) => decoder.decode(bytes.subarray(start, stop));
}

/** The text's folded letters, and for each of their UTF-16 units the span of the letter that it came from. */
function foldText(text: string): { letters: string; spans: Span[] } {
  const encoder = new TextEncoder();
  const spans: Span[] = [];
  let letters = '';
  let start = 0;
  for (const letter of text) {
    const stop = start + encoder.encode(letter).length;
    const folded = fold(letter);
    letters += folded;
    for (let unit = 0; unit < folded.length; unit += 1) spans.push({ start, stop });
    start = stop;
  }
  return { letters, spans };
}

function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}|\s/gu, '')
    .toLowerCase();
}

const space = 0x20;

/** Byte-level vocabularies write printable bytes as themselves and the others, in order, from U+0100 on. */
const byteOf = new Map<string, number>();
for (let byte = 0, next = 256; byte < 256; byte += 1) {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  byteOf.set(String.fromCodePoint(printable ? byte : next++), byte);
}
