/** The map: a Plot drawing for the eye and, exactly over its cells, an ARIA grid for pointer, keys and screen readers. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { messageOf } from './failure.js';
import { type Geometry, layOut, moveBy, type Place, placeAt } from './geometry.js';
import { cellId, GridRows } from './grid.js';
import type { MapView } from './plot.js';

export interface HeatmapProps {
  view: MapView;
  /** The cell that is read, as indices of sentences. */
  cursor: Place | null;
  onCursor(cursor: Place | null): void;
  /** Gets the finished drawing, for export. */
  onDrawn(drawing: SVGSVGElement): void;
}

export function Heatmap({ view, cursor, onCursor, onDrawn }: HeatmapProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const size = view.order.length;
  const geometry = useMemo(() => (width === 0 ? null : layOut(width, size)), [width, size]);
  return (
    <div class="heatmap" ref={frame}>
      {geometry !== null && (
        <>
          <Drawing view={view} geometry={geometry} onDrawn={onDrawn} />
          <Overlay view={view} geometry={geometry} cursor={cursor} onCursor={onCursor} />
        </>
      )}
    </div>
  );
}

/** Width of an element in whole pixels, 0 until it is known. */
function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

/** The plotting library comes while the model loads, in a task of its own: it is the largest part of the page's code. */
const plotting = import('./plot.js');

/** Draws when one of the inputs has changed, not what was replaced meanwhile. Returns why that failed, or null. */
function useDrawing(draw: (plot: Awaited<typeof plotting>) => void, inputs: readonly unknown[]): string | null {
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    let current = true;
    plotting.then((plot) => current && draw(plot)).catch((error: unknown) => setFailure(messageOf(error)));
    return () => {
      current = false;
    };
  }, inputs);
  return failure;
}

interface DrawingProps extends Pick<HeatmapProps, 'view' | 'onDrawn'> {
  geometry: Geometry;
}

function Drawing({ view, geometry, onDrawn }: DrawingProps) {
  const host = useRef<HTMLDivElement>(null);
  const failure = useDrawing(
    ({ drawMap }) => {
      const drawing = drawMap(view, geometry);
      host.current?.replaceChildren(drawing);
      onDrawn(drawing);
    },
    [view, geometry, onDrawn],
  );
  if (failure !== null) return <p role="alert">The map could not be drawn: {failure}. Please reload the page.</p>;
  return (
    <div
      class="heatmap-drawing"
      aria-hidden="true"
      ref={host}
      style={{ width: `${geometry.width}px`, height: `${geometry.height}px` }}
    />
  );
}

interface OverlayProps extends Pick<HeatmapProps, 'view' | 'cursor' | 'onCursor'> {
  geometry: Geometry;
}

function Overlay({ view, geometry, cursor, onCursor }: OverlayProps) {
  const size = view.order.length;
  // The same element again is not compared again: moving the cursor leaves the rows alone.
  const rows = useMemo(() => <GridRows view={view} />, [view]);
  const shown = cursor === null ? null : toPosition(view.order, cursor);
  const moveTo = (position: Place | null) => {
    if (position === null || (shown?.row === position.row && shown.column === position.column)) return;
    onCursor(toSentences(view.order, position));
  };
  const onPointer = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    const box = event.currentTarget.getBoundingClientRect();
    moveTo(placeAt(geometry, size, event.clientX - box.left, event.clientY - box.top));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moveBy(event.key, event.ctrlKey || event.metaKey, shown ?? { row: 0, column: 0 }, size);
    if (next === null || event.altKey) return;
    event.preventDefault();
    moveTo(next);
  };
  const onPointerLeave = (event: PointerEvent & { currentTarget: HTMLElement }) => {
    if (event.pointerType === 'mouse' && document.activeElement !== event.currentTarget) onCursor(null);
  };
  const side = `${geometry.cell * size}px`;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a table cannot lie over a drawing cell by cell; this is ARIA's grid pattern.
    <div
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label="Similarity of every two sentences. Arrow keys move from cell to cell."
      aria-readonly="true"
      aria-rowcount={size}
      aria-colcount={size}
      aria-activedescendant={shown === null ? undefined : cellId(shown)}
      style={{ left: `${geometry.left}px`, top: `${geometry.top}px`, width: side, height: side }}
      onPointerMove={onPointer}
      onPointerDown={onPointer}
      onPointerLeave={onPointerLeave}
      onKeyDown={onKeyDown}
      onFocus={() => shown === null && moveTo({ row: 0, column: 0 })}
    >
      {rows}
      {shown !== null && <Cursor geometry={geometry} place={shown} />}
    </div>
  );
}

function Cursor({ geometry: { cell, left, top }, place }: { geometry: Geometry; place: Place }) {
  const x = `${place.column * cell}px`;
  const y = `${place.row * cell}px`;
  const side = `${cell}px`;
  return (
    <div aria-hidden="true">
      <div class="grid-band" style={{ left: `${-left}px`, top: y, width: `${left}px`, height: side }} />
      <div class="grid-band" style={{ left: x, top: `${-top}px`, width: side, height: `${top}px` }} />
      <div class="grid-cursor" style={{ left: x, top: y, width: side, height: side }} />
    </div>
  );
}

/** From positions on the map to indices of sentences. */
function toSentences(order: readonly number[], { row, column }: Place): Place {
  return { row: order[row] ?? 0, column: order[column] ?? 0 };
}

/** Inverse of `toSentences`. */
function toPosition(order: readonly number[], { row, column }: Place): Place {
  return { row: order.indexOf(row), column: order.indexOf(column) };
}

/** What the colours mean. */
export function Legend({ view }: { view: MapView }) {
  const host = useRef<HTMLDivElement>(null);
  useDrawing(({ drawLegend }) => host.current?.replaceChildren(drawLegend(view)), [view]);
  const [low, high] = view.domain;
  return <div class="legend" role="img" aria-label={`Colour scale: cosine from ${low} to ${high}`} ref={host} />;
}
