/**
 * The forward pass of one text that is too short to share its rows out: threads share the columns of every product, in
 * steps, and whoever leads does what lies between them. A thread that is late or held up costs nothing: the others take
 * more columns. Each weight is read by one thread, which is what such a text takes its time for.
 */
import type { Attention } from './attention.js';
import { askedPanels, type Encoder, type EncoderTools } from './encoder.js';
import { type LayerParts, type Place, type Range, upUnit } from './layer-parts.js';
import type { LayerPlan, ModelPlan } from './plan.js';
import type { Pass, Scratch } from './scratch.js';
import type { Share } from './team.js';

/** The products of a layer, each of which needs the whole of the one before. */
const products = ['qkv', 'attentionOutput', 'up', 'down'] as const;

/** Longer texts have rows enough for all, and attention that would have to be shared too. */
const mostTokens = 16;
/** Threads are held up at any time; what the others can take over is what has not been begun. */
const partsPerThread = 3;

/** One product of one layer. */
interface Step {
  index: number;
  layer: LayerPlan;
  product: (typeof products)[number];
}

export function sharesColumns(tokens: number): boolean {
  return tokens <= mostTokens;
}

export class SharedColumns {
  readonly #encoder: Encoder;
  readonly #attention: Attention;
  readonly #parts: LayerParts;
  readonly #plan: ModelPlan;

  constructor(encoder: Encoder, { plan, attention, parts }: EncoderTools) {
    this.#encoder = encoder;
    this.#attention = attention;
    this.#parts = parts;
    this.#plan = plan;
  }

  /** How many steps a pass has. Where only picked rows are asked for, the rest of the last layer is the lead's alone. */
  stepsOf({ picked }: Pass): number {
    const { layers } = this.#plan;
    return picked === null ? layers.length * products.length : (layers.length - 1) * products.length + 1;
  }

  /** Parts of a step for so many threads. */
  partsOf(pass: Pass, step: number, threads: number): number {
    return Math.min(threads * partsPerThread, this.#unitsOf(pass, this.#stepAt(step)));
  }

  /** What the `index`th of several threads works in: what goes in and comes out lies where the lead has it. */
  scratchOf(threads: readonly Scratch[], index: number): Scratch {
    const [lead, own] = [threads[0] as Scratch, threads[index] as Scratch];
    return this.#upUnit === null ? lead : { ...lead, up: own.up };
  }

  /** The lead's work before a step. */
  prepare(pass: Pass, number: number): void {
    const { index, layer, product } = this.#stepAt(number);
    const place = placeOf(pass);
    if (product === 'qkv') {
      const before = this.#plan.layers[index - 1];
      if (before) this.#parts.outputNorm(before, layer.qkv, place);
      else this.#parts.embed(place);
    }
    if (product === 'attentionOutput') {
      const { scratch, offsets } = pass;
      this.#attention.runRows(scratch, { buffer: index % 2, offsets, from: 0, to: scratch.rows });
      this.#parts.takeContext(layer, place);
    }
    if (product === 'up') this.#parts.attentionNorm(layer, place);
    if (product === 'down' && this.#upUnit === null) this.#parts.activate(layer, place);
  }

  /** A share of a step. */
  run(pass: Pass, number: number, { index, parts }: Share): void {
    const step = this.#stepAt(number);
    const units = this.#unitsOf(pass, step);
    const first = Math.floor((units * index) / parts);
    const last = Math.floor((units * (index + 1)) / parts);
    if (first < last) this.#runUnits(pass, step, { first, last });
  }

  /** The lead's work after all steps. */
  finish(pass: Pass): void {
    const { layers } = this.#plan;
    if (pass.picked !== null) this.#encoder.pickedRows(pass.scratch, pass.offsets, pass.picked);
    else this.#parts.outputNorm(layers[layers.length - 1] as LayerPlan, undefined, placeOf(pass));
  }

  #runUnits(pass: Pass, { index, layer, product }: Step, range: Range): void {
    const place = placeOf(pass);
    if (product === 'qkv') {
      const asked = askedPanels(this.#plan, { picked: pass.picked, index });
      const [first, last] = [asked.first + range.first, asked.first + range.last];
      this.#parts.project(layer.qkv, place, { buffer: index % 2, first, last });
    } else if (product === 'up') this.#runUp(layer, place, range);
    else this.#parts[product](layer, place, range);
  }

  #runUp(layer: LayerPlan, place: Place, { first, last }: Range): void {
    const unit = this.#upUnit;
    const end = Math.min(this.#plan.intermediate, last * (unit ?? 8));
    if (unit === null) this.#parts.upAlone(layer, place, { first: first * 8, last: end });
    else this.#parts.up(layer, place, { first: first * unit, last: end });
  }

  #unitsOf({ picked }: Pass, { index, layer, product }: Step): number {
    if (product === 'up' && this.#upUnit !== null) return Math.ceil(this.#plan.intermediate / this.#upUnit);
    if (product !== 'qkv') return layer[product].panels;
    const { first, last } = askedPanels(this.#plan, { picked, index });
    return last - first;
  }

  get #upUnit(): number | null {
    return upUnit(this.#plan);
  }

  #stepAt(number: number): Step {
    const index = Math.floor(number / products.length);
    const product = products[number % products.length] as Step['product'];
    return { index, layer: this.#plan.layers[index] as LayerPlan, product };
  }
}

/** So short a text is in the cache as a whole. */
function placeOf({ scratch }: Pass): Place {
  return { scratch, row: 0, rows: scratch.rows };
}
