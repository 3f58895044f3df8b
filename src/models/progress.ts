/** How far the reading of a file is: many small steps become a few progress events. */

const intervalMs = 100;

/** Bytes of one file while it loads. `totalBytes` is null until known. */
export interface FileProgress {
  file: string;
  loadedBytes: number;
  totalBytes: number | null;
  /** Part of `loadedBytes`: what was kept from before, all of it or what a download that broke had left. */
  resumedBytes?: number;
}

export interface ProgressReporter {
  /** Says the sizes before anything has moved; the first step after it is passed on at once. */
  begin(loadedBytes: number, totalBytes: number): void;
  /** Says how much was kept from before; `advance` counts from the file's start all the same. */
  resume(resumedBytes: number): void;
  /** Bytes read so far; passed on at most ten times a second. */
  advance(loadedBytes: number, totalBytes: number | null): void;
  /** The exact last word: everything is there. */
  finish(loadedBytes: number): void;
}

export function createReporter(file: string, onProgress?: (progress: FileProgress) => void): ProgressReporter {
  let lastMs = Number.NEGATIVE_INFINITY;
  let resumed: Pick<FileProgress, 'resumedBytes'> = {};
  return {
    begin(loadedBytes, totalBytes) {
      onProgress?.({ file, loadedBytes, totalBytes, ...resumed });
    },
    resume(resumedBytes) {
      resumed = resumedBytes > 0 ? { resumedBytes } : {};
    },
    advance(loadedBytes, totalBytes) {
      const nowMs = performance.now();
      if (!onProgress || nowMs - lastMs < intervalMs) return;
      lastMs = nowMs;
      onProgress({ file, loadedBytes, totalBytes, ...resumed });
    },
    finish(loadedBytes) {
      onProgress?.({ file, loadedBytes, totalBytes: loadedBytes, ...resumed });
    },
  };
}
