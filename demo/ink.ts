/** The page's font and colours where a drawing needs them written out, because style sheets do not reach into a picture. */
import type { Theme } from './color.js';

export const fontFamily = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export const plotInk = {
  light: { text: '#14211f', soft: '#52615d', surface: '#ffffff' },
  dark: { text: '#e6edea', soft: '#9daba6', surface: '#171c1d' },
} as const satisfies Record<Theme, Record<string, string>>;
