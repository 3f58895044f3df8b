/** How many tokens two texts keep when they must fit into one input together. */

export interface PairLimits {
  /** Tokens that the two may have together, special tokens not counted. */
  room: number;
  /** Tokens that the second may have at most, wherever the room ends. */
  second: number;
  strategy: 'longest_first' | 'only_second';
}

export interface KeptPair {
  first: number;
  second: number;
  /** True when the room made a cut necessary, not only the limit of the second. */
  overflow: boolean;
}

/** Null when the first alone fills the room and may not be cut. */
export function cutPair(first: number, second: number, limits: PairLimits): KeptPair | null {
  const wanted = Math.min(second, limits.second);
  const { room } = limits;
  if (limits.strategy === 'only_second') {
    if (first >= room) return null;
    return { first, second: Math.min(wanted, room - first), overflow: first + wanted > room };
  }
  return { ...cutLongestFirst(first, wanted, room), overflow: first + wanted > room };
}

/**
 * Token by token the longer text gives one up, in closed form: the shorter keeps everything while it takes at most
 * half of the room; else they share it, and an odd token goes to the longer one (to the second of two equals).
 */
function cutLongestFirst(first: number, second: number, room: number): { first: number; second: number } {
  if (first + second <= room) return { first, second };
  const half = Math.floor(room / 2);
  const shorter = Math.min(first, second, half);
  const longer = room - shorter;
  return first > second ? { first: longer, second: shorter } : { first: shorter, second: longer };
}
