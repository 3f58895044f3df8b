/** From the text of the editor to the sentences that are compared, and the numbers of its lines. */

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
