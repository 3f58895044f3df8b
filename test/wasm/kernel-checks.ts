/**
 * Every kernel against plain arithmetic, over shapes, tails and extreme values. Runs where the kernels run: in Node for
 * plain SIMD, in Chromium's worker for relaxed SIMD. Each check returns what is wrong, nothing when all is right.
 */
import { type Channel, laneLimit, laneSpan, largestLaneSum, quantizeWords } from '../../src/backend/wasm/channel.js';
import { CodePacker } from '../../src/backend/wasm/code-packer.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import * as layout from '../../src/backend/wasm/kernels/layout.js';
import { instantiate, type Kernels } from '../../src/backend/wasm/kernels.js';
import { isU7, LinearPacker } from '../../src/backend/wasm/pack.js';
import { type AttentionForm, type GemmForm, inputBytes, isI16, roundUp } from '../../src/backend/wasm/plan.js';
import { activate, layerNorm, softmax } from '../../src/backend/wasm/reference-math.js';
import { attentionBytes } from '../../src/backend/wasm/scratch.js';

interface Bench {
  heap: Heap;
  kernels: Kernels;
}

export interface GemmShape {
  form: GemmForm;
  rows: number;
  width: number;
  columns: number;
  block: number;
}

function open(module: WebAssembly.Module): Bench {
  const heap = new Heap(createMemory(false));
  return { heap, kernels: instantiate(module, heap.memory) };
}

