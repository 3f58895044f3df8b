/**
 * Weights that are asked for before their load is, while a model's small files are still read. Owns one request at most;
 * whoever loads takes it, and one that nobody takes ends by itself.
 */
import type { ModelLocation, ReadOptions } from '../../models/files.js';
import { openModelFiles } from '../../models/open-files.js';
import type { FileProgress } from '../../models/progress.js';
import { openSafetensorsStream, type Safetensors } from '../../models/safetensors.js';

/** Far above what the small files take; a connection should not be held for a load that failed over them. */
const unusedMs = 30_000;

interface EarlyWeights {
  location: ModelLocation;
  /** Null also for what went wrong: the load asks again and tells. */
  opened: Promise<Safetensors | null>;
  /** The last word on each file. */
  told: Map<string, FileProgress>;
  /** Whom progress is told, from the time of the load on. */
  reader: Pick<ReadOptions, 'onProgress'>;
  timer: ReturnType<typeof setTimeout>;
}

let early: EarlyWeights | null = null;

/** Opens the weights at a place of which a load is likely to come. */
export function expectWeights(location: ModelLocation): void {
  dropWeights();
  const told: EarlyWeights['told'] = new Map();
  const reader: EarlyWeights['reader'] = {};
  const onProgress = (progress: FileProgress): void => {
    told.set(progress.file, progress);
    reader.onProgress?.(progress);
  };
  // A load that finds nothing here asks again, and is the one to wait for a server that is away.
  const options = { onProgress, isProbe: true };
  const opened = openSafetensorsStream(openModelFiles(location), options).catch(() => null);
  early = { location, opened, told, reader, timer: setTimeout(dropWeights, unusedMs) };
}

/** The weights of this place when they were expected, else null. The caller closes them. */
export async function takeWeights(
  location: ModelLocation,
  { onProgress }: Pick<ReadOptions, 'onProgress'>,
): Promise<Safetensors | null> {
  const taken = early;
  if (taken?.location.base !== location.base) {
    dropWeights();
    return null;
  }
  early = null;
  clearTimeout(taken.timer);
  if (onProgress) {
    for (const progress of taken.told.values()) onProgress(progress);
    taken.reader.onProgress = onProgress;
  }
  return await taken.opened;
}

/** Lets go of what was expected and is not needed. */
export function dropWeights(): void {
  if (early === null) return;
  const { opened, timer } = early;
  early = null;
  clearTimeout(timer);
  void opened.then((weights) => weights?.close()).catch(() => {});
}
