/** Many files' progress as one event a change: what a progress bar shows while a model loads. */
import type { FileProgress } from '../backend/backend.js';
import type { LoadProgress } from './engine.js';

export class LoadTracker {
  readonly #model: string;
  readonly #onChange: (progress: LoadProgress) => void;
  readonly #files = new Map<string, { loadedBytes: number; totalBytes: number | null }>();
  #phase: LoadProgress['phase'] = 'download';

  constructor(model: string, onChange: (progress: LoadProgress) => void) {
    this.#model = model;
    this.#onChange = onChange;
  }

  /** A new copy at each call. `totalBytes` is null until every file's size is known. */
  get snapshot(): LoadProgress {
    const files = [...this.#files.values()];
    const loadedBytes = files.reduce((sum, file) => sum + file.loadedBytes, 0);
    const known = files.every((file) => file.totalBytes !== null);
    const totalBytes = known ? files.reduce((sum, file) => sum + (file.totalBytes ?? 0), 0) : null;
    const copies = Object.fromEntries([...this.#files].map(([path, file]) => [path, { ...file }]));
    return { type: 'load', model: this.#model, phase: this.#phase, loadedBytes, totalBytes, files: copies };
  }

  /** Progress of a small file that comes before the weights. */
  readonly file = ({ file, loadedBytes, totalBytes }: FileProgress): void => {
    this.#files.set(file, { loadedBytes, totalBytes });
    this.#enter('download');
  };

  /** Progress of a backend's files; once all are there it compiles. */
  readonly weights = (progress: FileProgress): void => {
    this.file(progress);
    const { loadedBytes, totalBytes } = this.snapshot;
    if (loadedBytes === totalBytes) this.#enter('compile');
  };

  check(): void {
    this.#enter('check');
  }

  ready(): void {
    this.#enter('ready');
  }

  #enter(phase: LoadProgress['phase']): void {
    this.#phase = phase;
    this.#onChange(this.snapshot);
  }
}