/** A small generator with a fixed seed: tests repeat themselves. */
function numbers(seed: number): () => number {
  let state = seed * 2_654_435_761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/**
 * Integer products must be exact: no scales but those of the weights, no bias. Sums are below 2^24, so that f32 holds them; those of `w16` go
 * up to 2^31 and are rounded once a block.
 */
export function checkExactProducts(module: WebAssembly.Module, shape: GemmShape): string[] {
  const { heap, kernels } = open(module);
  const { form, rows, width, columns } = shape;
  const random = numbers(rows * 1_000 + width + columns);
  const packer = new LinearPacker(heap, { ...shape, columns: roundUp(columns, 8), smooth: false });
  const weights = Array.from({ length: columns }, (_, column) => {
    if (form === 'w16') return writeWords(packer, width, column, random);
    const channel = codes(form, width, column, random);
    packer.writeCodes(column, channel);
    return { codes: channel, scale: 1 };
  });
  const most = largestInput(form, packer.plan.block);
  const least = isU7(form) ? 0 : -most;
  const padded = roundUp(rows, 4);
  const inputs = Array.from({ length: rows * width }, (_, i) =>
    i < width ? most : Math.round(least + random() * (most - least)),
  );
  const input = writeInputs(heap, { form, inputs, rows: padded, width, stride: packer.plan.width });
  const params = heap.allocate(padded * Math.ceil(packer.plan.width / 16) * 8);
  for (let i = 0; i < padded * Math.ceil(packer.plan.width / 16); i++) heap.f32[params / 4 + i * 2] = 1;
  const out = heap.allocate(padded * packer.plan.panels * 32);
  const { address, panels } = packer.plan;
  kernels.gemm[form](address, input, params, out, padded, panels * 32, 32, 0, panels);
  const wrong: string[] = [];
  for (let row = 0; row < rows; row++) {
    weights.forEach((channel, column) => {
      const sum = sumBlocks(channel.codes, inputs.slice(row * width, (row + 1) * width), packer.plan.block);
      const expected = Math.fround(sum * Math.fround(channel.scale));
      const actual = heap.f32[out / 4 + row * panels * 8 + column];
      if (actual !== expected)
        wrong.push(`${form} ${rows}x${width}x${columns} [${row}, ${column}]: ${actual}, not ${expected}`);
    });
  }
  return wrong.slice(0, 5);
}

/** Channels that are packed together lie as if they had come one by one, also those that are too large for their lanes. */
export function checkPacking(module: WebAssembly.Module, shape: Omit<GemmShape, 'rows'>): string[] {
  const { form, width, columns } = shape;
  const random = numbers(width + columns);
  const wrong: string[] = [];
  for (const size of [20, 127]) {
    const channels = Int8Array.from({ length: columns * width }, () => Math.round((random() * 2 - 1) * size));
    // One column of one sign, whose sums are the largest.
    channels.fill(size, width, 2 * width);
    channels.fill(-size, 2 * width, 3 * width);
    const images = [true, false].map((together) => {
      const { heap, kernels } = open(module);
      const codePacker = new CodePacker(heap, kernels.pack, channels.length);
      const start = heap.usedBytes;
      // Rows begin in the middle of a panel.
      const packer = new LinearPacker(heap, { ...shape, columns: roundUp(columns + 3, 8), smooth: false });
      packer.writeRows(3, channels, together ? codePacker : null);
      return heap.i8.slice(start, heap.usedBytes);
    });
    const at = (images[0] as Int8Array).findIndex((byte, index) => byte !== images[1]?.[index]);
    if (at >= 0) wrong.push(`packing ${form} ${width}x${columns}, codes up to ${size}: byte ${at} differs`);
  }
  return wrong;
}

/** The sum of all products, exact within blocks and rounded to f32 at the end of each. */
function sumBlocks(codes: Int8Array | Int16Array, inputs: readonly number[], block: number): number {
  let total = 0;
  for (let start = 0; start < inputs.length; start += block) {
    let sum = 0;
    for (let k = start; k < Math.min(inputs.length, start + block); k++)
      sum += (codes[k] as number) * (inputs[k] as number);
    total = Math.fround(total + Math.fround(sum));
  }
  return total;
}

/** Packs weights of one size, whose blocks are as long as they may be, then one large one among small ones, then any. */
function writeWords(packer: LinearPacker, width: number, column: number, random: () => number): Channel<Int16Array> {
  const weights = Float32Array.from({ length: width }, (_, k) => {
    if (column < 2) return column === 0 ? 1 : -1;
    return column === 2 && k !== 3 ? 0.001 : random() - 0.5;
  });
  packer.writeFloats(column, weights);
  return quantizeWords(weights, packer.plan.block);
}

/** Codes at the form's limit, of one sign, then random ones that fit its lanes. */
function codes(form: GemmForm, width: number, column: number, random: () => number): Int8Array {
  const span = laneSpan(form);
  const most = span === 16 ? 32 : span === 8 ? 64 : 127;
  if (column === 0) return new Int8Array(width).fill(most);
  if (column === 1) return new Int8Array(width).fill(-most);
  // Two large weights of one sign meet in a lane, the others are small: the sum is at its limit.
  if (column === 2) return Int8Array.from({ length: width }, (_, k) => (k % 16 < 2 ? 127 : 0));
  const channel = Int8Array.from({ length: width }, () => Math.round((random() * 2 - 1) * 127));
  while (span > 0 && largestLaneSum(channel, span) > laneLimit) {
    channel.forEach((code, k) => {
      channel[k] = Math.trunc(code * 0.9);
    });
  }
  return channel;
}

// Sums that are not rounded to f32 at the end of a block must stay whole numbers below 2^24, so the inputs are small.
function largestInput(form: GemmForm, block: number): number {
  if (form === 'f32') return 60;
  if (form === 'w16') return Math.floor(layout.WORD_LENGTH / Math.sqrt(block));
  return form === 'i16' ? 100 : 127;
}

function writeInputs(
  heap: Heap,
  given: { form: GemmForm; inputs: readonly number[]; rows: number; width: number; stride: number },
): number {
  const { form, inputs, rows, width, stride } = given;
  const size = inputBytes(form);
  const address = heap.allocate(rows * stride * size);
  const view = form === 'f32' ? heap.f32 : isI16(form) ? heap.i16 : heap.i8;
  inputs.forEach((value, i) => {
    view[address / size + Math.floor(i / width) * stride + (i % width)] = value;
  });
  return address;
}

/** Quantised products stay within what the rounding of the inputs allows of the products in f64. */
export function checkQuantisedProducts(module: WebAssembly.Module, shape: GemmShape & { smooth: boolean }): string[] {
  const { heap, kernels } = open(module);
  const { form, rows, width, columns } = shape;
  const random = numbers(rows + width * 7 + columns);
  const packer = new LinearPacker(heap, { ...shape, columns: roundUp(columns, 8) });
  const multipliers = Float32Array.from({ length: width }, () => (shape.smooth ? 0.5 + random() : 1));
  const channels = Array.from({ length: columns }, (_, column) => {
    const channel = Int8Array.from({ length: width }, () => Math.round((random() * 2 - 1) * 30));
    packer.writeCodes(column, channel);
    packer.multiplyScale(column, 0.01);
    packer.setBias(column, column / 10);
    return channel;
  });
  if (shape.smooth) packer.setSmooth(multipliers);
  const padded = roundUp(rows, 4);
  const stride = packer.plan.width;
  const x = heap.allocate(padded * stride * 4);
  // Blocks of very different sizes, and one row that is constant.
  const values = Array.from({ length: rows * width }, (_, i) =>
    i < width ? 3 : (random() - 0.3) * ((i % width) % 256 < 128 ? 1 : 20),
  );
  values.forEach((value, i) => {
    heap.f32[x / 4 + Math.floor(i / width) * stride + (i % width)] = value;
  });
  const input = heap.allocate(padded * stride * 4);
  const params = heap.allocate(padded * Math.ceil(stride / packer.plan.block) * 8);
  const { address, panels } = packer.plan;
  kernels.quantize(x, stride * 4, padded, layout.ACTIVATION_NONE, address, 0, stride, input, params);
  const out = heap.allocate(padded * panels * 32);
  kernels.gemm[form](address, form === 'f32' ? x : input, params, out, padded, panels * 32, 32, 0, panels);
  const wrong: string[] = [];
  for (let row = 0; row < rows; row++) {
    const scaled = values.slice(row * width, (row + 1) * width).map((value, k) => value * (multipliers[k] as number));
    const bound = roundingBound(scaled, packer.plan.block, form);
    channels.forEach((channel, column) => {
      const exact = scaled.reduce((sum, value, k) => sum + value * (channel[k] as number) * 0.01, column / 10);
      const size = channel.reduce((sum, code, k) => sum + Math.abs(code) * (bound[k] as number) * 0.01, 1e-4);
      const actual = heap.f32[out / 4 + row * panels * 8 + column] as number;
      if (!(Math.abs(actual - exact) <= size))
        wrong.push(`${form} ${rows}x${width} [${row}, ${column}]: ${actual}, not ${exact} ± ${size}`);
    });
  }
  return wrong.slice(0, 5);
}

/** Half a step of every value, and some for f32. */
function roundingBound(values: readonly number[], block: number, form: GemmForm): number[] {
  const padded = [...values, ...new Array<number>(roundUp(values.length, 16) - values.length).fill(0)];
  const half = (part: readonly number[]): number => {
    if (form === 'f32') return 1e-5;
    if (isI16(form)) return wordStep(form === 'i16' ? padded : part) * 0.51 + 1e-6;
    return ((Math.max(...part) - Math.min(...part)) / 127) * 0.51 + 1e-5;
  };
  const halves: number[] = [];
  for (let start = 0; start < padded.length; start += block) halves.push(half(padded.slice(start, start + block)));
  return values.map((_, k) => halves[Math.floor(k / block)] as number);
}

/** What a step of 16-bit inputs is worth in a block. */
function wordStep(block: readonly number[]): number {
  return Math.max(Math.max(...block.map(Math.abs)) / layout.WORD_LIMIT, Math.hypot(...block) / layout.WORD_LENGTH);
}

export interface AttentionShape {
  form: AttentionForm;
  tokens: number;
  heads: number;
  headSize: number;
  first: number;
  last: number;
  bias: boolean;
}

/** Attention of one text among other rows, against softmax in f64. */
export function checkAttention(module: WebAssembly.Module, shape: AttentionShape): string[] {
  const { heap, kernels } = open(module);
  const { tokens, heads, headSize, first, last } = shape;
  const random = numbers(tokens * 31 + headSize);
  const depth = roundUp(headSize, 8);
  const before = 3;
  const panelRows = roundUp(before + tokens + 5, 4) + 8;
  const part = heads * depth * panelRows;
  const qkv = heap.allocate(3 * part * 4);
  // NaN everywhere that is not this text's: nothing of it may be seen.
  heap.f32.fill(Number.NaN, qkv / 4, qkv / 4 + 3 * part);
  const at = (which: number, head: number, token: number, d: number): number =>
    qkv / 4 + which * part + (head * (depth / 8) + (d >> 3)) * panelRows * 8 + (before + token) * 8 + (d & 7);
  for (let which = 0; which < 3; which++) {
    for (let head = 0; head < heads; head++) {
      for (let token = 0; token < tokens; token++) {
        for (let d = 0; d < depth; d++) {
          heap.f32[at(which, head, token, d)] = d < headSize ? (random() - 0.5) * (which === 2 ? 2 : 6) : 0;
        }
      }
    }
  }
  const biasStride = roundUp(2 * tokens + 8, 16) * 4;
  const bias = heap.allocate(heads * biasStride);
  for (let i = 0; i < (heads * biasStride) / 4; i++) heap.f32[bias / 4 + i] = (random() - 0.5) * 2 * Math.LOG2E;
  const width = heads * headSize;
  const out = heap.allocate(tokens * width * 4);
  const scratch = heap.allocate(attentionBytes(tokens, depth));
  const job = heap.allocate(layout.ATTEND_BYTES);
  const start = (which: number): number => at(which, 0, 0, 0) * 4;
  const fields: [number, number][] = [
    [layout.ATTEND_QUERY, start(0)],
    [layout.ATTEND_KEY, start(1)],
    [layout.ATTEND_VALUE, start(2)],
    [layout.ATTEND_PANEL_STRIDE, panelRows * 32],
    [layout.ATTEND_TOKENS, tokens],
    [layout.ATTEND_HEADS, heads],
    [layout.ATTEND_HEAD_SIZE, headSize],
    [layout.ATTEND_OUT, out],
    [layout.ATTEND_OUT_STRIDE, width * 4],
    [layout.ATTEND_BIAS, shape.bias ? bias + (tokens - 1) * 4 : 0],
    [layout.ATTEND_BIAS_STRIDE, biasStride],
    [layout.ATTEND_SCRATCH, scratch],
    [layout.ATTEND_FIRST, first],
    [layout.ATTEND_LAST, last],
  ];
  for (const [field, value] of fields) heap.i32[(job + field) / 4] = value;
  heap.f32[(job + layout.ATTEND_SCALE) / 4] = Math.LOG2E / Math.sqrt(headSize);
  if (shape.form === 'words') kernels.attendWords(job);
  else kernels.attend(job);
  const { f32 } = heap;
  const wrong: string[] = [];
  for (let head = 0; head < heads; head++) {
    for (let row = first; row < last; row++) {
      const scores = Float64Array.from({ length: tokens }, (_, token) => {
        let sum = 0;
        for (let d = 0; d < headSize; d++)
          sum += (f32[at(0, head, row, d)] as number) * (f32[at(1, head, token, d)] as number);
        const learned = (f32[(bias + head * biasStride) / 4 + tokens - 1 + token - row] as number) / Math.LOG2E;
        return sum / Math.sqrt(headSize) + (shape.bias ? learned : 0);
      });
      softmax(scores);
      const bound = shape.form === 'floats' ? 2e-5 : wordsBound(scores, headSize);
      for (let d = 0; d < headSize; d++) {
        const expected = scores.reduce(
          (sum, weight, token) => sum + weight * (f32[at(2, head, token, d)] as number),
          0,
        );
        const actual = f32[out / 4 + row * width + head * headSize + d] as number;
        if (!(Math.abs(actual - expected) < bound))
          wrong.push(`${tokens} tokens, head ${head} [${row}, ${d}]: ${actual}, not ${expected} ± ${bound}`);
      }
    }
  }
  return wrong.slice(0, 5);
}

/**
 * What rounding may do to values up to 1 under queries and keys up to 3: half a step of every query, key, weight and
 * value, and the error of the exponentials, all at their worst. `weights` add up to 1.
 */
function wordsBound(weights: Float64Array, headSize: number): number {
  const depth = roundUp(headSize, 8);
  const limit = Math.min(32_767, Math.floor(Math.sqrt(2 ** 31 / depth)) - 1);
  const scores = (headSize * 3 * 3) / limit / Math.sqrt(headSize);
  const steps = (weights.length * Math.max(...weights)) / 2 ** layout.WEIGHT_BITS;
  return 2 * (scores + 1e-4) + 2 * steps + 1 / layout.VALUE_LIMIT;
}

/** Layer norm of x + residual, with padding columns, against f64. */
export function checkNorm(module: WebAssembly.Module, shape: { rows: number; width: number; mean: number }): string[] {
  const { heap, kernels } = open(module);
  const { rows, width, mean } = shape;
  const random = numbers(rows + width);
  const stride = roundUp(width, 16);
  const [x, residual, out] = [0, 1, 2].map(() => heap.allocate(rows * stride * 4)) as [number, number, number];
  const norm = heap.allocate(stride * 8);
  const gamma = Float32Array.from({ length: width }, random);
  const beta = Float32Array.from({ length: width }, random);
  heap.f32.set(gamma, norm / 4);
  heap.f32.set(beta, norm / 4 + stride);
  const sum = new Float32Array(rows * width);
  for (let i = 0; i < rows * width; i++) {
    const at = Math.floor(i / width) * stride + (i % width);
    heap.f32[x / 4 + at] = random() + mean;
    heap.f32[residual / 4 + at] = random();
    sum[i] = (heap.f32[x / 4 + at] as number) + (heap.f32[residual / 4 + at] as number);
  }
  kernels.normalize(x, residual, norm, 1e-12, out, rows, width, stride * 4, 0, 0, 0);
  const expected = layerNorm(sum, { gamma, beta, epsilon: 1e-12 });
  const wrong: string[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < stride; column++) {
      const actual = heap.f32[out / 4 + row * stride + column] as number;
      const wanted = column < width ? (expected[row * width + column] as number) : 0;
      if (!(Math.abs(actual - wanted) < 1e-4 * (1 + Math.abs(mean))))
        wrong.push(`${width} [${row}, ${column}]: ${actual}, not ${wanted}`);
    }
  }
  return wrong.slice(0, 5);
}

