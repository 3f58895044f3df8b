/** A load's progress in words and as a share of the whole. */
import type { LoadProgress } from 'vecinity';
import { formatMegabytes } from './bytes.js';

export interface ProgressWords {
  label: string;
  /** What changes all the time: speed, remaining time, what was here already. Null when there is nothing to tell. */
  detail: string | null;
  /** 0 to 1; null while the size is not known. */
  share: number | null;
}

export function describeProgress(model: string, progress: LoadProgress | null): ProgressWords {
  if (progress === null) return { label: `Starting the engine for ${model} …`, detail: null, share: null };
  switch (progress.phase) {
    case 'download':
      return describeDownload(model, progress);
    case 'compile':
      return { label: `Preparing ${model} for this device …`, detail: null, share: null };
    case 'check':
      return { label: `Comparing ${model} with its reference …`, detail: null, share: null };
    case 'ready':
      return { label: `${model} is ready.`, detail: null, share: 1 };
    default:
      return progress.phase satisfies never;
  }
}

function describeDownload(model: string, progress: LoadProgress): ProgressWords {
  const { loadedBytes, totalBytes, files } = progress;
  const count = Object.keys(files).length;
  const noun = count === 1 ? 'file' : 'files';
  const head = `Loading ${model}: ${count} ${noun}, ${formatMegabytes(loadedBytes)}`;
  const detail = describeSpeed(progress);
  if (totalBytes === null || totalBytes === 0) return { label: `${head} MB`, detail, share: null };
  const share = Math.min(1, loadedBytes / totalBytes);
  return { label: `${head} of ${formatMegabytes(totalBytes)} MB, ${Math.floor(share * 100)} %`, detail, share };
}

function describeSpeed({ bytesPerSecond, remainingMs, resumedBytes }: LoadProgress): string | null {
  const parts: string[] = [];
  if (bytesPerSecond !== null) parts.push(`${formatMegabytes(bytesPerSecond)} MB/s`);
  if (remainingMs !== null) parts.push(`${formatDuration(remainingMs)} left`);
  if (resumedBytes > 0) parts.push(`${formatMegabytes(resumedBytes)} MB were here already`);
  return parts.length === 0 ? null : parts.join(' · ');
}

function formatDuration(durationMs: number): string {
  const seconds = Math.ceil(durationMs / 1_000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
