/** Rows and cells of the map for screen readers: transparent, over the drawing, each cell with its two texts and value. */
import type { Place } from './geometry.js';
import { formatScore, valueAt } from './matrix.js';
import type { MapView } from './plot.js';

/** Identity of the cell at a position of the map, for `aria-activedescendant`. */
export function cellId({ row, column }: Place): string {
  return `cell-${row}-${column}`;
}

export function GridRows({ view }: { view: MapView }) {
  return (
    <div class="grid-rows">
      {view.order.map((sentence, row) => (
        <Row key={sentence} view={view} row={row} />
      ))}
    </div>
  );
}

function Row({ view, row }: { view: MapView; row: number }) {
  const { order, texts, values } = view;
  const from = order[row] ?? 0;
  return (
    // biome-ignore lint/a11y/useSemanticElements lint/a11y/useFocusableInteractive: rows belong to the grid over the drawing, which holds the focus.
    <div role="row" aria-rowindex={row + 1} class="grid-row">
      {order.map((to, column) => (
        // biome-ignore lint/a11y/useSemanticElements lint/a11y/useFocusableInteractive: as the row.
        <span
          key={to}
          role="gridcell"
          id={cellId({ row, column })}
          aria-colindex={column + 1}
          aria-label={`${texts[from]}, ${texts[to]}, ${formatScore(valueAt(values, order.length, from, to))}`}
        />
      ))}
    </div>
  );
}
