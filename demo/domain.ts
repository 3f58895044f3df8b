/** The ends of the colour scale: the whole range from 0 to 1, or the range that these sentences fill. */

export type ScaleChoice = 'full' | 'fit';

const full: readonly [number, number] = [0, 1];
const step = 0.05;

/**
 * Ends of the scale for a `[size, size]` matrix of cosines. `fit` leaves out the diagonal, which is always 1, and rounds
 * outwards to steps of 0.05: models such as E5 put all cosines between 0.7 and 1, where the full scale shows no contrast.
 */
export function scaleDomain(values: Float64Array, size: number, choice: ScaleChoice): readonly [number, number] {
  if (choice === 'full') return full;
  const others = values.filter((_, index) => index % (size + 1) !== 0);
  const low = roundTo(Math.floor, Math.min(...others));
  const high = roundTo(Math.ceil, Math.max(...others));
  return others.length === 0 || high <= low ? full : [low, high];
}

/** Through a decimal string, because 0.05 × 15 is 0.7500000000000001. */
function roundTo(round: (value: number) => number, value: number): number {
  return Number((round(value / step) * step).toFixed(2));
}
