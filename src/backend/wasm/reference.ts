/**
 * The encoder in plain TypeScript: the forward pass that every kernel is compared with, that a conversion calibrates on
 * and that a scheme of quantisation is simulated in. Clear rather than fast; packed tokens, no padding, no masks.
 */
import type { Pooling } from '../../models/spec.js';
import type { TokenBatch } from '../backend.js';
import {
  type EncoderDescription,
  type HeadNames,
  type LayerNames,
  linearGroups,
  type NormNames,
} from './architectures.js';
import { distanceBuckets, positionIds } from './positions.js';
import { activate, add, layerNorm, linear, softmax } from './reference-math.js';

/** Tensors by their full name, f32. */
export type WeightMap = ReadonlyMap<string, Float32Array>;

/** Linears that share one input: `[tokens, width]`. */
export interface LinearCall {
  /** Names without `.weight`. */
  names: readonly string[];
  input: Float32Array;
  tokens: number;
}

export interface ReferenceOptions {
  /** Replaces the linears: one output `[tokens, out]` (bias added) for each name. */
  linear?: (call: LinearCall) => Float32Array[];
  /** Sees every intermediate tensor under a name such as `layer.0.attention`; the arrays must not be kept or changed. */
  tap?: (name: string, values: Float32Array) => void;
}

/** One model ready to run: its bound description and its weights. */
export interface ReferenceModel {
  description: EncoderDescription;
  weights: WeightMap;
}

/** The last hidden states of a batch, `[tokens, hidden]`. */
export function encode(model: ReferenceModel, batch: TokenBatch, options: ReferenceOptions = {}): Float32Array {
  const tap = options.tap ?? (() => {});
  const run: Run = {
    ...model,
    offsets: batch.offsets,
    linear: options.linear ?? ((call) => linears(call, model.weights)),
    tap,
  };
  let hidden = embed(run, batch);
  tap('embeddings', hidden);
  model.description.layers.forEach((layer, index) => {
    hidden = encoderLayer(run, { layer, name: `layer.${index}` }, hidden);
    tap(`layer.${index}`, hidden);
  });
  return hidden;
}

/** One vector per text from hidden states, `[batch, hidden]`, not normalised. */
export function pool(hidden: Float32Array, offsets: Int32Array, pooling: Pooling): Float32Array {
  const texts = offsets.length - 1;
  const width = hidden.length / (offsets[texts] as number);
  const pooled = new Float32Array(texts * width);
  for (let text = 0; text < texts; text++) {
    const [first, last] = pooledTokens(offsets, text, pooling);
    const count = last - first + 1;
    for (let column = 0; column < width; column++) {
      let sum = 0;
      for (let token = first; token <= last; token++) sum += hidden[token * width + column] as number;
      pooled[text * width + column] = sum / count;
    }
  }
  return pooled;
}

/** Raw logits of a classifier, `[batch, labels]`, from hidden states. Throws `TypeError` for a model without a head. */
export function classify(model: ReferenceModel, hidden: Float32Array, offsets: Int32Array): Float32Array {
  const { head } = model.description;
  if (head === null) throw new TypeError('The model has no classification head.');
  const first = pool(hidden, offsets, 'cls');
  const dense = onlyLinear(head.dense, first, offsets.length - 1, model.weights);
  const activate = headActivation(head);
  return onlyLinear(head.output, dense.map(activate), offsets.length - 1, model.weights);
}

interface Run extends ReferenceModel {
  offsets: Int32Array;
  linear: (call: LinearCall) => Float32Array[];
  tap: (name: string, values: Float32Array) => void;
}

function embed(run: Run, batch: TokenBatch): Float32Array {
  const { description } = run;
  const { hidden } = description;
  const words = tensor(run.weights, description.wordEmbeddings);
  const places = tensor(run.weights, description.positionEmbeddings);
  const types = description.typeEmbeddings === null ? null : tensor(run.weights, description.typeEmbeddings);
  const positions = positionIds(description, batch.inputIds, batch.offsets);
  const sum = new Float32Array(batch.inputIds.length * hidden);
  batch.inputIds.forEach((id, token) => {
    const position = positions[token] as number;
    const type = batch.typeIds?.[token] ?? 0;
    for (let column = 0; column < hidden; column++) {
      const segment = types === null ? 0 : (types[type * hidden + column] as number);
      sum[token * hidden + column] =
        (words[id * hidden + column] as number) + (places[position * hidden + column] as number) + segment;
    }
  });
  return normalise(run, sum, description.embeddingNorm);
}

