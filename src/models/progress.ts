/** Turns many small steps of reading a file into a few progress events. */
import type { FileProgress } from '../backend/backend.js';

const intervalMs = 100;

export interface ProgressReporter {
  /** Bytes read so far; passed on at most ten times a second. */
  advance(loadedBytes: number, totalBytes: number | null): void;
  /** The exact last word: everything is there. */
  finish(loadedBytes: number): void;
}

export function createReporter(file: string, onProgress?: (progress: FileProgress) => void): ProgressReporter {
  let lastMs = Number.NEGATIVE_INFINITY;
  return {
    advance(loadedBytes, totalBytes) {
      const nowMs = performance.now();
      if (!onProgress || nowMs - lastMs < intervalMs) return;
      lastMs = nowMs;
      onProgress({ file, loadedBytes, totalBytes });
    },
    finish(loadedBytes) {
      onProgress?.({ file, loadedBytes, totalBytes: loadedBytes });
    },
  };
}
