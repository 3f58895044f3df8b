/** One line of progress that is drawn over itself: on a terminal only, a log or a pipe gets none. */
import type { LoadProgress } from '../core/engine.js';
import type { Terminal } from './terminal.js';

const barWidth = 24;
const fallbackColumns = 80;

export interface Progress {
  /** Draws a bar; `total` is null where it is not known. */
  show(label: string, done: number, total: number | null): void;
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
    show(label, done, total) {
      const line = `${label} ${bar(done, total)} ${detail(done, total)}`;
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

/** Shows a model's load. */
export function loadListener(terminal: Terminal): { listen: (progress: LoadProgress) => void; clear: () => void } {
  const progress = createProgress(terminal, inMegabytes);
  return {
    listen: ({ model, phase, loadedBytes, totalBytes }) => progress.show(`${model}: ${phase}`, loadedBytes, totalBytes),
    clear: () => progress.clear(),
  };
}

function bar(done: number, total: number | null): string {
  const share = total === null || total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  return `[${'='.repeat(filled)}${' '.repeat(barWidth - filled)}]`;
}
