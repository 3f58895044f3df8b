/**
 * Loads a model on the first candidate that works, each in a compute worker of its own, and keeps a record of what was
 * tried and why it was not taken. With a GPU and a CPU at hand, the faster one by a short measurement is preferred.
 */
import type { Attempt } from '../core/engine.js';
import { abortError, type ErrorCode, toVecinityError, VecinityError } from '../errors.js';
import type { VerdictStore } from '../storage/verdicts.js';
import type { Backend } from './backend.js';
import { WrongAnswerError } from './canary.js';
import { isHarmed } from './losses.js';
import type { Candidate, Selection } from './select.js';

export interface LadderOptions {
  selection: Selection;
  /** Loads a model on a candidate in a fresh compute worker. */
  open: (candidate: Candidate, signal: AbortSignal | undefined) => Promise<Backend>;
  /** Throws when the backend computes something wrong. */
  check: (backend: Backend) => Promise<void>;
  /** Milliseconds of a representative amount of work. */
  measure: (backend: Backend) => Promise<number>;
  store: VerdictStore;
  /** Says which model, dtype and adapter a verdict is for. */
  verdictKey: string;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

/** A backend that loaded and passed its check, and its place in the order of the ladder. */
export interface Rung {
  index: number;
  candidate: Candidate;
  backend: Backend;
}

/** Attempts that are kept; a model that is recovered for days does not grow its record. */
const maxAttempts = 20;

export class Ladder {
  readonly #options: LadderOptions;
  /** Best first; a measurement puts the CPU before the GPU. */
  #order: Candidate[];
  #tried: Attempt[] = [];

  constructor(options: LadderOptions) {
    this.#options = options;
    this.#order = [...options.selection.candidates];
    for (const attempt of options.selection.skipped) this.#note(attempt);
  }

  get tried(): Attempt[] {
    return [...this.#tried];
  }

  /** Whether there is a candidate after this one. */
  hasNext(index: number): boolean {
    return index + 1 < this.#order.length;
  }

  /** The first load: measures where that is due. Rejects as `climb`. */
  async start(signal?: AbortSignal): Promise<Rung> {
    if (!this.#options.selection.measure) return await this.climb(0, signal);
    const verdict = await this.#options.store.read(this.#options.verdictKey);
    if (verdict === 'webgpu') return await this.climb(0, signal);
    if (verdict !== 'wasm') return await this.#compare(signal);
    const gpu = this.#preferCpu();
    this.record(gpu, 'the CPU was faster when both were measured');
    return await this.climb(0, signal);
  }

  /** Takes the first candidate from `index` on that loads and passes its check. Rejects with all reasons, or when aborted. */
  async climb(index: number, signal?: AbortSignal): Promise<Rung> {
    const failures: VecinityError[] = [];
    for (const [at, candidate] of this.#order.entries()) {
      if (at < index) continue;
      try {
        const backend = await this.#openTwice(candidate, signal);
        this.#note({ ...placeOf(candidate), ok: true, reason: '' });
        return { index: at, candidate, backend };
      } catch (thrown) {
        if (signal?.aborted) throw abortError(signal);
        const error = toVecinityError(thrown);
        failures.push(error);
        this.record(candidate, error.message);
      }
    }
    throw allFailed(failures);
  }

  /** Notes why a candidate was not taken, or not kept. */
  record(candidate: Candidate, reason: string): void {
    this.#note({ ...placeOf(candidate), ok: false, reason });
  }

  /** Notes what a candidate could not do that stays in service; of several such notes in a row the last one is kept. */
  remark(candidate: Candidate, reason: string): void {
    const last = this.#tried.at(-1);
    if (last?.ok && last.reason !== '') this.#tried.pop();
    this.#note({ ...placeOf(candidate), ok: true, reason });
  }

  #note(attempt: Omit<Attempt, 'at'>): void {
    const { clock = Date.now } = this.#options;
    const at = new Date(clock()).toISOString();
    this.#tried = [...this.#tried, { at, ...attempt }].slice(-maxAttempts);
  }

  /** Runs the check again, for a backend that began to fail. */
  async check(backend: Backend): Promise<void> {
    await this.#options.check(backend);
  }

  /** A worker that dies or traps while it loads may have been harmed from outside: another one tells. */
  async #openTwice(candidate: Candidate, signal: AbortSignal | undefined): Promise<Backend> {
    try {
      return await this.#open(candidate, signal);
    } catch (thrown) {
      const error = toVecinityError(thrown);
      if (signal?.aborted || !isHarmed(error)) throw error;
      this.record(candidate, error.message);
      return await this.#open(candidate, signal);
    }
  }

