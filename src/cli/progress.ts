/** One line of progress that is drawn over itself: on a terminal only, a log or a pipe gets none. */
import type { LoadProgress } from '../core/engine.js';
import type { Terminal } from './terminal.js';

const barWidth = 24;
const fallbackColumns = 80;

export interface Progress {
  /** Draws a bar; `total` is null where it is not known, `more` stands behind the numbers. */
  show(label: string, done: number, total: number | null, more?: string): void;
  /** Takes the line away. */
  clear(): void;
}

/** `detail` tells done and total in words, for example `12 of 40 texts`. */
export function createProgress(
  { stderr }: Pick<Terminal, 'stderr'>,
  detail: (done: number, total: number | null) => string,
): Progress {
  if (!stderr.isTTY) return { show() {}, clear() {} };
  const columns = stderr.columns || fallbackColumns;
  return {
    show(label, done, total, more = '') {
      const line = `${label} ${bar(done, total)} ${detail(done, total)}${more}`;
      stderr.write(`\r\u001b[K${line.slice(0, columns - 1)}`);
    },
    clear: () => void stderr.write('\r\u001b[K'),
  };
}

/** `3.4 of 90.1 MB` */
export function inMegabytes(done: number, total: number | null): string {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return total === null ? `${megabytes(done)} MB` : `${megabytes(done)} of ${megabytes(total)} MB`;
}

/** `, 4.2 MB/s, 21 s left`; empty where neither is known. */
export function describeSpeed(bytesPerSecond: number | null, remainingMs: number | null): string {
  if (bytesPerSecond === null) return '';
  const speed = `, ${inMegabytes(bytesPerSecond, null)}/s`;
  return remainingMs === null ? speed : `${speed}, ${Math.ceil(remainingMs / 1_000)} s left`;
}

/** Shows a model's load. */
export function loadListener(terminal: Terminal): { listen: (progress: LoadProgress) => void; clear: () => void } {
  const progress = createProgress(terminal, inMegabytes);
  return {
    listen: ({ model, phase, loadedBytes, totalBytes, bytesPerSecond, remainingMs }) =>
      progress.show(`${model}: ${phase}`, loadedBytes, totalBytes, describeSpeed(bytesPerSecond, remainingMs)),
    clear: () => progress.clear(),
  };
}

function bar(done: number, total: number | null): string {
  const share = total === null || total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
}
