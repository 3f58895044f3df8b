/**
 * A model's weights in 8 bits: every linear of the encoder with smoothing and error feedback, the word table by rows,
 * everything small in f32. One pass of the reference over the calibration texts: each layer is rounded when it is met,
 * on inputs that have gone through the rounded layers before it.
 */
import type { TokenBatch } from '../backend/backend.js';
import { convertedBlock, quantizeChannel } from '../backend/wasm/channel.js';
import { encode, type LinearCall, type ReferenceModel } from '../backend/wasm/reference.js';
import { linear } from '../backend/wasm/reference-math.js';
import type { TensorToWrite } from '../models/safetensors-writer.js';
import { roundActivations } from './activations.js';
import { describeInputs, type RoundedLinear, roundLinear } from './gptq.js';
import { smoothingMultipliers } from './smoothing.js';

export interface ConvertOptions {
  model: ReferenceModel;
  /** `[rows, columns]` of every tensor, by name. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** The calibration texts. */
  batch: TokenBatch;
  /** Linears done so far, of all. */
  onProgress?: (done: number, total: number) => void;
}

/** The tensors of the converted file: `<linear>.weight` I8, `.weight_scale`, `.smooth`, tables I8, the rest F32. */
export function toQ8(options: ConvertOptions): TensorToWrite[] {
  const { model, shapes } = options;
  const words = model.description.wordEmbeddings;
  const table = roundRows(tensor(model, words), model.description.hidden);
  const weights = new Map(model.weights).set(words, expand(table));
  const linears = roundLinears({ ...options, model: { ...model, weights } });
  const tensors = [
    ...eightBit(words, shapeOf(shapes, words), table),
    ...[...linears].flatMap(([name, { rounded, smooth }]) => [
      ...eightBit(`${name}.weight`, shapeOf(shapes, `${name}.weight`), rounded),
      float(`${name}.smooth`, [smooth.length], smooth),
    ]),
  ];
  const done = new Set(tensors.map(({ name }) => name));
  const rest = [...model.weights].filter(([name]) => !done.has(name));
  return [...tensors, ...rest.map(([name, values]) => float(name, shapeOf(shapes, name), values))];
}

/** Of query, key and value: an error of the value reaches the output whole, one of the query is damped by the softmax. */
const attentionImportance = [0.1, 0.2, 1];

interface ConvertedLinear {
  rounded: RoundedLinear;
  smooth: Float32Array;
}

function roundLinears({ model, batch, onProgress }: ConvertOptions): Map<string, ConvertedLinear> {
  const converted = new Map<string, ConvertedLinear>();
  const total = model.description.layers.length * 6;
  encode(model, batch, {
    linear: (call) => {
      const outputs = roundGroup(model, call, converted);
      onProgress?.(converted.size, total);
      return outputs;
    },
  });
  return converted;
}

/** Rounds the linears of one input and computes them as the kernels will. */
function roundGroup(
  model: ReferenceModel,
  { names, input, tokens }: LinearCall,
  converted: Map<string, ConvertedLinear>,
): Float32Array[] {
  const width = input.length / tokens;
  const weights = names.map((name) => tensor(model, `${name}.weight`));
  const linears = weights.map((values, index) => ({
    weights: values,
    importance: names.length === 3 ? (attentionImportance[index] as number) : 1,
  }));
  const smooth = smoothingMultipliers(input, linears, width);
  const rounded = roundActivations(input, smooth, { tokens, width, block: convertedBlock });
  const statistics = describeInputs(rounded, width);
  return names.map((name, index) => {
    const spread = (weights[index] as Float32Array).map((weight, i) => weight / (smooth[i % width] as number));
    const result = roundLinear(spread, statistics);
    converted.set(name, { rounded: result, smooth });
    return linear(rounded, expand(result), model.weights.get(`${name}.bias`) ?? null, tokens);
  });
}

function roundRows(table: Float32Array, width: number): RoundedLinear {
  const rows = table.length / width;
  const codes = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const channel = quantizeChannel(table.subarray(row * width, (row + 1) * width), 'i16');
    codes.set(channel.codes, row * width);
    scales[row] = channel.scale;
  }
  return { codes, scales };
}

function expand({ codes, scales }: RoundedLinear): Float32Array {
  const width = codes.length / scales.length;
  return Float32Array.from(codes, (code, i) => code * (scales[Math.trunc(i / width)] as number));
}

function eightBit(name: string, shape: readonly number[], { codes, scales }: RoundedLinear): TensorToWrite[] {
  return [{ name, dtype: 'I8', shape, data: codes }, float(`${name}_scale`, [scales.length], scales)];
}

function float(name: string, shape: readonly number[], data: Float32Array): TensorToWrite {
  return { name, dtype: 'F32', shape, data };
}

function tensor({ weights }: ReferenceModel, name: string): Float32Array {
  const values = weights.get(name);
  if (values === undefined) throw new TypeError(`The model has no tensor "${name}".`);
  return values;
}

function shapeOf(shapes: ReadonlyMap<string, readonly number[]>, name: string): readonly number[] {
  const shape = shapes.get(name);
  if (shape === undefined) throw new TypeError(`The model has no tensor "${name}".`);
  return shape;
}
