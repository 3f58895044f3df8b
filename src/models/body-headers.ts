/** What an answer's headers say of its body: which part it is, how long, whether it is encoded. */

/** Which part an answer brings, and of how many bytes; null where the server does not say, or may not show it. */
export function rangeOf(response: Response): { start: number; end: number; totalBytes: number | null } | null {
  const [, start, last, total] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (start === undefined) return null;
  return { start: Number(start), end: Number(last) + 1, totalBytes: total === '*' ? null : Number(total) };
}

/** Some servers call all of a file a part of it. */
export function isWhole(response: Response): boolean {
  const range = rangeOf(response);
  return range !== null && range.start === 0 && range.end === range.totalBytes;
}

/** A body's length, or null when the server does not say, or says the length of an encoded form. */
export function declaredBytes(response: Response): number | null {
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return !isEncoded(response) && Number.isSafeInteger(length) ? length : null;
}

/** Whether the server compressed the body, as far as one can see: across origins it may not be shown. */
export function isEncoded(response: Response): boolean {
  return (response.headers.get('content-encoding')?.toLowerCase() ?? 'identity') !== 'identity';
}