function encoderLayer(run: Run, place: { layer: LayerNames; name: string }, input: Float32Array): Float32Array {
  const { layer, name } = place;
  const tokens = run.offsets.at(-1) as number;
  const apply = (names: readonly string[], values: Float32Array) => {
    run.tap(`${names[0]}.input`, values);
    return run.linear({ names, input: values, tokens });
  };
  const [qkvNames, outputNames, upNames, downNames] = linearGroups(layer) as [string[], string[], string[], string[]];
  const [query, key, value] = apply(qkvNames, input) as [Float32Array, Float32Array, Float32Array];
  const context = attention(run, { query, key, value });
  run.tap(`${name}.attention`, context);
  const [projected] = apply(outputNames, context) as [Float32Array];
  const middle = normalise(run, add(projected, input), layer.attentionNorm);
  run.tap(`${name}.middle`, middle);
  const [up] = apply(upNames, middle) as [Float32Array];
  const [down] = apply(downNames, activate(up, run.description.activation)) as [Float32Array];
  return normalise(run, add(down, middle), layer.outputNorm);
}

interface Heads {
  query: Float32Array;
  key: Float32Array;
  value: Float32Array;
}

/** Softmax(q·k / √d + bias) · v for every text and head, `[tokens, hidden]`. */
function attention(run: Run, heads: Heads): Float32Array {
  const { description, offsets } = run;
  const context = new Float32Array(heads.query.length);
  const { relativeBias } = description;
  const table = relativeBias === null ? null : tensor(run.weights, relativeBias.table);
  for (let text = 0; text + 1 < offsets.length; text++) {
    const first = offsets[text] as number;
    const tokens = (offsets[text + 1] as number) - first;
    const buckets = relativeBias === null ? null : distanceBuckets(relativeBias, tokens);
    for (let head = 0; head < description.heads; head++) {
      const bias =
        buckets === null || table === null
          ? null
          : (query: number, key: number) =>
              table[(buckets[key - query + tokens - 1] as number) * description.heads + head] as number;
      attendHead(description, heads, { first, tokens, head, bias }, context);
    }
  }
  return context;
}

interface HeadSlice {
  first: number;
  tokens: number;
  head: number;
  bias: ((query: number, key: number) => number) | null;
}

function attendHead(description: EncoderDescription, heads: Heads, slice: HeadSlice, context: Float32Array): void {
  const { hidden, headSize } = description;
  const { first, tokens, head, bias } = slice;
  const scale = 1 / Math.sqrt(headSize);
  const start = (token: number) => (first + token) * hidden + head * headSize;
  const scores = new Float64Array(tokens);
  for (let query = 0; query < tokens; query++) {
    const queryStart = start(query);
    for (let key = 0; key < tokens; key++) {
      const keyStart = start(key);
      let sum = 0;
      for (let d = 0; d < headSize; d++) {
        sum += (heads.query[queryStart + d] as number) * (heads.key[keyStart + d] as number);
      }
      scores[key] = sum * scale + (bias === null ? 0 : bias(query, key));
    }
    softmax(scores);
    for (let d = 0; d < headSize; d++) {
      let sum = 0;
      for (let key = 0; key < tokens; key++) {
        sum += (scores[key] as number) * (heads.value[start(key) + d] as number);
      }
      context[queryStart + d] = sum;
    }
  }
}

function normalise(run: Run, values: Float32Array, names: NormNames): Float32Array {
  const gamma = tensor(run.weights, names.weight);
  const beta = tensor(run.weights, names.bias);
  return layerNorm(values, { gamma, beta, epsilon: run.description.epsilon });
}

function linears(call: LinearCall, weights: WeightMap): Float32Array[] {
  return call.names.map((name) => onlyLinear(name, call.input, call.tokens, weights));
}

function onlyLinear(name: string, input: Float32Array, tokens: number, weights: WeightMap): Float32Array {
  return linear(input, tensor(weights, `${name}.weight`), weights.get(`${name}.bias`) ?? null, tokens);
}

function pooledTokens(offsets: Int32Array, text: number, pooling: Pooling): [number, number] {
  const first = offsets[text] as number;
  const last = (offsets[text + 1] as number) - 1;
  if (pooling === 'cls') return [first, first];
  return pooling === 'last_token' ? [last, last] : [first, last];
}

function headActivation(head: HeadNames): (x: number) => number {
  return head.activation === 'tanh' ? Math.tanh : (x) => Math.max(0, x);
}

function tensor(weights: WeightMap, name: string): Float32Array {
  const values = weights.get(name);
  if (values === undefined) throw new TypeError(`The reference was given no tensor "${name}".`);
  return values;
}
