/** Sizes in words. */

/** The number alone, for sentences that name the unit once. */
export function formatMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

/** `12.3 MB`, `4.5 GB` */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${formatMegabytes(bytes)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
