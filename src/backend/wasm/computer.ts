/**
 * What one thread computes: whole slices, or its part of one text together with the other threads. The same code
 * runs in the coordinating worker and in every thread of the pool.
 */
import type { Pooling, Task } from '../../models/spec.js';
import { release } from '../../release.js';
import { Attention } from './attention.js';
import { Encoder, type Tap } from './encoder.js';
import type { Heap } from './heap.js';
import { instantiate } from './kernels.js';
import { LayerParts } from './layer-parts.js';
import { type ModelPlan, roundUp } from './plan.js';
import { pickRows, Readout } from './readout.js';
import { type Pass, placeScratch, type Scratch } from './scratch.js';
import { SharedColumns, sharesColumns } from './shared-columns.js';
import type { Slice } from './slices.js';
import { followTeam, type Order, type Share, type TeamLead, type TeamPlace } from './team.js';

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

/** One of so many threads that have working memory for a text; number 0 leads. */
export interface ThreadPlace {
  threads: number;
  index: number;
}

/** What a thread has to know of a text that is in place. */
interface PlacedText {
  tokens: number;
  /** Address of its working memory. */
  base: number;
  /** Every token's hidden state is asked for. */
  whole: boolean;
}

export class Computer {
  readonly #encoder: Encoder;
  readonly #columns: SharedColumns;
  readonly #readout: Readout;
  readonly #setup: ModelSetup;

  constructor(module: WebAssembly.Module, heap: Heap, setup: ModelSetup) {
    const { plan } = setup;
    const kernels = instantiate(module, heap.memory);
    const tools = { heap, plan, attention: new Attention(kernels, heap, plan), parts: new LayerParts(kernels, plan) };
    this.#encoder = new Encoder(tools);
    this.#columns = new SharedColumns(this.#encoder, tools);
    this.#readout = new Readout(kernels, heap, plan);
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

  /** Computes a text with everyone who has joined; needs `scratchBytes` at `base` for so many threads. */
  lead(slice: Slice, { base, threads }: { base: number; threads: number }, lead: TeamLead): Part {
    const text = { tokens: slice.inputIds.length, base, whole: slice.output === 'tokens' };
    const most = Math.min(threads, Math.ceil(text.tokens / rowsAtOnce));
    lead.begin(toOrder(text), most);
    try {
      const scratch = this.#scratchOf(text, { threads, index: 0 });
      this.#encoder.place(slice, scratch);
      const pass = this.#pass(slice, scratch);
      if (sharesColumns(text.tokens)) this.#leadColumns(pass, lead, most);
      else this.#leadRows(pass, lead);
      return this.finish(slice, scratch);
    } finally {
      lead.end();
    }
  }

  #leadColumns(pass: Pass, lead: TeamLead, threads: number): void {
    const columns = this.#columns;
    for (let step = 0; step < columns.stepsOf(pass); step++) {
      columns.prepare(pass, step);
      lead.run((share) => columns.run(pass, step, share), columns.partsOf(pass, step, threads));
    }
    columns.finish(pass);
  }

  #leadRows(pass: Pass, lead: TeamLead): void {
    for (let step = 0; step <= this.#setup.plan.layers.length; step++) {
      lead.run((share) => this.#runRows(pass, step, share));
    }
  }

  /** Joins who leads there, as the `index`th of so many threads, until they are sent away. */
  follow(place: TeamPlace, thread: ThreadPlace): void {
    let current: { text: PlacedText; pass: Pass } | null = null;
    followTeam(place, ({ order, step, share }) => {
      const text = fromOrder(order);
      if (current === null || !isSame(current.text, text)) {
        current = { text, pass: this.#followedPass(text, thread, place.memory) };
      }
      if (sharesColumns(text.tokens)) this.#columns.run(current.pass, step, share);
      else this.#runRows(current.pass, step, share);
    });
  }

  /** A share of the embeddings, then of one layer after the other: queries look at the keys and values of all rows. */
  #runRows(pass: Pass, step: number, share: Share): void {
    const { rows } = pass.scratch;
    const height = roundUp(Math.ceil(rows / share.parts), rowsAtOnce);
    const from = Math.min(rows, share.index * height);
    const to = Math.min(rows, from + height);
    if (step === 0) this.#encoder.embedRows(pass, from, to);
    else this.#encoder.layerRows(pass, step - 1, { from, to });
  }

  #followedPass(text: PlacedText, thread: ThreadPlace, memory: WebAssembly.Memory): Pass {
    // Tells this thread of a memory that another one has grown.
    memory.grow(0);
    const offsets = Int32Array.of(0, text.tokens);
    const picked = this.#picked({ offsets, output: text.whole ? 'tokens' : 'pooled' });
    return { offsets, scratch: this.#scratchOf(text, thread), picked };
  }

  #scratchOf({ tokens, base }: PlacedText, { threads, index }: ThreadPlace): Scratch {
    const placed = placeScratch(this.#setup.plan, { tokens, longest: tokens, threads }, base).threads;
    return sharesColumns(tokens) ? this.#columns.scratchOf(placed, index) : (placed[index] as Scratch);
  }

  /** Pools or classifies the hidden states that a pass has left, or hands them out as they are. */
  finish(slice: Slice, scratch: Scratch): Part {
    const rows = slice.output === 'tokens' ? slice.inputIds.length : slice.texts.length;
    const values = new Float32Array(rows * widthOf(this.#setup));
    const pass = this.#pass(slice, scratch);
    const { pooling, task } = this.#setup;
    if (slice.output === 'tokens') this.#readout.tokens(pass, values);
    else if (task === 'rerank') this.#readout.classify(pass, values);
    else this.#readout.pool(pass, { pooling, skippedTokens: slice.skippedTokens ?? null }, values);
    return { texts: slice.texts, values };
  }

  #pass(slice: Slice, scratch: Scratch): Pass {
    return { offsets: slice.offsets, scratch, picked: this.#picked(slice) };
  }

  /** Who looks at intermediate tensors wants whole ones. */
  #picked({ offsets, output }: Pick<Slice, 'offsets' | 'output'>): Int32Array | null {
    if (output === 'tokens' || this.#encoder.tap !== null) return null;
    return pickRows(offsets, this.#setup.task === 'rerank' ? 'cls' : this.#setup.pooling);
  }
}

function toOrder({ tokens, base, whole }: PlacedText): Order {
  return [tokens, base, whole ? 1 : 0];
}

function fromOrder([tokens, base, whole]: Order): PlacedText {
  // Addresses above 2 GiB are negative as whole numbers of 32 bits.
  return { tokens, base: base >>> 0, whole: whole === 1 };
}

function isSame(a: PlacedText, b: PlacedText): boolean {
  return a.tokens === b.tokens && a.base === b.base && a.whole === b.whole;
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
