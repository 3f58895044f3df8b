/** From the text of the editor to the sentences that are compared, and back to labels that fit an axis. */

/** More rows than this make cells too small to read and a request too long to feel live. */
export const maxSentences = 60;

export interface Sentences {
  /** The lines that have text, trimmed, `maxSentences` at most. */
  texts: string[];
  /** Lines with text beyond the limit; they are not sent. */
  dropped: number;
}

/** One sentence a line; lines without text are ignored. */
export function readSentences(text: string): Sentences {
  const lines = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return { texts: lines.slice(0, maxSentences), dropped: Math.max(0, lines.length - maxSentences) };
}

export interface EditorLine {
  text: string;
  /** The sentence's number as the map shows it, from 1; null for a line that is not compared. */
  number: number | null;
}

/** Every line of the editor with the number that its sentence has, in the order of `readSentences`. */
export function numberLines(text: string): EditorLine[] {
  let next = 1;
  return text.split(/\r\n|\r|\n/).map((line) => {
    const compared = line.trim() !== '' && next <= maxSentences;
    return { text: line, number: compared ? next++ : null };
  });
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
/** East Asian scripts and emoji: twice as wide as Latin letters in most fonts. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Extended_Pictographic}/u;

/** Cuts a text to about `width` Latin letters, never inside a grapheme; what was cut shows as one ellipsis. */
export function shorten(text: string, width: number): string {
  let used = 0;
  let kept = '';
  for (const { segment } of segmenter.segment(text)) {
    used += wide.test(segment) ? 2 : 1;
    if (used > width) return `${dropLast(kept).trimEnd()}…`;
    kept += segment;
  }
  return text;
}

/** Makes room for the ellipsis. */
function dropLast(text: string): string {
  const segments = Array.from(segmenter.segment(text), (part) => part.segment);
  return segments.slice(0, -1).join('');
}