  async #open(candidate: Candidate, signal: AbortSignal | undefined): Promise<Backend> {
    const backend = await this.#options.open(candidate, signal);
    try {
      await this.#options.check(backend);
      if (signal?.aborted) throw abortError(signal);
      return backend;
    } catch (thrown) {
      await backend.dispose();
      throw thrown;
    }
  }

  /** Loads the CPU and the GPU, keeps the faster one and remembers which. */
  async #compare(signal: AbortSignal | undefined): Promise<Rung> {
    const gpu = this.#preferCpu();
    const cpu = await this.climb(0, signal);
    // No CPU candidate worked, so the walk has ended at the GPU.
    if (cpu.candidate === gpu) return cpu;
    const challenger = await this.#tryGpu(gpu, cpu, signal);
    if (!challenger) return cpu;
    this.#tried = this.#tried.filter((attempt) => !attempt.ok);
    await cpu.backend.dispose();
    this.#order = [gpu, ...this.#order.filter((candidate) => candidate !== gpu)];
    this.#note({ ...placeOf(gpu), ok: true, reason: '' });
    return { index: 0, candidate: gpu, backend: challenger };
  }

  /** The GPU's backend when it works and is faster than the CPU's, else null; both outcomes go into the record. */
  async #tryGpu(gpu: Candidate, cpu: Rung, signal: AbortSignal | undefined): Promise<Backend | null> {
    let backend: Backend | null = null;
    try {
      backend = await this.#open(gpu, signal);
      const gpuMs = await this.#options.measure(backend);
      const cpuMs = await this.#options.measure(cpu.backend);
      const gpuWins = gpuMs < cpuMs;
      await this.#options.store.write(this.#options.verdictKey, gpuWins ? 'webgpu' : 'wasm');
      const times = `${gpuMs.toFixed(1)} ms on the GPU against ${cpuMs.toFixed(1)} ms on the CPU`;
      this.record(gpuWins ? cpu.candidate : gpu, `slower when measured: ${times}`);
      if (gpuWins) return backend;
    } catch (thrown) {
      if (signal?.aborted) {
        await Promise.all([backend?.dispose(), cpu.backend.dispose()]);
        throw abortError(signal);
      }
      this.record(gpu, toVecinityError(thrown).message);
    }
    await backend?.dispose();
    return null;
  }

  /** Moves the GPU to the end of the order and answers which candidate it is. */
  #preferCpu(): Candidate {
    const gpu = this.#order.find((candidate) => candidate.device === 'webgpu');
    if (!gpu) throw new VecinityError('internal_error', 'A measurement needs a GPU among the candidates.');
    this.#order = [...this.#order.filter((candidate) => candidate !== gpu), gpu];
    return gpu;
  }
}

function placeOf({ backend, device }: Candidate): Pick<Attempt, 'backend' | 'device'> {
  return { backend, device };
}

/** No device is to blame for these, and none can do better. */
const ofThePlace: readonly ErrorCode[] = ['storage_full', 'download_failed'];

/** One failure is reported as it is; of several, the first gives the code, because it is what was asked for. */
function allFailed(failures: readonly VecinityError[]): VecinityError {
  const first = failures[0];
  if (!first) return new VecinityError('device_unavailable', 'No device is left to run the model on.');
  // That a model lacks the files of another backend is no news then.
  const [outer, ...others] = failures.filter(({ code }) => code !== 'model_file_missing');
  if (outer && [outer, ...others].every(({ code }) => ofThePlace.includes(code))) return outer;
  if (failures.length === 1) return first;
  const reasons = failures.map((failure) => failure.message).join(' | ');
  const isWrong = failures.every(({ cause }) => cause instanceof WrongAnswerError);
  const cause = isWrong ? first.cause : first;
  return new VecinityError(first.code, `No device could run the model: ${reasons}`, { cause });
}
