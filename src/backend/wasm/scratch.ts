/** The working memory of one forward pass: which buffers there are, how large, and where. */
import { ATTEND_BYTES, QUERY_ROWS } from './kernels/layout.js';
import { blockCount, inputBytes, type LinearPlan, type ModelPlan, roundUp } from './plan.js';

/** Rows that go through the row-wise part of a layer together: their buffers stay in the second-level cache. */
export const chunkRows = 128;
/** Columns of the intermediate layer that are activated and quantised together, at least. */
const upColumns = 256;

/** Addresses of the buffers; `rows` counts tokens, rounded up to 4. */
export interface Scratch {
  rows: number;
  /** i32 `[rows]` each. */
  ids: number;
  typeIds: number;
  positionIds: number;
  /** f32 `[rows, stride]`. */
  hidden: number;
  context: number;
  /** f32 panels `[3 * heads * depth / 8, panelRows, 8]`, twice when threads share them. */
  qkv: [number, number];
  panelRows: number;
  /** f32 `[chunkRows, stride]`. */
  projected: number;
  middle: number;
  /** f32 `[chunkRows, upColumns]`. */
  up: number;
  upColumns: number;
  /** Quantised inputs of `chunkRows` rows and their scales, for linears over hidden values and over the intermediate. */
  input: number;
  inputParams: number;
  wideInput: number;
  wideParams: number;
  /** What the `attend` kernel is given, and its own scratch. */
  job: number;
  attention: number;
  /** f32 `[4, stride]` twice: inputs and results of a classification head, and pooled rows. */
  pooled: number;
  dense: number;
}

/** What a forward pass works on. */
export interface Pass {
  offsets: Int32Array;
  scratch: Scratch;
  /** One row a text, the only ones that are read afterwards; null: all rows are. */
  picked: Int32Array | null;
}

export interface ScratchSize {
  /** Tokens of the pass. */
  tokens: number;
  /** Tokens of its longest text. */
  longest: number;
  /** Threads that work on it together. */
  threads: number;
}

/** Places the buffers of a pass from `base` on: what its threads share once, the rest for each of them. */
export function placeScratch(plan: ModelPlan, size: ScratchSize, base: number): { threads: Scratch[]; end: number } {
  let end = base;
  const place = (bytes: number): number => {
    const address = end;
    end += roundUp(bytes, 64);
    return address;
  };
  const rows = roundUp(size.tokens, 4);
  const rowBytes = plan.stride * 4;
  const panelRows = rows + 8;
  const qkvBytes = 3 * plan.heads * plan.depth * panelRows * 4;
  const shared = {
    rows,
    ids: place(rows * 4),
    typeIds: place(rows * 4),
    positionIds: place(rows * 4),
    hidden: place(rows * rowBytes),
    context: place(rows * rowBytes),
    panelRows,
  };
  const first = place(qkvBytes);
  const qkv: [number, number] = [first, size.threads > 1 ? place(qkvBytes) : first];
  const threads = Array.from({ length: size.threads }, () => ({ ...shared, qkv, ...placeOwn(plan, size, place) }));
  return { threads, end };
}

type SharedBuffers = 'rows' | 'ids' | 'typeIds' | 'positionIds' | 'hidden' | 'context' | 'panelRows' | 'qkv';
type OwnBuffers = Omit<Scratch, SharedBuffers>;

/** Working memory of attention in either form, for a text of so many tokens and heads of so many columns. */
export function attentionBytes(tokens: number, depth: number): number {
  const rows = roundUp(tokens, 8);
  return (QUERY_ROWS + rows) * depth * 4 + QUERY_ROWS * rows * 4 + QUERY_ROWS * 36;
}

/** Buffers that every thread needs for itself. */
function placeOwn(plan: ModelPlan, size: ScratchSize, place: (bytes: number) => number): OwnBuffers {
  const rows = Math.min(chunkRows, roundUp(size.tokens, 4));
  const rowBytes = plan.stride * 4;
  const { columns, narrow, wide } = widthsOf(plan);
  return {
    projected: place(rows * rowBytes),
    middle: place(rows * rowBytes),
    up: place(rows * columns * 4),
    upColumns: columns,
    input: place(rows * narrow.inputBytes),
    inputParams: place(rows * narrow.paramBytes),
    wideInput: place(rows * wide.inputBytes),
    wideParams: place(rows * wide.paramBytes),
    job: place(ATTEND_BYTES),
    attention: place(attentionBytes(size.longest, plan.depth)),
    pooled: place(4 * rowBytes),
    dense: place(4 * rowBytes),
  };
}

/** What a row takes at most, as input of any linear of a kind. */
interface RowWidths {
  inputBytes: number;
  paramBytes: number;
}

interface PlanWidths {
  /** Of the intermediate layer that are activated together. */
  columns: number;
  /** Linears over hidden values, and over the intermediate ones. */
  narrow: RowWidths;
  wide: RowWidths;
}

/** By plan: a short text is placed in less time than all layers are looked through. */
const widths = new WeakMap<ModelPlan, PlanWidths>();

function widthsOf(plan: ModelPlan): PlanWidths {
  const known = widths.get(plan);
  if (known) return known;
  const block = Math.max(1, ...plan.layers.map(({ down }) => down.block));
  const found = {
    columns: Math.min(plan.intermediate, roundUp(upColumns, block)),
    narrow: rowWidths(plan.layers.flatMap(({ qkv, attentionOutput, up }) => [qkv, attentionOutput, up])),
    wide: rowWidths(plan.layers.map(({ down }) => down)),
  };
  widths.set(plan, found);
  return found;
}

function rowWidths(linears: readonly LinearPlan[]): RowWidths {
  return {
    inputBytes: most(linears, (linear) => linear.width * inputBytes(linear.form)),
    paramBytes: most(linears, blockCount) * 8,
  };
}

function most(linears: readonly LinearPlan[], measure: (linear: LinearPlan) => number): number {
  return Math.max(0, ...linears.map(measure));
}
