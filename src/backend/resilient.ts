/**
 * A loaded model that outlives its compute workers. A worker that dies, hangs, loses its device or computes nonsense is
 * replaced: once by the same device, then by the next one on the ladder. The failed run itself is reported as
 * `worker_died` or `timeout`; the batcher decides whether its texts are run again.
 */
import { toVecinityError, VecinityError } from '../errors.js';
import { pause } from '../pause.js';
import type { Backend, BackendInfo, TokenBatch } from './backend.js';
import type { Ladder, Rung } from './ladder.js';
import { isDeath, isLossOf } from './losses.js';

/** Failed runs in a row after which the check text is run again. */
const suspiciousFailures = 2;

/** Workers that one device may lose before the next one is taken. */
const maxDeaths = 2;

/** A browser takes this long to start its GPU process again. */
const deviceRestartMs = 500;

/** Runs after which an earlier death of a worker is forgiven. */
const forgivingRuns = 100;

export class ResilientBackend implements Backend {
  readonly #ladder: Ladder;
  readonly #end = new AbortController();
  /** Rungs that are being or have been replaced; other runs that were in flight there change nothing more. */
  readonly #lost = new WeakSet<Rung>();
  /** The last one that worked; describes the model while a replacement loads. */
  #rung: Rung;
  /** What runs wait for; null after a recovery that found no device, so that the next run begins another. */
  #ready: Promise<Rung> | null;
  #failure: VecinityError | null = null;
  #deaths = 0;
  #failuresInRow = 0;
  #runsSinceDeath = 0;
  #recoveries = 0;
  readonly #onRecovered: () => void;

  /** `onRecovered` is told whenever a replacement is ready. */
  constructor(ladder: Ladder, rung: Rung, onRecovered: () => void = () => {}) {
    this.#ladder = ladder;
    this.#onRecovered = onRecovered;
    this.#rung = rung;
    this.#ready = Promise.resolve(rung);
  }

  get info(): BackendInfo {
    return this.#rung.backend.info;
  }

  get width(): number {
    return this.#rung.backend.width;
  }

  get padded(): boolean {
    return this.#rung.backend.padded;
  }

  get lanes(): number {
    return this.#rung.backend.lanes;
  }

  /** Why no device serves the model any more; null while one does or is being loaded. */
  get failure(): VecinityError | null {
    return this.#failure;
  }

  /** Replacements that were made so far. */
  get recoveries(): number {
    return this.#recoveries;
  }

  async run(batch: TokenBatch): Promise<Float32Array> {
    if (this.#end.signal.aborted) throw disposedError();
    const rung = await (this.#ready ?? this.#recover(0));
    try {
      const values = await rung.backend.run(batch);
      const nonsense = describeNonsense(values, rung.backend);
      if (nonsense) throw new VecinityError('backend_failed', `A run gave ${nonsense}.`);
      this.#succeeded();
      return values;
    } catch (thrown) {
      throw await this.#judge(rung, toVecinityError(thrown));
    }
  }

  async dispose(): Promise<void> {
    this.#end.abort(disposedError());
    const rung = await this.#ready?.catch(() => null);
    await rung?.backend.dispose();
  }

  #succeeded(): void {
    this.#failuresInRow = 0;
    this.#runsSinceDeath += 1;
    if (this.#runsSinceDeath >= forgivingRuns) this.#deaths = 0;
  }

  /** The error to report; starts the replacement of the worker when it is to blame. */
  async #judge(rung: Rung, error: VecinityError): Promise<VecinityError> {
    if (this.#end.signal.aborted) return disposedError();
    if (this.#lost.has(rung)) return lostWith(error);
    if (isDeath(error)) {
      this.#replace(rung, error.message);
      return error;
    }
    if (!isLossOf(error) && (await this.#isHealthy(rung))) return this.#refused(rung, error);
    // Another run of the same worker may have replaced it while the check ran.
    if (!this.#lost.has(rung)) this.#replace(rung, error.message);
    return lostWith(error);
  }

  /** Smaller runs follow, whose callers see nothing of it; the status says it. */
  #refused(rung: Rung, error: VecinityError): VecinityError {
    if (error.code === 'out_of_memory') this.#ladder.remark(rung.candidate, error.message);
    return error;
  }

  /** A device that still gets the check text right has only refused an input. */
  async #isHealthy(rung: Rung): Promise<boolean> {
    this.#failuresInRow += 1;
    if (this.#failuresInRow < suspiciousFailures) return true;
    this.#failuresInRow = 0;
    return await this.#ladder.check(rung.backend).then(
      () => true,
      () => false,
    );
  }

  #replace(rung: Rung, reason: string): void {
    this.#lost.add(rung);
    this.#deaths += 1;
    this.#runsSinceDeath = 0;
    this.#failuresInRow = 0;
    this.#ladder.record(rung.candidate, reason);
    const stepDown = this.#deaths >= maxDeaths && this.#ladder.hasNext(rung.index);
    if (stepDown) this.#deaths = 0;
    const replaced = rung.backend.dispose().then(() => this.#recover(stepDown ? rung.index + 1 : rung.index));
    this.#wait(replaced);
  }

  #recover(index: number): Promise<Rung> {
    const climbed = this.#climb(index).then((rung) => {
      this.#rung = rung;
      this.#failure = null;
      this.#recoveries += 1;
      this.#onRecovered();
      return rung;
    });
    return this.#wait(climbed);
  }

  /**
   * Where nothing below works, those above get another chance: what died there may have been killed from outside. So does
   * a replacement that went down with the device of the one before it.
   */
  async #climb(index: number): Promise<Rung> {
    const { signal } = this.#end;
    try {
      return await this.#ladder.climb(index, signal);
    } catch (thrown) {
      const isLoss = isLossOf(toVecinityError(thrown));
      if (signal.aborted || (index === 0 && !isLoss)) throw thrown;
      if (isLoss) await pause(deviceRestartMs, signal);
      return await this.#ladder.climb(0, signal);
    }
  }

  #wait(climbed: Promise<Rung>): Promise<Rung> {
    this.#ready = climbed;
    climbed.catch((thrown: unknown) => {
      if (this.#ready !== climbed) return;
      this.#failure = toVecinityError(thrown);
      this.#ready = null;
    });
    return climbed;
  }
}

/** What no right run gives, or null. A device that was lost may be read as zeros; one logit alone may be zero. */
function describeNonsense(values: Float32Array, { width }: Backend): string | null {
  if (!values.every(Number.isFinite)) return 'values that are not finite';
  const isEmpty = width > 1 && values.length > 0 && values.every((value) => value === 0);
  return isEmpty ? 'only zeros' : null;
}

/** Says that the device went away under the run, whatever the runtime called it. */
function lostWith(error: VecinityError): VecinityError {
  return new VecinityError('worker_died', `The device was lost: ${error.message}`, { cause: error });
}

function disposedError(): VecinityError {
  return new VecinityError('disposed', 'The model was unloaded.');
}