/** The activations from -30 to 30, and zero. */
export function checkActivations(module: WebAssembly.Module): string[] {
  const { heap, kernels } = open(module);
  const packer = new LinearPacker(heap, { form: 'f32', columns: 8, width: 16, block: 16, smooth: false });
  const values = Float32Array.from({ length: 6_016 }, (_, i) => (i - 3_000) / 100);
  const x = heap.allocate(values.length * 4);
  const kinds = [
    ['gelu', layout.ACTIVATION_GELU],
    ['gelu_tanh', layout.ACTIVATION_GELU_TANH],
    ['relu', layout.ACTIVATION_RELU],
  ] as const;
  const wrong: string[] = [];
  for (const [name, code] of kinds) {
    heap.f32.set(values, x / 4);
    kernels.quantize(x, values.length * 4, 1, code, packer.plan.address, 0, values.length, 0, 0);
    activate(values, name).forEach((expected, i) => {
      const actual = heap.f32[x / 4 + i] as number;
      if (!(Math.abs(actual - expected) < 1e-5)) wrong.push(`${name}(${values[i]}): ${actual}, not ${expected}`);
    });
  }
  heap.f32.set(values, x / 4);
  kernels.quantize(x, values.length * 4, 1, layout.ACTIVATION_TANH, packer.plan.address, 0, values.length, 0, 0);
  values.forEach((value, i) => {
    const actual = heap.f32[x / 4 + i] as number;
    if (!(Math.abs(actual - Math.tanh(value)) < 1e-5)) wrong.push(`tanh(${value}): ${actual}, not ${Math.tanh(value)}`);
  });
  return [...wrong, ...checkRoughGelu(module)].slice(0, 5);
}

