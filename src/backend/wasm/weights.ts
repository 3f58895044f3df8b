/**
 * Streams a model's safetensors into the engine's memory: which tensor goes where, widened, quantised or copied on the
 * way. A tensor is held in small pieces only, so that loading needs little more than the packed model.
 */
import { VecinityError } from '../../errors.js';
import type { ReadOptions } from '../../models/files.js';
import type { Safetensors, TensorChunk } from '../../models/safetensors.js';
import type { TensorInfo } from '../../models/safetensors-header.js';
import { decodeFloats, decodeTensor } from '../../models/tensor-data.js';
import type { Activation, EncoderDescription, HeadNames, LayerNames, NormNames } from './architectures.js';
import { quantizeChannel, quantizeWords } from './channel.js';
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

/** A chunk is copied from the stream and then to its place: it should still be in the cache when it is. */
const chunkBytes = 256 * 1024;

type Sink = (chunk: TensorChunk) => void;

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
  const loader = new WeightLoader(file, target);
  const plan = loader.plan();
  return { plan, load: (options) => loader.load(options) };
}

class WeightLoader {
  readonly #file: Safetensors;
  readonly #description: EncoderDescription;
  readonly #heap: Heap;
  readonly #precision: Precision;
  readonly #codes: CodePacker | null;
  readonly #sinks = new Map<string, Sink>();
  /** What can only be done once all tensors are in. */
  readonly #last: (() => void)[] = [];

