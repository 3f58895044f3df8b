/**
 * Finds a place in the engine's memory for every tensor of a described model, and packs them there as they stream in. A
 * tensor is held in small pieces only, so that loading needs little more than the packed model.
 */
import { VecinityError } from '../../errors.js';
import type { ReadOptions } from '../../models/files.js';
import type { Safetensors } from '../../models/safetensors.js';
import { decodeFloats, decodeTensor } from '../../models/tensor-data.js';
import type { Activation, EncoderDescription, HeadNames, LayerNames, NormNames } from './architectures.js';
import { CodePacker } from './code-packer.js';
import type { Heap } from './heap.js';
import * as layout from './kernels/layout.js';
import type { Kernels } from './kernels.js';
import { LinearPacker, type LinearShape } from './pack.js';
import {
  type AttentionForm,
  type GemmForm,
  type HeadPlan,
  type LayerPlan,
  type ModelPlan,
  roundUp,
  weightBytes,
} from './plan.js';
import { distanceBuckets } from './positions.js';
import { TablePacker } from './table-packer.js';
import { chunkBytes, WeightStream } from './weight-stream.js';

/** How a model's products are to be computed. */
export interface Precision {
  form: GemmForm;
  /** Columns of a linear's input that share a scale. */
  block: number;
  attention: AttentionForm;
  /** Linears whose inputs take 16 bits instead, because they lose most by 7. */
  wide?: readonly LinearKind[];
}

export type LinearKind = 'qkv' | 'attentionOutput' | 'up' | 'down';

/** A model that has its place in memory and is still empty. */
export interface PlannedWeights {
  plan: ModelPlan;
  /** Fills it; allocates nothing. Rejects as the file's stream does. */
  load(options: ReadOptions): Promise<void>;
}

interface Target {
  description: EncoderDescription;
  heap: Heap;
  precision: Precision;
  /** Over the heap's memory. */
  kernels: Pick<Kernels, 'pack'>;
}

/** Finds places for the weights of a described model (names bound to the file). Throws `model_file_invalid`. */
export function planWeights(file: Safetensors, target: Target): PlannedWeights {
  const tensors = new WeightStream(file);
  const hasCodes = [...file.tensors.keys()].some((name) => tensors.hasCodes(name));
  const codes = hasCodes ? new CodePacker(target.heap, target.kernels.pack, chunkBytes) : null;
  const plan = new WeightPlanner(tensors, target, codes).plan();
  return { plan, load: (options) => tensors.read(options) };
}

/** Allocates in the order of the model, and tells the stream who takes which tensor. */
class WeightPlanner {
  readonly #tensors: WeightStream;
  readonly #description: EncoderDescription;
  readonly #heap: Heap;
  readonly #precision: Precision;
  readonly #codes: CodePacker | null;

  constructor(tensors: WeightStream, { description, heap, precision }: Target, codes: CodePacker | null) {
    this.#tensors = tensors;
    this.#description = description;
    this.#heap = heap;
    this.#precision = precision;
    this.#codes = codes;
  }