/** GELU where the result takes 7 bits: within 2.5e-4, and in place. */
function checkRoughGelu(module: WebAssembly.Module): string[] {
  const { heap, kernels } = open(module);
  const width = 6_016;
  const shape = { form: 'single', columns: 8, width, block: width, smooth: true } as const;
  const packer = new LinearPacker(heap, shape);
  packer.setSmooth(new Float32Array(width).fill(2));
  const values = Float32Array.from({ length: width }, (_, i) => (i - 3_000) / 300);
  const x = heap.allocate(width * 4);
  const input = heap.allocate(width);
  const params = heap.allocate(8);
  heap.f32.set(values, x / 4);
  kernels.quantize(x, width * 4, 1, layout.ACTIVATION_GELU, packer.plan.address, 0, width, input, params);
  const [scale, low] = heap.f32.subarray(params / 4, params / 4 + 2) as Float32Array & [number, number];
  const wrong: string[] = [];
  activate(values, 'gelu').forEach((expected, i) => {
    const actual = (heap.f32[x / 4 + i] as number) / 2;
    const level = ((heap.i8[input + i] as number) * scale + low) / 2;
    if (!(Math.abs(actual - expected) < 2.5e-4)) wrong.push(`rough gelu(${values[i]}): ${actual}, not ${expected}`);
    if (!(Math.abs(level - actual) < 0.26 * scale)) wrong.push(`level of ${values[i]}: ${level}, not ${actual}`);
  });
  return wrong;
}

