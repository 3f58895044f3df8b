/** The right-hand side: the map with its tools, or what stands in its place until there is one. */
import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import type { Theme } from './color.js';
import { type ScaleChoice, scaleDomain } from './domain.js';
import type { Place } from './geometry.js';
import { Heatmap, Legend } from './heatmap.js';
import { groupedOrder } from './order.js';
import { Pairs } from './pairs.js';
import type { MapView } from './plot.js';
import { Reading } from './reading.js';
import { Timing } from './status.js';
import { type OrderChoice, Toolbar } from './toolbar.js';
import type { Similarity } from './use-similarity.js';
import { useTakeAway } from './use-take-away.js';

/** A map with more rows needs the whole width; the pairs then stand below it. */
const besideLimit = 12;

export interface ResultProps {
  similarity: Similarity;
  pending: boolean;
  theme: Theme;
  /** A link that opens this page with these sentences. */
  link: string;
  cursor: Place | null;
  onCursor(cursor: Place | null): void;
}

export function Result({ similarity, pending, theme, link, cursor, onCursor }: ResultProps) {
  const [order, setOrder] = useState<OrderChoice>('input');
  const [scale, setScale] = useState<ScaleChoice>('full');
  const view = useView(similarity, theme, order, scale);
  const drawing = useRef<SVGSVGElement>(null);
  const onDrawn = useCallback((drawn: SVGSVGElement) => {
    drawing.current = drawn;
  }, []);
  const { take, done, message, failed } = useTakeAway();
  return (
    <>
      <Toolbar
        order={order}
        onOrder={setOrder}
        scale={scale}
        onScale={setScale}
        done={done}
        onTake={(what) => take(what, { similarity, view, drawing: drawing.current, link })}
      />
      <p class={failed ? 'toast toast-failed' : 'toast'} role="status">
        {message}
      </p>
      <Reading view={view} cursor={cursor} />
      <div class="result-body" data-wide={view.order.length > besideLimit} data-pending={pending} aria-busy={pending}>
        <div class="map">
          <Heatmap view={view} cursor={cursor} onCursor={onCursor} onDrawn={onDrawn} />
          <div class="map-foot">
            <Timing similarity={similarity} />
            <Legend view={view} />
          </div>
        </div>
        <Pairs view={view} cursor={cursor} onCursor={onCursor} />
      </div>
    </>
  );
}

function useView({ texts, values }: Similarity, theme: Theme, order: OrderChoice, scale: ScaleChoice): MapView {
  const size = texts.length;
  const rows = useMemo(
    () => (order === 'grouped' ? groupedOrder(values, size) : texts.map((_, index) => index)),
    [values, size, texts, order],
  );
  return useMemo(
    () => ({ texts, values, order: rows, domain: scaleDomain(values, size, scale), theme }),
    [texts, values, rows, size, scale, theme],
  );
}
