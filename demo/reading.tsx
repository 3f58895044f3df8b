/** The cell under the pointer or the keyboard's cursor, in full: both sentences and their cosine. */
import type { Place } from './geometry.js';
import { formatScore, valueAt } from './matrix.js';
import type { MapView } from './plot.js';

export interface ReadingProps {
  view: MapView;
  cursor: Place | null;
}

export function Reading({ view, cursor }: ReadingProps) {
  if (cursor === null) {
    return (
      <p class="reading reading-empty">
        Point at a cell, or tap it, to read both sentences here. With the keyboard: Tab to the map, then the arrow keys.
      </p>
    );
  }
  const score = valueAt(view.values, view.texts.length, cursor.row, cursor.column);
  return (
    <div class="reading" data-testid="reading">
      <p class="reading-score">{formatScore(score)}</p>
      <Line number={cursor.row + 1} text={view.texts[cursor.row] ?? ''} />
      {cursor.column !== cursor.row && <Line number={cursor.column + 1} text={view.texts[cursor.column] ?? ''} />}
    </div>
  );
}

function Line({ number, text }: { number: number; text: string }) {
  return (
    <p class="reading-line">
      <span class="number">{number}</span>
      <bdi>{text}</bdi>
    </p>
  );
}