/** Rows of embedding tables in all three sizes, added up. */
export function checkTables(module: WebAssembly.Module, width: number): string[] {
  const { heap, kernels } = open(module);
  const random = numbers(width);
  const stride = roundUp(width, 16);
  const rows = 5;
  const ids = heap.allocate(rows * 4);
  const out = heap.allocate(rows * stride * 4);
  heap.f32.fill(Number.NaN, out / 4, out / 4 + rows * stride);
  const expected = new Float64Array(rows * stride);
  [1, 2, 4].forEach((size, index) => {
    const table = heap.allocate(layout.TABLE_BYTES);
    const values = heap.allocate(rows * width * size);
    const scales = heap.allocate(rows * 4);
    heap.i32.set([values, scales, size], table / 4);
    const view = size === 1 ? heap.i8 : size === 2 ? heap.i16 : heap.f32;
    for (let row = 0; row < rows; row++) {
      const id = (row * 3 + index) % rows;
      heap.i32[ids / 4 + row] = id;
      const scale = size === 4 ? 1 : 2 ** -id;
      heap.f32[scales / 4 + id] = size === 4 ? Number.NaN : scale;
      for (let column = 0; column < width; column++) {
        const value = Math.round((random() - 0.5) * (size === 1 ? 255 : 65_535));
        view[values / size + id * width + column] = value;
        expected[row * stride + column] = (expected[row * stride + column] as number) + value * scale;
      }
    }
    kernels.embed(table, ids, rows, width, out, stride * 4, index);
  });
  const wrong: string[] = [];
  expected.forEach((sum, at) => {
    const actual = heap.f32[out / 4 + at] as number;
    if (actual !== sum) wrong.push(`table of ${width} columns [${at}]: ${actual}, not ${sum}`);
  });
  return wrong.slice(0, 5);
}

