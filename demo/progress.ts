/** A load's progress in words and as a share of the whole. */
import type { LoadProgress } from 'vecinity';

export interface ProgressWords {
  label: string;
  /** 0 to 1; null while the size is not known. */
  share: number | null;
}

export function describeProgress(model: string, progress: LoadProgress | null): ProgressWords {
  if (progress === null) return { label: `Starting the engine for ${model} …`, share: null };
  switch (progress.phase) {
    case 'download':
      return describeDownload(model, progress);
    case 'compile':
      return { label: `Preparing ${model} for this device …`, share: null };
    case 'check':
      return { label: `Comparing ${model} with its reference …`, share: null };
    case 'ready':
      return { label: `${model} is ready.`, share: 1 };
    default:
      return progress.phase satisfies never;
  }
}

function describeDownload(model: string, { loadedBytes, totalBytes, files }: LoadProgress): ProgressWords {
  const count = Object.keys(files).length;
  const noun = count === 1 ? 'file' : 'files';
  const head = `Loading ${model}: ${count} ${noun}, ${formatMegabytes(loadedBytes)}`;
  if (totalBytes === null || totalBytes === 0) return { label: `${head} MB`, share: null };
  const share = Math.min(1, loadedBytes / totalBytes);
  return { label: `${head} of ${formatMegabytes(totalBytes)} MB, ${Math.floor(share * 100)} %`, share };
}

function formatMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
