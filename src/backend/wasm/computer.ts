/**
 * What one thread computes: whole slices, or its rows of one long text together with the other threads. The same code
 * runs in the coordinating worker and in every thread of the pool.
 */
import type { Pooling, Task } from '../../models/spec.js';
import { release } from '../release.js';
import { Encoder, type Pass, pickRows, type Tap } from './encoder.js';
import type { Heap } from './heap.js';
import { instantiate } from './kernels.js';
import { type ModelPlan, roundUp } from './plan.js';
import { placeScratch, type Scratch } from './scratch.js';
import type { Slice } from './slices.js';
import { followTeam, type Share, type TeamLead } from './team.js';

/** Rows that a thread takes at least: the kernels compute so many together. */
export const rowsAtOnce = 4;
/** Longer texts make the working memory grow, and what it was before is lost. */
const usualTokens = 512;

/** What a thread has to know of the model; plain data. */
export interface ModelSetup {
  plan: ModelPlan;
  task: Task;
  pooling: Pooling;
}

/** Vectors of some texts: `values` is `[texts, width]`, or `[tokens, width]` when tokens were asked for. */
export interface Part {
  texts: number[];
  values: Float32Array<ArrayBuffer>;
}

export class Computer {
  readonly #encoder: Encoder;
  readonly #setup: ModelSetup;

  constructor(module: WebAssembly.Module, heap: Heap, setup: ModelSetup) {
    this.#encoder = new Encoder(instantiate(module, heap.memory), heap, setup.plan);
    this.#setup = setup;
  }

  set tap(tap: Tap | null) {
    this.#encoder.tap = tap;
  }

  /** Computes slices as long as `next` gives numbers of them; `base` is the address of `scratchBytes` of working memory. */
  runSlices(slices: readonly Slice[], next: () => number, base: number): Part {
    const parts: Part[] = [];
    for (let index = next(); index < slices.length; index = next()) {
      parts.push(this.runSlice(slices[index] as Slice, base));
    }
    return joinParts(parts);
  }

  runSlice(slice: Slice, base: number): Part {
    const [scratch] = placeScratch(this.#setup.plan, sizeOf(slice, 1), base).threads as [Scratch];
    this.#encoder.encode(slice, scratch, this.#picked(slice));
    return this.finish(slice, scratch);
  }

  /** Computes a text that is in place, row by row, with everyone who joins. */
  leadRows(slice: Slice, scratch: Scratch, lead: TeamLead): void {
    try {
      for (let step = 0; step <= this.#setup.plan.layers.length; step++) {
        lead.run((share) => this.#runStep(step, { slice, scratch, share }));
      }
    } finally {
      lead.end();
    }
  }

  /** Joins who leads at this address of the shared memory, with a `scratch` of one's own. */
  followRows(slice: Slice, scratch: Scratch, place: { memory: WebAssembly.Memory; address: number }): void {
    followTeam(place.memory, place.address, (step, share) => this.#runStep(step, { slice, scratch, share }));
  }

  /** Puts a slice's tokens in place for `leadRows`. */
  place(slice: Slice, scratch: Scratch): void {
    this.#encoder.place(slice, scratch);
  }

  /** A share of the embeddings, then of one layer after the other: queries look at the keys and values of all rows. */
  #runStep(step: number, { slice, scratch, share }: { slice: Slice; scratch: Scratch; share: Share }): void {
    const height = roundUp(Math.ceil(scratch.rows / share.members), rowsAtOnce);
    const from = Math.min(scratch.rows, share.index * height);
    const to = Math.min(scratch.rows, from + height);
    const pass = this.#pass(slice, scratch);
    if (step === 0) this.#encoder.embedRows(pass, from, to);
    else this.#encoder.layerRows(pass, step - 1, { from, to });
  }

  /** Pools or classifies the hidden states that a pass has left, or hands them out as they are. */
  finish(slice: Slice, scratch: Scratch): Part {
    const rows = slice.output === 'tokens' ? slice.inputIds.length : slice.texts.length;
    const values = new Float32Array(rows * widthOf(this.#setup));
    const pass = this.#pass(slice, scratch);
    const { pooling, task } = this.#setup;
    if (slice.output === 'tokens') this.#encoder.readTokens(scratch, slice, values);
    else if (task === 'rerank') this.#encoder.classify(pass, values);
    else this.#encoder.pool(pass, { pooling, skippedTokens: slice.skippedTokens ?? null }, values);
    return { texts: slice.texts, values };
  }

  #pass(slice: Slice, scratch: Scratch): Pass {
    return { offsets: slice.offsets, scratch, picked: this.#picked(slice) };
  }

  /** Who looks at intermediate tensors wants whole ones. */
  #picked({ offsets, output }: Slice): Int32Array | null {
    if (output === 'tokens' || this.#encoder.tap !== null) return null;
    return pickRows(offsets, this.#setup.task === 'rerank' ? 'cls' : this.#setup.pooling);
  }
}

/** Values per text. */
export function widthOf({ plan, task }: ModelSetup): number {
  return task === 'rerank' && plan.head !== null ? plan.head.labels : plan.hidden;
}

/** Bytes of working memory that computing any one of these slices needs. */
export function scratchBytes(plan: ModelPlan, slices: readonly Slice[], threads: number): number {
  return Math.max(0, ...slices.map((slice) => placeScratch(plan, sizeOf(slice, threads), 0).end));
}

/** Working memory of a text as long as most models read, for so many threads that share it. */
export function usualBytes({ plan }: ModelSetup, threads: number): number {
  const tokens = Math.min(usualTokens, plan.maxTokens);
  return placeScratch(plan, { tokens, longest: tokens, threads }, 0).end;
}

export function sizeOf(slice: Slice, threads: number): { tokens: number; longest: number; threads: number } {
  return { tokens: slice.inputIds.length, longest: slice.longest, threads };
}

export function joinParts(parts: readonly Part[]): Part {
  const texts = parts.flatMap((part) => part.texts);
  const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
  let at = 0;
  for (const part of parts) {
    values.set(part.values, at);
    at += part.values.length;
    release(part.values);
  }
  return { texts, values };
}
