/**
 * Measures every kernel of the WASM engine by itself, in the shapes of all-MiniLM-L6-v2 at 128 tokens. Runs in a worker of
 * a browser. A product's peak is the same inner product over data in the first-level cache with hardly any epilogue.
 */
import { loadKernels } from '../../src/backend/wasm/assets.js';
import { detectLevel } from '../../src/backend/wasm/features.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import * as layout from '../../src/backend/wasm/kernels/layout.js';
import { instantiate, type Kernels } from '../../src/backend/wasm/kernels.js';
import { isU7, LinearPacker, type LinearShape } from '../../src/backend/wasm/pack.js';
import type { GemmForm, LinearPlan } from '../../src/backend/wasm/plan.js';
import { attentionBytes } from '../../src/backend/wasm/scratch.js';

export interface KernelResult {
  kernel: string;
  /** Best time of one call, in microseconds. */
  microseconds: number;
  /** Billions of multiplications and additions a second; null for kernels that are not products. */
  gops: number | null;
  /** Share of the peak of the same inner product, 0 to 1. */
  peakShare: number | null;
  /** Calls of it in one text of 128 tokens; 0 for what the model does not use. */
  calls: number;
}

const layers = 6;
const heads = 12;
const headSize = 32;
const hidden = 384;
const wide = 1536;
const tokens = 128;
/** Rows that the engine puts through a linear at a time. */
const rows = 128;

interface Bench {
  heap: Heap;
  kernels: Kernels;
}

/** All kernels in the form that is named, best of many calls each. */
async function measureKernels(form: GemmForm, assetsUrl: string): Promise<KernelResult[]> {
  const module = await loadKernels(detectLevel(), { shared: false, assetsUrl });
  const open = (): Bench => {
    const heap = new Heap(createMemory(false));
    return { heap, kernels: instantiate(module, heap.memory) };
  };
  const peak = measureProduct(open(), { form, rows: 16, width: 1024, columns: 8, block: 1024 });
  const chunks = (tokens / rows) * layers;
  const linears = [
    ['query, key, value', hidden, 3 * hidden],
    ['attention output', hidden, hidden],
    ['up', hidden, wide],
    ['down', wide, hidden],
  ] as const;
  const products = linears.map(([name, width, columns]) => {
    const { microseconds, gops } = measureProduct(open(), { form, rows, width, columns, block: 128 });
    return {
      kernel: `${form} ${name} ${rows}x${width}x${columns}`,
      microseconds,
      gops,
      peakShare: gops / peak.gops,
      calls: chunks,
    };
  });
  const f32Peak = measureProduct(open(), { form: 'f32', rows: 16, width: 256, columns: 8, block: 256 });
  return [
    { kernel: `${form} peak`, ...peak, peakShare: 1, calls: 0 },
    ...products,
    { kernel: 'f32 peak', ...f32Peak, peakShare: 1, calls: 0 },
    measureAttention(open(), { words: isU7(form), peakGops: f32Peak.gops }),
    ...measureRows(open(), form, chunks),
  ];
}

/** Fills a linear and its input with numbers of ordinary size. */
function makeLinear({ heap }: Bench, shape: Omit<LinearShape, 'smooth'>): LinearPlan {
  const packer = new LinearPacker(heap, { ...shape, smooth: false });
  const weights = new Float32Array(shape.width);
  for (let column = 0; column < shape.columns; column++) {
    for (let k = 0; k < weights.length; k++) weights[k] = Math.sin(k * 13.7 + column * 7.1);
    packer.writeFloats(column, weights);
  }
  return packer.plan;
}

function fill(heap: Heap, address: number, count: number): void {
  for (let i = 0; i < count; i++) heap.f32[address / 4 + i] = Math.cos(i * 3.3);
}

function measureProduct(
  bench: Bench,
  shape: { form: GemmForm; rows: number; width: number; columns: number; block: number },
): { microseconds: number; gops: number } {
  const { heap, kernels } = bench;
  const { form, width, columns } = shape;
  const { address, panels, block } = makeLinear(bench, shape);
  const x = heap.allocate(shape.rows * width * 4);
  const input = heap.allocate(shape.rows * width * 2);
  const params = heap.allocate(shape.rows * Math.ceil(width / block) * 8);
  const out = heap.allocate(shape.rows * columns * 4);
  fill(heap, x, shape.rows * width);
  kernels.quantize(x, width * 4, shape.rows, 0, address, 0, width, input, params);
  const from = form === 'f32' ? x : input;
  const gemm = kernels.gemm[form];
  const microseconds = best(() => gemm(address, from, params, out, shape.rows, columns * 4, 32, 0, panels));
  return { microseconds, gops: (2 * shape.rows * width * columns) / microseconds / 1e3 };
}