/** Everything that a build must get right, over the shapes where mistakes hide. */
export function checkAll(module: WebAssembly.Module, forms: readonly GemmForm[]): string[] {
  const wrong: string[] = [];
  for (const form of forms) {
    for (const [width, columns, block] of [
      [16, 5, 16],
      [22, 8, 32],
      [48, 24, 32],
      [400, 16, 128],
    ] as const) {
      wrong.push(...checkPacking(module, { form, width, columns, block }));
    }
    for (const rows of [1, 2, 3, 4, 5, 31, 66]) {
      for (const [width, columns, block] of [
        [16, 8, 16],
        [48, 24, 32],
        [64, 12, 64],
        [128, 16, 32],
        [320, 40, 128],
        [384, 16, 128],
        [400, 8, 128],
      ] as const) {
        wrong.push(...checkExactProducts(module, { form, rows, width, columns, block }));
        for (const smooth of [false, true]) {
          wrong.push(...checkQuantisedProducts(module, { form, rows, width, columns, block, smooth }));
        }
      }
    }
  }
  for (const tokens of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 33, 64, 127, 512]) {
    for (const [heads, headSize] of [
      [2, 16],
      [1, 32],
      [2, 12],
      [1, 5],
      [1, 64],
    ] as const) {
      for (const form of ['floats', 'words'] as const) {
        const whole = { form, tokens, heads, headSize, first: 0, last: tokens };
        wrong.push(...checkAttention(module, { ...whole, bias: false }));
        wrong.push(...checkAttention(module, { ...whole, bias: true, first: Math.floor(tokens / 3) }));
      }
    }
  }
  for (const width of [5, 16, 20, 64, 312, 384]) {
    for (const mean of [0, 30]) wrong.push(...checkNorm(module, { rows: 5, width, mean }));
  }
  for (const width of [5, 16, 24, 384]) wrong.push(...checkTables(module, width));
  wrong.push(...checkActivations(module));
  return wrong;
}
