/** Fits texts into the room of an axis label: whole words on a few lines, the rest cut with an ellipsis. */

/** Width of a text in the label's font, in any unit that `LabelRoom.width` is in too. */
export type Measure = (text: string) => number;

export interface LabelRoom {
  width: number;
  /** Lines at most, from 1. */
  lines: number;
  measure: Measure;
}

const words = new Intl.Segmenter(undefined, { granularity: 'word' });
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** The text's lines, each as wide as the room at most; only the last one can be cut. */
export function fitLabel(text: string, room: LabelRoom): string[] {
  const lines: string[] = [];
  let rest = text.replace(/\s+/g, ' ').trim();
  while (rest !== '' && lines.length < room.lines - 1 && room.measure(rest) > room.width) {
    const line = takeLine(rest, room);
    if (line === '') break;
    lines.push(line.trimEnd());
    rest = rest.slice(line.length).trimStart();
  }
  return rest === '' ? lines : [...lines, cut(rest, room)];
}

/** The longest beginning of whole words that fits; '' when not even one does. */
function takeLine(text: string, { width, measure }: LabelRoom): string {
  let line = '';
  for (const unit of toUnits(text)) {
    if (measure((line + unit).trimEnd()) > width) return line;
    line += unit;
  }
  return line;
}

/** Words with the spaces and punctuation that follow them: a line never begins with a full stop. */
function toUnits(text: string): string[] {
  const units: string[] = [];
  for (const { segment, isWordLike } of words.segment(text)) {
    if (isWordLike || units.length === 0) units.push(segment);
    else units.push(`${units.pop() ?? ''}${segment}`);
  }
  return units;
}

/** Never cuts inside a grapheme. */
function cut(text: string, { width, measure }: LabelRoom): string {
  if (measure(text) <= width) return text;
  const parts = Array.from(graphemes.segment(text), ({ segment }) => segment);
  const shortened = (count: number) => `${parts.slice(0, count).join('').trimEnd()}…`;
  let [low, high] = [0, parts.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(shortened(middle)) <= width) low = middle;
    else high = middle - 1;
  }
  return shortened(low);
}
