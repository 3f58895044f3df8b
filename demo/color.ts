/**
 * The map's sequential scale, one for each theme: what is unlike sinks into the page, what is alike stands out.
 * Lightness changes evenly from end to end, so that it also reads without colour.
 */

export type Theme = 'light' | 'dark';

type Rgb = readonly [number, number, number];

const stops: Record<Theme, readonly Rgb[]> = {
  light: [
    [240, 243, 241],
    [200, 227, 216],
    [139, 203, 190],
    [74, 165, 166],
    [37, 120, 142],
    [27, 77, 111],
    [20, 36, 66],
  ],
  dark: [
    [30, 36, 38],
    [30, 58, 72],
    [27, 92, 106],
    [35, 130, 130],
    [77, 171, 148],
    [146, 211, 168],
    [222, 246, 204],
  ],
};

/** Pure ones: anything softer falls below 4.5 to 1 on the middle of the scales. */
const ink = { dark: [0, 0, 0], light: [255, 255, 255] } as const satisfies Record<Theme, Rgb>;

/** The colour of a place between 0 (unlike) and 1 (alike) on the theme's scale; beyond the ends, the end. */
export function scaleColor(theme: Theme, place: number): string {
  return toCss(mix(stops[theme], place));
}

/** Black or white, whichever reads better on `scaleColor(theme, place)`: at least 4.5 to 1. */
export function inkOn(theme: Theme, place: number): string {
  const background = mix(stops[theme], place);
  return toCss(contrast(background, ink.dark) >= contrast(background, ink.light) ? ink.dark : ink.light);
}

/** The scale's colours and their places from 0 to 1, for a gradient. */
export function scaleGradientStops(theme: Theme): { place: number; color: string }[] {
  return stops[theme].map((color, index, all) => ({ place: index / (all.length - 1), color: toCss(color) }));
}

/** WCAG 2.2 contrast ratio of the ink on the scale at one place, 1 to 21. */
export function contrastAt(theme: Theme, place: number): number {
  const background = mix(stops[theme], place);
  return Math.max(contrast(background, ink.dark), contrast(background, ink.light));
}

function mix(scale: readonly Rgb[], place: number): Rgb {
  const clamped = Number.isNaN(place) ? 0 : Math.min(1, Math.max(0, place));
  const position = clamped * (scale.length - 1);
  const from = scale[Math.floor(position)] ?? [0, 0, 0];
  const to = scale[Math.ceil(position)] ?? from;
  const share = position - Math.floor(position);
  return [channel(from[0], to[0], share), channel(from[1], to[1], share), channel(from[2], to[2], share)];
}

function channel(from: number, to: number, share: number): number {
  return Math.round(from + (to - from) * share);
}

function toCss([red, green, blue]: Rgb): string {
  return `rgb(${red}, ${green}, ${blue})`;
}

function contrast(left: Rgb, right: Rgb): number {
  const [light, dark] = [luminance(left), luminance(right)].sort((a, b) => b - a);
  return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
}

/** Relative luminance as WCAG 2.2 defines it. */
function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * (red ?? 0) + 0.7152 * (green ?? 0) + 0.0722 * (blue ?? 0);
}