/** In the form that the engine takes on x86; the peak is that of floats. */
function measureAttention(
  { heap, kernels }: Bench,
  { words, peakGops }: { words: boolean; peakGops: number },
): KernelResult {
  const panelRows = tokens + 8;
  const part = heads * headSize * panelRows * 4;
  const qkv = heap.allocate(3 * part);
  fill(heap, qkv, (3 * part) / 4);
  const out = heap.allocate(tokens * hidden * 4);
  const scratch = heap.allocate(attentionBytes(tokens, headSize));
  const job = heap.allocate(layout.ATTEND_BYTES);
  const fields = [
    [layout.ATTEND_QUERY, qkv],
    [layout.ATTEND_KEY, qkv + part],
    [layout.ATTEND_VALUE, qkv + 2 * part],
    [layout.ATTEND_PANEL_STRIDE, panelRows * 32],
    [layout.ATTEND_TOKENS, tokens],
    [layout.ATTEND_LAST, tokens],
    [layout.ATTEND_HEADS, heads],
    [layout.ATTEND_HEAD_SIZE, headSize],
    [layout.ATTEND_OUT, out],
    [layout.ATTEND_OUT_STRIDE, hidden * 4],
    [layout.ATTEND_SCRATCH, scratch],
  ] as const;
  for (const [field, value] of fields) heap.i32[(job + field) / 4] = value;
  heap.f32[(job + layout.ATTEND_SCALE) / 4] = Math.LOG2E / Math.sqrt(headSize);
  const attend = words ? kernels.attendWords : kernels.attend;
  const microseconds = best(() => attend(job));
  const gops = (4 * tokens * tokens * hidden) / microseconds / 1e3;
  const kernel = `attention ${words ? 'in 16 bits ' : ''}${tokens} tokens`;
  return { kernel, microseconds, gops, peakShare: gops / peakGops, calls: layers };
}

/** What goes over rows value by value. */
function measureRows(bench: Bench, form: GemmForm, chunks: number): KernelResult[] {
  const { heap, kernels } = bench;
  const narrow = makeLinear(bench, { form, columns: 8, width: hidden, block: 128 }).address;
  const down = makeLinear(bench, { form, columns: 8, width: wide, block: 128 }).address;
  const [x, residual] = [heap.allocate(rows * hidden * 4), heap.allocate(rows * hidden * 4)];
  const norm = heap.allocate(hidden * 8);
  const input = heap.allocate(rows * wide * 4);
  const params = heap.allocate(rows * 12 * 8);
  const upWidth = 256;
  const up = heap.allocate(rows * upWidth * 4);
  fill(heap, x, rows * hidden);
  fill(heap, up, rows * upWidth);
  const row = (kernel: string, calls: number, work: () => void): KernelResult => ({
    kernel: `${kernel} ${rows} rows`,
    microseconds: best(work),
    gops: null,
    peakShare: null,
    calls,
  });
  return [
    row('residual, norm, quantise', 2 * chunks, () =>
      kernels.normalize(x, residual, norm, 1e-12, residual, rows, hidden, hidden * 4, narrow, input, params),
    ),
    row('quantise', chunks, () => kernels.quantize(x, hidden * 4, rows, 0, narrow, 0, hidden, input, params)),
    row(`GELU, quantise ${upWidth} columns`, chunks * (wide / upWidth), () =>
      kernels.quantize(up, upWidth * 4, rows, layout.ACTIVATION_GELU, down, 0, upWidth, input, params),
    ),
  ];
}

const rounds = 60;
const roundMs = 3;

/** Microseconds of the fastest round; the first rounds also let the host optimise the code. */
function best(work: () => void): number {
  let fastest = Number.POSITIVE_INFINITY;
  let count = 1;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < count; i++) work();
    const elapsed = performance.now() - start;
    if (elapsed < roundMs) count = Math.max(count + 1, Math.ceil((count * roundMs) / Math.max(elapsed, 0.1)));
    else fastest = Math.min(fastest, elapsed / count);
  }
  return fastest * 1e3;
}

interface Request {
  form: GemmForm;
  assetsUrl: string;
}

self.onmessage = async ({ data }: MessageEvent<Request>) => {
  try {
    self.postMessage({ results: await measureKernels(data.form, data.assetsUrl) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
