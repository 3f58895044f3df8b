/** Draws the map with Observable Plot. Colours and sizes are written out, so that the drawing also stands alone as an image. */
import * as Plot from '@observablehq/plot';
import { inkOn, scaleColor, type Theme } from './color.js';
import { type Geometry, numberRoom } from './geometry.js';
import { fontFamily, plotInk } from './ink.js';
import { fitLabel, type Measure } from './labels.js';
import { formatScore, valueAt } from './matrix.js';

/** A map as it is to be shown. */
export interface MapView {
  texts: readonly string[];
  /** `[size, size]` cosines in the order of `texts`. */
  values: Float64Array;
  /** Which text each row and column shows, from the top and from the left. */
  order: readonly number[];
  /** Cosines at the two ends of the colour scale. */
  domain: readonly [number, number];
  theme: Theme;
}

interface Cell {
  row: number;
  column: number;
  score: number;
}

/** The map as SVG; `geometry` must come from the same number of texts. */
export function drawMap(view: MapView, geometry: Geometry): SVGSVGElement {
  const { order, theme, texts } = view;
  const { left, top, width, height, fontSize, labelWidth, labelLines } = geometry;
  const soft = plotInk[theme].soft;
  const number = (position: number) => String((order[position] ?? 0) + 1);
  const room = { width: labelWidth, lines: labelLines, measure: measureIn(fontSize) };
  const label = (position: number) => fitLabel(texts[order[position] ?? 0] ?? '', room).join('\n');
  const axis = { tickSize: 0, label: null, fontSize } as const;
  const drawing = Plot.plot({
    width,
    height,
    marginLeft: left,
    marginTop: top,
    marginRight: 0,
    marginBottom: 0,
    style: { fontFamily, color: plotInk[theme].text, background: 'none', overflow: 'visible' },
    x: { domain: order.map((_, position) => position), padding: 0 },
    y: { domain: order.map((_, position) => position), padding: 0 },
    color: colorScale(view),
    marks: [
      Plot.axisX({
        ...axis,
        fontSize: Math.min(fontSize, geometry.cell * 0.62),
        anchor: 'top',
        tickFormat: number,
        tickPadding: 7,
        fill: soft,
        className: 'map-column',
      }),
      Plot.axisY({ ...axis, tickFormat: number, tickPadding: 9, fill: soft, className: 'map-number' }),
      Plot.axisY({ ...axis, tickFormat: label, tickPadding: numberRoom, lineHeight: 1.15, className: 'map-label' }),
      ...cellMarks(view, geometry),
    ],
  });
  if (!(drawing instanceof SVGSVGElement)) throw new TypeError('A plot without legend and title is one SVG element.');
  return drawing;
}

function measureIn(fontSize: number): Measure {
  const context = document.createElement('canvas').getContext('2d');
  // Without a canvas, half the font's size is a letter's usual width.
  if (context === null) return (text) => text.length * fontSize * 0.5;
  context.font = `${fontSize}px ${fontFamily}`;
  return (text) => context.measureText(text).width;
}

function cellMarks(view: MapView, { cell, showValues }: Geometry): Plot.Markish[] {
  const cells = toCells(view);
  const position = { x: 'column', y: 'row' } as const;
  const squares = Plot.cell(cells, { ...position, fill: 'score', inset: cell > 20 ? 1 : 0.5, rx: cell > 20 ? 3 : 1 });
  if (!showValues) return [squares];
  const numbers = Plot.text(cells, {
    ...position,
    text: ({ score }: Cell) => formatScore(score),
    fill: ({ score }: Cell) => inkOn(view.theme, placeOf(score, view.domain)),
    fontSize: Math.min(15, Math.max(9, cell * 0.27)),
    fontVariant: 'tabular-nums',
  });
  return [squares, numbers];
}

function toCells({ values, order }: MapView): Cell[] {
  return order.flatMap((from, row) =>
    order.map((to, column) => ({ row, column, score: valueAt(values, order.length, from, to) })),
  );
}

/** A legend of the colour scale with the cosines at its ends and middle. */
export function drawLegend(view: MapView): Element {
  return Plot.legend({
    color: { ...colorScale(view), label: null },
    width: 150,
    height: 30,
    marginTop: 2,
    marginBottom: 16,
    marginLeft: 12,
    marginRight: 12,
    tickSize: 0,
    ticks: 3,
    tickFormat: formatTick,
    style: { fontFamily, color: plotInk[view.theme].soft, background: 'none' },
  });
}

function formatTick(value: number): string {
  return String(Number(value.toFixed(2))).replace('-', '−');
}

function colorScale({ domain, theme }: MapView): Plot.ScaleOptions {
  return { type: 'linear', domain: [...domain], clamp: true, interpolate: (place: number) => scaleColor(theme, place) };
}

/** Where a cosine lies between the ends of the colour scale, 0 to 1. */
function placeOf(score: number, [low, high]: readonly [number, number]): number {
  return Math.min(1, Math.max(0, (score - low) / (high - low)));
}
