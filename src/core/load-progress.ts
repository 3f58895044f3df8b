/** Many files' progress as one event a change: what a progress bar shows while a model loads. */
import type { FileProgress } from '../models/progress.js';
import type { LoadProgress } from './engine.js';
import { RateMeter } from './load-rate.js';

type FileBytes = LoadProgress['files'][string];

export class LoadTracker {
  readonly #model: string;
  readonly #onChange: (progress: LoadProgress) => void;
  /** Replaced, never changed: they are part of what was told. */
  readonly #files = new Map<string, FileBytes>();
  readonly #rate: RateMeter;
  #phase: LoadProgress['phase'] = 'download';
  #hasWeights = false;
  /** Null after every change. Every request asks for it in a status, long after the last one. */
  #snapshot: LoadProgress | null = null;

  /** `now` gives monotonic milliseconds. */
  constructor(model: string, onChange: (progress: LoadProgress) => void, now: () => number = () => performance.now()) {
    this.#model = model;
    this.#onChange = onChange;
    this.#rate = new RateMeter(now);
  }

  /** Another object after each change; who asks shares it with all others and cannot change it. */
  get snapshot(): LoadProgress {
    this.#snapshot ??= Object.freeze(this.#copy());
    return this.#snapshot;
  }

  #copy(): LoadProgress {
    const { loadedBytes, resumedBytes } = this.#sum;
    const totalBytes = this.#totalBytes;
    const isMoving = this.#phase === 'download';
    const leftBytes = totalBytes === null ? null : totalBytes - loadedBytes;
    return {
      type: 'load',
      model: this.#model,
      phase: this.#phase,
      loadedBytes,
      totalBytes,
      resumedBytes,
      bytesPerSecond: isMoving ? this.#rate.bytesPerSecond : null,
      remainingMs: isMoving ? this.#rate.remainingMs(leftBytes) : null,
      files: Object.freeze(Object.fromEntries(this.#files)),
    };
  }

  /** Progress of a small file that comes before the weights. */
  readonly file = ({ file, loadedBytes, totalBytes, resumedBytes = 0 }: FileProgress): void => {
    // What was kept and turned out to be damaged is fetched after all.
    const before = this.#files.get(file);
    // Every thread of an engine reads the weights; what is said again is no news.
    if (before?.loadedBytes === loadedBytes && before.totalBytes === totalBytes) return;
    const kept = before && before.loadedBytes > 0 ? Math.min(resumedBytes, before.resumedBytes) : resumedBytes;
    this.#files.set(file, Object.freeze({ loadedBytes, totalBytes, resumedBytes: kept }));
    this.#rate.note(this.#sum.loadedBytes - this.#sum.resumedBytes);
    this.#enter('download');
  };

  /** Progress of a backend's files; once all are there it compiles. */
  readonly weights = (progress: FileProgress): void => {
    this.#hasWeights = true;
    this.#snapshot = null;
    this.file(progress);
    if (this.#phase === 'download' && this.#sum.loadedBytes === this.#totalBytes) this.#enter('compile');
  };

  check(): void {
    this.#enter('check');
  }

  ready(): void {
    this.#enter('ready');
  }

  get #sum(): { loadedBytes: number; resumedBytes: number } {
    const sum = { loadedBytes: 0, resumedBytes: 0 };
    for (const { loadedBytes, resumedBytes } of this.#files.values()) {
      sum.loadedBytes += loadedBytes;
      sum.resumedBytes += resumedBytes;
    }
    return sum;
  }

  /** Before the weights have said their size, a sum would be a hundred times too small and reach 100 % at once. */
  get #totalBytes(): number | null {
    if (!this.#hasWeights && this.#phase === 'download') return null;
    let sum = 0;
    for (const { totalBytes } of this.#files.values()) {
      if (totalBytes === null) return null;
      sum += totalBytes;
    }
    return sum;
  }

  #enter(phase: LoadProgress['phase']): void {
    this.#phase = phase;
    this.#snapshot = null;
    this.#onChange(this.snapshot);
  }
}
