/**
 * What this host can run and which form of the 8-bit product is its fastest: probe modules, exactness checks and a short
 * measurement. Never asks for the browser's name.
 */
import { VecinityError } from '../../errors.js';
import type { Level } from './assets.js';
import { createMemory, Heap } from './heap.js';
import { instantiate, type Kernels } from './kernels.js';
import { LinearPacker } from './pack.js';
import type { GemmForm } from './plan.js';

// A module of one function; its body is the instruction that is asked about.
const header = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
const splat = [0x41, 0, 0xfd, 0x0f];
const simdProbe = moduleOf(splat);
/** i16x8.relaxed_dot_i8x16_i7x16_s */
const relaxedProbe = moduleOf([...splat, ...splat, 0xfd, 0x92, 0x02]);

/** The feature level, by validation. Throws `device_unavailable` where there is no 128-bit SIMD. */
export function detectLevel(): Level {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(simdProbe)) {
    throw new VecinityError('device_unavailable', 'This runtime has no WebAssembly SIMD.');
  }
  return WebAssembly.validate(relaxedProbe) ? 'relaxed' : 'simd';
}

/** Whether memory can be shared between threads here: in a browser, only on cross-origin isolated pages. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

export interface Calibration {
  form: GemmForm;
  /** Multiply-adds per second, in billions, of every form that computes exactly. */
  speeds: Partial<Record<GemmForm, number>>;
}

/** Coarser weights must pay: `quad` and `pair` may lower a channel's resolution, so they have to win by this much. */
const margin: Partial<Record<GemmForm, number>> = { quad: 0.97, pair: 0.98 };
const rounds = 6;
const roundMs = 0.6;

/** Checks every form that the level has against exact sums and takes the fastest of the exact ones. */
export async function calibrate(module: WebAssembly.Module, level: Level, shared: boolean): Promise<Calibration> {
  if (level === 'simd') return { form: 'i16', speeds: {} };
  const exact = (['quad', 'pair', 'single', 'add'] as const)
    .map((form) => new Trial(module, form, shared))
    .filter((trial) => trial.isExact());
  if (exact.length === 0) return { form: 'i16', speeds: {} };
  // The first rounds run unoptimised code; the host swaps it while we give way.
  for (let round = 0; round < rounds; round++) {
    for (const trial of exact) trial.measure(roundMs);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  // Checked again, because the optimised code is other code.
  const proven = exact.filter((trial) => trial.isExact());
  const best = proven.reduce<Trial | null>((a, b) => (a === null || b.score > a.score ? b : a), null);
  return { form: best?.form ?? 'i16', speeds: Object.fromEntries(proven.map(({ form, speed }) => [form, speed])) };
}

const trialMemoryBytes = 8 * 2 ** 20;
const trialRows = 16;
const trialColumns = 64;
const trialWidth = 256;

/** One form on a small product of extreme values. */
class Trial {
  readonly form: GemmForm;
  speed = 0;
  readonly #kernels: Kernels;
  readonly #heap: Heap;
  readonly #packer: LinearPacker;
  readonly #input: number;
  readonly #params: number;
  readonly #out: number;
  readonly #codes: Int8Array[] = [];

  constructor(module: WebAssembly.Module, form: GemmForm, shared: boolean) {
    this.form = form;
    this.#heap = new Heap(createMemory(shared, trialMemoryBytes));
    this.#kernels = instantiate(module, this.#heap.memory);
    const shape = { form, columns: trialColumns, width: trialWidth, block: trialWidth, smooth: false };
    this.#packer = new LinearPacker(this.#heap, shape);
    for (let column = 0; column < trialColumns; column++) this.#writeColumn(column);
    this.#input = this.#heap.allocate(trialRows * trialWidth);
    this.#params = this.#heap.allocate(trialRows * 8);
    this.#out = this.#heap.allocate(trialRows * trialColumns * 4);
    for (let row = 0; row < trialRows; row++) this.#heap.f32[this.#params / 4 + row * 2] = 1;
    this.#heap.i8.set(inputs(), this.#input);
  }

  get score(): number {
    return this.speed * (margin[this.form] ?? 1);
  }

  isExact(): boolean {
    this.#run();
    const values = inputs();
    const out = this.#heap.f32.subarray(this.#out / 4);
    for (let row = 0; row < trialRows; row++) {
      const input = values.subarray(row * trialWidth, (row + 1) * trialWidth);
      for (let column = 0; column < trialColumns; column++) {
        const codes = this.#codes[column] as Int8Array;
        let sum = 0;
        for (let k = 0; k < trialWidth; k++) sum += (input[k] as number) * (codes[k] as number);
        if (out[row * trialColumns + column] !== sum) return false;
      }
    }
    return true;
  }

  measure(milliseconds: number): void {
    const start = performance.now();
    let elapsed = 0;
    let runs = 0;
    while (elapsed < milliseconds) {
      for (let i = 0; i < 8; i++) this.#run();
      runs += 8;
      elapsed = performance.now() - start;
    }
    const speed = (runs * trialRows * trialColumns * trialWidth) / elapsed / 1e6;
    this.speed = Math.max(this.speed, speed);
  }

  #run(): void {
    const { address, panels } = this.#packer.plan;
    const gemm = this.#kernels.gemm[this.form];
    gemm(address, this.#input, this.#params, this.#out, trialRows, trialColumns * 4, 32, 0, panels);
  }

  // Codes as large as the form's lanes allow, of one sign in one column and mixed in the next.
  #writeColumn(column: number): void {
    const most = { quad: 32, pair: 64, single: 127, add: 127, i16: 127, f32: 127 }[this.form];
    const codes = Int8Array.from({ length: trialWidth }, (_, k) => {
      if (column % 4 === 0) return most;
      if (column % 4 === 1) return -most;
      return ((k * 37 + column * 11) % (2 * most + 1)) - most;
    });
    this.#codes.push(codes);
    this.#packer.writeCodes(column, codes);
  }
}

/** Rows of 0..127, the first all 127. */
function inputs(): Int8Array {
  return Int8Array.from({ length: trialRows * trialWidth }, (_, i) => (i < trialWidth ? 127 : (i * 29) % 128));
}

function moduleOf(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, 0x0b];
  return Uint8Array.from([...header, 10, code.length + 2, 1, code.length, ...code]);
}
