/**
 * Puts like beside like: average-linkage clustering of the cosines, with each merge turned so that the nearest ends meet.
 * O(n³) for n ≤ 60 sentences: about a millisecond.
 */
import { valueAt } from './matrix.js';

/** The order of rows in which similar sentences are neighbours; a permutation of `0 … size - 1`. */
export function groupedOrder(values: Float64Array, size: number): number[] {
  let clusters = Array.from({ length: size }, (_, index) => [index]);
  const near = (left: number, right: number) => valueAt(values, size, left, right);
  while (clusters.length > 1) {
    const [first, second] = nearestClusters(clusters, near);
    const joined = join(clusters[first] ?? [], clusters[second] ?? [], near);
    clusters = [...clusters.filter((_, index) => index !== first && index !== second), joined];
  }
  return startAtFirst(clusters[0] ?? []);
}

type Nearness = (left: number, right: number) => number;

function nearestClusters(clusters: number[][], near: Nearness): [number, number] {
  let best: [number, number] = [0, 1];
  let bestScore = Number.NEGATIVE_INFINITY;
  clusters.forEach((left, first) => {
    clusters.slice(first + 1).forEach((right, offset) => {
      const score = meanNearness(left, right, near);
      if (score > bestScore) {
        bestScore = score;
        best = [first, first + 1 + offset];
      }
    });
  });
  return best;
}

function meanNearness(left: number[], right: number[], near: Nearness): number {
  let sum = 0;
  for (const a of left) for (const b of right) sum += near(a, b);
  return sum / (left.length * right.length);
}

/** Of the four ways to lay two chains end to end, the one whose touching ends are nearest. */
function join(left: number[], right: number[], near: Nearness): number[] {
  const ways = [
    [left, right],
    [left, right.toReversed()],
    [left.toReversed(), right],
    [left.toReversed(), right.toReversed()],
  ] as const;
  const seam = ([head, tail]: readonly [number[], number[]]) => near(head.at(-1) ?? 0, tail[0] ?? 0);
  const best = ways.reduce((chosen, way) => (seam(way) > seam(chosen) ? way : chosen));
  return best.flat();
}

/** A chain and its mirror image group equally well; the one that begins nearer to the first sentence is taken. */
function startAtFirst(order: number[]): number[] {
  return order.indexOf(0) > (order.length - 1) / 2 ? order.toReversed() : order;
}