  plan(): ModelPlan {
    const { hidden, heads, headSize, intermediate, epsilon, maxTokens, vocabSize, positionOffset } = this.#description;
    const { wordEmbeddings, positionEmbeddings, typeEmbeddings, embeddingNorm, layers, head } = this.#description;
    return {
      hidden,
      stride: roundUp(hidden, 16),
      heads,
      headSize,
      depth: roundUp(headSize, 8),
      intermediate: roundUp(intermediate, 16),
      epsilon,
      activation: activationCode(this.#description.activation),
      attention: this.#precision.attention,
      maxTokens,
      vocabSize,
      typeCount: typeEmbeddings === null ? 0 : (this.#tensors.shape(typeEmbeddings)[0] as number),
      words: this.#table(wordEmbeddings, weightBytes(this.#precision.form), vocabSize),
      positions: this.#table(positionEmbeddings, 4, maxTokens + positionOffset),
      types: typeEmbeddings === null ? 0 : this.#table(typeEmbeddings, 4, 1),
      embeddingNorm: this.#norm(embeddingNorm),
      layers: layers.map((layer) => this.#layer(layer)),
      bias: this.#relativeBias(),
      head: head === null ? null : this.#head(head),
    };
  }

  #layer(names: LayerNames): LayerPlan {
    const { hidden, intermediate, heads, headSize } = this.#description;
    const stride = roundUp(hidden, 16);
    const wide = roundUp(intermediate, 16);
    const depth = roundUp(headSize, 8);
    this.#tensors.expect(`${names.query}.weight`, [hidden, hidden]);
    const qkv = this.#packer(names.query, { columns: 3 * heads * depth, width: hidden, form: this.#formOf('qkv') });
    [names.query, names.key, names.value].forEach((name, part) => {
      this.#linear(name, qkv, {
        rows: hidden,
        width: hidden,
        column: (row) => (part * heads + Math.floor(row / headSize)) * depth + (row % headSize),
      });
    });
    for (const name of [names.key, names.value]) this.#expectSameSmooth(names.query, name);
    return {
      qkv: qkv.plan,
      attentionOutput: this.#plainLinear(names.attentionOutput, {
        rows: hidden,
        columns: stride,
        width: hidden,
        form: this.#formOf('attentionOutput'),
      }),
      attentionNorm: this.#norm(names.attentionNorm),
      up: this.#plainLinear(names.up, { rows: intermediate, columns: wide, width: hidden, form: this.#formOf('up') }),
      down: this.#plainLinear(names.down, {
        rows: hidden,
        columns: stride,
        width: intermediate,
        form: this.#formOf('down'),
      }),
      outputNorm: this.#norm(names.outputNorm),
    };
  }

  #formOf(kind: LinearKind): GemmForm {
    const { form, wide } = this.#precision;
    return form !== 'f32' && wide?.includes(kind) ? 'i16' : form;
  }

  #head(names: HeadNames): HeadPlan {
    const { hidden } = this.#description;
    const stride = roundUp(hidden, 16);
    const labels = this.#tensors.shape(`${names.output}.weight`)[0] as number;
    const f32 = { form: 'f32' as const };
    return {
      dense: this.#plainLinear(names.dense, { rows: hidden, columns: stride, width: hidden, ...f32 }),
      activation: names.activation === 'tanh' ? layout.ACTIVATION_TANH : layout.ACTIVATION_RELU,
      output: this.#plainLinear(names.output, { rows: labels, columns: roundUp(labels, 8), width: hidden, ...f32 }),
      labels,
    };
  }

  #plainLinear(
    name: string,
    shape: { rows: number; columns: number; width: number; form: GemmForm },
  ): LinearPacker['plan'] {
    // Before room is made for it: the sizes come from a file that may say anything.
    this.#tensors.expect(`${name}.weight`, [shape.rows, shape.width]);
    const packer = this.#packer(name, shape);
    this.#linear(name, packer, { ...shape, column: (row) => row });
    return packer.plan;
  }

  #packer(name: string, shape: { columns: number; width: number; form: GemmForm }): LinearPacker {
    const { block } = this.#precision;
    const smooth = this.#tensors.has(`${name}.smooth`);
    const full: LinearShape = { ...shape, block, smooth };
    const packer = new LinearPacker(this.#heap, full);
    if (smooth) {
      const multipliers = this.#tensors.collect(`${name}.smooth`, shape.width);
      this.#tensors.afterwards(() => packer.setSmooth(multipliers));
    }
    return packer;
  }

  /** Query, key and value see one quantised input, so a file must smooth them alike. */
  #expectSameSmooth(first: string, other: string): void {
    const [a, b] = [`${first}.smooth`, `${other}.smooth`] as const;
    if (!this.#tensors.has(a) && !this.#tensors.has(b)) return;
    const { hidden } = this.#description;
    const [left, right] = [this.#tensors.collect(a, hidden), this.#tensors.collect(b, hidden)];
    this.#tensors.afterwards(() => {
      if (left.every((value, k) => value === right[k])) return;
      throw new VecinityError('model_file_invalid', `"${a}" and "${b}" differ; they scale one input.`);
    });
  }

  #linear(
    name: string,
    packer: LinearPacker,
    shape: { rows: number; width: number; column: (row: number) => number },
  ): void {
    const { rows, width, column } = shape;
    const hasCodes = this.#tensors.hasCodes(`${name}.weight`);
    this.#tensors.take(`${name}.weight`, [rows, width], (chunk) => {
      const values = hasCodes ? decodeTensor(chunk.tensor, chunk.bytes) : decodeFloats(chunk.tensor, chunk.bytes);
      for (let row = 0; row < chunk.rows; ) {
        const first = column(chunk.row + row);
        let end = row + 1;
        while (end < chunk.rows && column(chunk.row + end) === first + end - row) end += 1;
        // The type of the tensor says which of the two it is.
        const channels = values.subarray(row * width, end * width) as Int8Array | Float32Array;
        packer.writeRows(first, channels, this.#codes);
        row = end;
      }
    });
    this.#tensors.takeVector(`${name}.bias`, rows, (values, start) => {
      values.forEach((bias, row) => {
        packer.setBias(column(start + row), bias);
      });
    });
    if (!hasCodes) return;
    this.#tensors.takeVector(`${name}.weight_scale`, rows, (values, start) => {
      values.forEach((scale, row) => {
        packer.multiplyScale(column(start + row), scale);
      });
    });
  }

  /**
   * An embedding table with values of so many bytes, or of 8 bits when the file has it so. Throws for one that has fewer
   * rows than config.json counts on.
   */
  #table(name: string, valueBytes: number, leastRows: number): number {
    const [rows, width] = this.#tensors.shape(name) as [number, number];
    // The kernels read rows by id without looking.
    const shape = [Math.max(rows, leastRows), this.#description.hidden];
    this.#tensors.expect(name, shape);
    const hasCodes = this.#tensors.hasCodes(name);
    const packer = new TablePacker(this.#heap, { rows, width, valueBytes: hasCodes ? 1 : valueBytes });
    this.#tensors.take(name, shape, ({ tensor, bytes, row }) => {
      if (hasCodes) packer.writeCodes(row, bytes);
      else packer.writeFloats(row, decodeFloats(tensor, bytes));
    });
    if (hasCodes) {
      this.#tensors.takeVector(`${name}_scale`, rows, (scales, start) => packer.writeScales(start, scales));
    }
    return packer.address;
  }

  #norm(names: NormNames): number {
    const { hidden } = this.#description;
    const stride = roundUp(hidden, 16);
    const address = this.#heap.allocate(stride * 8);
    this.#tensors.takeVector(names.weight, hidden, (part, start) => this.#heap.f32.set(part, address / 4 + start));
    this.#tensors.takeVector(names.bias, hidden, (part, start) =>
      this.#heap.f32.set(part, address / 4 + stride + start),
    );
    return address;
  }

  #relativeBias(): ModelPlan['bias'] {
    const { relativeBias, heads, maxTokens } = this.#description;
    if (relativeBias === null) return null;
    const length = 2 * maxTokens - 1;
    const strideBytes = roundUp(length + 8, 16) * 4;
    const address = this.#heap.allocate(heads * strideBytes);
    const buckets = distanceBuckets(relativeBias, maxTokens);
    this.#tensors.take(relativeBias.table, [relativeBias.buckets, heads], (chunk) => {
      const table = decodeFloats(chunk.tensor, chunk.bytes);
      buckets.forEach((bucket, index) => {
        const row = bucket - chunk.row;
        if (row < 0 || row >= chunk.rows) return;
        for (let head = 0; head < heads; head++) {
          const value = (table[row * heads + head] as number) * Math.LOG2E;
          this.#heap.f32[(address + head * strideBytes) / 4 + index] = value;
        }
      });
    });
    return { address: address + (maxTokens - 1) * 4, strideBytes };
  }
}

function activationCode(activation: Activation): number {
  switch (activation) {
    case 'gelu':
      return layout.ACTIVATION_GELU;
    case 'gelu_tanh':
      return layout.ACTIVATION_GELU_TANH;
    case 'relu':
      return layout.ACTIVATION_RELU;
    default:
      activation satisfies never;
      throw new TypeError(`Unknown activation ${String(activation)}.`);
  }
}
