/** The nearest pairs as a list; choosing one moves the map's cursor there. */
import { useMemo, useState } from 'preact/hooks';
import type { Place } from './geometry.js';
import { formatScore, type Pair, rankPairs } from './matrix.js';
import type { MapView } from './plot.js';

const shortList = 5;

export interface PairsProps {
  view: MapView;
  cursor: Place | null;
  onCursor(cursor: Place): void;
}

export function Pairs({ view, cursor, onCursor }: PairsProps) {
  const [all, setAll] = useState(false);
  const pairs = useMemo(() => rankPairs(view.values, view.texts.length), [view.values, view.texts]);
  const shown = all ? pairs : pairs.slice(0, shortList);
  return (
    <section class="pairs" aria-labelledby="pairs-title">
      <h3 id="pairs-title">Nearest pairs</h3>
      <ol>
        {shown.map((pair) => (
          <PairItem key={`${pair.row}-${pair.column}`} pair={pair} view={view} cursor={cursor} onCursor={onCursor} />
        ))}
      </ol>
      {pairs.length > shortList && (
        <button type="button" class="quiet" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? 'Show fewer' : `Show all ${pairs.length.toLocaleString('en')}`}
        </button>
      )}
    </section>
  );
}

interface PairItemProps extends PairsProps {
  pair: Pair;
}

function PairItem({ pair, view, cursor, onCursor }: PairItemProps) {
  const { row, column, score } = pair;
  const current = cursor !== null && isSamePair(cursor, pair);
  return (
    <li>
      <button
        type="button"
        class="pair"
        aria-pressed={current}
        onClick={() => onCursor({ row, column })}
        onPointerEnter={(event) => event.pointerType === 'mouse' && onCursor({ row, column })}
      >
        <span class="pair-score">{formatScore(score)}</span>
        <span class="pair-texts">
          <PairText number={row + 1} text={view.texts[row] ?? ''} />
          <PairText number={column + 1} text={view.texts[column] ?? ''} />
        </span>
      </button>
    </li>
  );
}

function PairText({ number, text }: { number: number; text: string }) {
  return (
    <span class="pair-text">
      <span class="number">{number}</span>
      <bdi>{text}</bdi>
    </span>
  );
}

/** The map is symmetric: both cells of a pair are the pair. */
function isSamePair(cursor: Place, { row, column }: Pair): boolean {
  return (cursor.row === row && cursor.column === column) || (cursor.row === column && cursor.column === row);
}