  constructor(file: Safetensors, target: Target) {
    this.#file = file;
    this.#description = target.description;
    this.#heap = target.heap;
    this.#precision = target.precision;
    const hasCodes = [...file.tensors.values()].some(({ dtype }) => dtype === 'I8');
    this.#codes = hasCodes ? new CodePacker(target.heap, target.kernels.pack, chunkBytes) : null;
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
      typeCount: typeEmbeddings === null ? 0 : (this.#shape(typeEmbeddings)[0] as number),
      words: this.#table(wordEmbeddings, weightBytes(this.#precision.form), vocabSize),
      positions: this.#table(positionEmbeddings, 4, maxTokens + positionOffset),
      types: typeEmbeddings === null ? 0 : this.#table(typeEmbeddings, 4, 1),
      embeddingNorm: this.#norm(embeddingNorm),
      layers: layers.map((layer) => this.#layer(layer)),
      bias: this.#relativeBias(),
      head: head === null ? null : this.#head(head),
    };
  }

  async load(options: ReadOptions): Promise<void> {
    const select = (tensor: TensorInfo): boolean => this.#sinks.has(tensor.name);
    const chunks = this.#file.stream({ ...options, select, chunkBytes });
    for await (const chunk of chunks) this.#sinks.get(chunk.tensor.name)?.(chunk);
    for (const action of this.#last) action();
  }

  #layer(names: LayerNames): LayerPlan {
    const { hidden, intermediate, heads, headSize } = this.#description;
    const stride = roundUp(hidden, 16);
    const wide = roundUp(intermediate, 16);
    const depth = roundUp(headSize, 8);
    this.#expect(`${names.query}.weight`, [hidden, hidden]);
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
    const labels = this.#shape(`${names.output}.weight`)[0] as number;
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
    this.#expect(`${name}.weight`, [shape.rows, shape.width]);
    const packer = this.#packer(name, shape);
    this.#linear(name, packer, { ...shape, column: (row) => row });
    return packer.plan;
  }

  #packer(name: string, shape: { columns: number; width: number; form: GemmForm }): LinearPacker {
    const { block } = this.#precision;
    const smooth = this.#file.tensors.has(`${name}.smooth`);
    const full: LinearShape = { ...shape, block, smooth };
    const packer = new LinearPacker(this.#heap, full);
    if (smooth) {
      const multipliers = new Float32Array(shape.width);
      this.#vector(`${name}.smooth`, shape.width, (values, start) => multipliers.set(values, start));
      this.#last.push(() => packer.setSmooth(multipliers));
    }
    return packer;
  }

  /** Query, key and value see one quantised input, so a file must smooth them alike. */
  #expectSameSmooth(first: string, name: string): void {
    const { tensors } = this.#file;
    if (!tensors.has(`${first}.smooth`) && !tensors.has(`${name}.smooth`)) return;
    const { hidden } = this.#description;
    const both = [new Float32Array(hidden), new Float32Array(hidden)] as const;
    const firstSink = this.#sinks.get(`${first}.smooth`);
    this.#vector(`${name}.smooth`, hidden, (values, start) => both[1].set(values, start));
    this.#sinks.set(`${first}.smooth`, (chunk) => {
      firstSink?.(chunk);
      both[0].set(decodeFloats(chunk.tensor, chunk.bytes), chunk.row);
    });
    this.#last.push(() => {
      if (both[0].every((value, k) => value === both[1][k])) return;
      throw new VecinityError(
        'model_file_invalid',
        `"${first}.smooth" and "${name}.smooth" differ; they scale one input.`,
      );
    });
  }

  #linear(
    name: string,
    packer: LinearPacker,
    shape: { rows: number; width: number; column: (row: number) => number },
  ): void {
    const { rows, width, column } = shape;
    this.#expect(`${name}.weight`, [rows, width]);
    this.#sinks.set(`${name}.weight`, (chunk) => {
      const integers = chunk.tensor.dtype === 'I8';
      const values = integers ? decodeTensor(chunk.tensor, chunk.bytes) : decodeFloats(chunk.tensor, chunk.bytes);
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
    this.#vector(`${name}.bias`, rows, (values, start) => {
      values.forEach((bias, row) => {
        packer.setBias(column(start + row), bias);
      });
    });
    if (this.#file.tensors.get(`${name}.weight`)?.dtype !== 'I8') return;
    this.#vector(`${name}.weight_scale`, rows, (values, start) => {
      values.forEach((scale, row) => {
        packer.multiplyScale(column(start + row), scale);
      });
    });
  }

  /**
   * An embedding table with values of `bytes` bytes: floats, or whole numbers with a scale a row. Of 8 bits when the file
   * has it so. Throws for one that has fewer rows than config.json counts on.
   */
  #table(name: string, bytes: number, leastRows: number): number {
    const [rows, width] = this.#shape(name) as [number, number];
    // The kernels read rows by id without looking.
    this.#expect(name, [Math.max(rows, leastRows), this.#description.hidden]);
    const integers = this.#file.tensors.get(name)?.dtype === 'I8';
    const size = integers ? 1 : bytes;
    const address = this.#heap.allocate(layout.TABLE_BYTES);
    const values = this.#heap.allocate(rows * width * size);
    const scales = size < 4 ? this.#heap.allocate(rows * 4) : 0;
    this.#heap.i32[(address + layout.TABLE_VALUES) / 4] = values;
    this.#heap.i32[(address + layout.TABLE_SCALES) / 4] = scales;
    this.#heap.i32[(address + layout.TABLE_SIZE) / 4] = size;
    if (integers) {
      this.#vector(`${name}_scale`, rows, (part, start) => this.#heap.f32.set(part, scales / 4 + start));
    }
    this.#sinks.set(name, (chunk) => {
      const start = chunk.row * width;
      if (integers) this.#heap.i8.set(chunk.bytes, values + start);
      else if (size === 4) this.#heap.f32.set(decodeFloats(chunk.tensor, chunk.bytes), values / 4 + start);
      else this.#quantizeRows(decodeFloats(chunk.tensor, chunk.bytes), width, { values, scales, row: chunk.row, size });
    });
    return address;
  }

  #quantizeRows(
    floats: Float32Array,
    width: number,
    target: { values: number; scales: number; row: number; size: number },
  ): void {
    const words = target.size === 2;
    for (let start = 0; start < floats.length; start += width) {
      const row = target.row + start / width;
      const weights = floats.subarray(start, start + width);
      const { codes, scale } = words ? quantizeWords(weights, 1) : quantizeChannel(weights, 'i16');
      const view = words ? this.#heap.i16 : this.#heap.i8;
      view.set(codes, target.values / target.size + row * width);
      this.#heap.f32[target.scales / 4 + row] = scale;
    }
  }

  #norm(names: NormNames): number {
    const { hidden } = this.#description;
    const stride = roundUp(hidden, 16);
    const address = this.#heap.allocate(stride * 8);
    this.#vector(names.weight, hidden, (part, start) => this.#heap.f32.set(part, address / 4 + start));
    this.#vector(names.bias, hidden, (part, start) => this.#heap.f32.set(part, address / 4 + stride + start));
    return address;
  }

  #relativeBias(): ModelPlan['bias'] {
    const { relativeBias, heads, maxTokens } = this.#description;
    if (relativeBias === null) return null;
    const length = 2 * maxTokens - 1;
    const strideBytes = roundUp(length + 8, 16) * 4;
    const address = this.#heap.allocate(heads * strideBytes);
    const buckets = distanceBuckets(relativeBias, maxTokens);
    this.#expect(relativeBias.table, [relativeBias.buckets, heads]);
    this.#sinks.set(relativeBias.table, (chunk) => {
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

  #vector(name: string, length: number, put: (values: Float32Array, start: number) => void): void {
    this.#expect(name, [length]);
    this.#sinks.set(name, (chunk) => put(decodeFloats(chunk.tensor, chunk.bytes), chunk.row));
  }

  #shape(name: string): readonly number[] {
    const tensor = this.#file.tensors.get(name);
    if (tensor === undefined) throw new VecinityError('model_file_invalid', `The model's weights have no "${name}".`);
    return tensor.shape;
  }

  #expect(name: string, shape: readonly number[]): void {
    const actual = this.#shape(name);
    if (actual.length === shape.length && actual.every((size, index) => size === shape[index])) return;
    throw new VecinityError(
      'model_file_invalid',
      `Tensor "${name}" has the shape [${actual.join(', ')}]; config.json asks for [${shape.join(', ')}].`,
    );
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
