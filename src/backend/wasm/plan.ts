/**
 * One model as it lies in the engine's memory: sizes and addresses. Plain data, so that threads get a copy; owns neither
 * the weights nor the arithmetic.
 */

/**
 * How a linear's products are computed: f32, 16-bit inputs and weights (`w16`), 16-bit inputs and 8-bit weights (`i16`),
 * or 7-bit inputs and 8-bit weights in one of four forms (see `gemm-u7.ts`).
 */
export type GemmForm = 'f32' | 'w16' | 'i16' | 'add' | 'single' | 'pair' | 'quad';

/** How attention's products are computed: f32, or 16-bit numbers (see `attention-words.ts`). */
export type AttentionForm = 'floats' | 'words';

/** A packed linear. */
export interface LinearPlan {
  /** Address of its structure, see `kernels/layout.ts`. */
  address: number;
  form: GemmForm;
  /** Panels of 8 output columns. */
  panels: number;
  /** Input columns, padding included. */
  width: number;
  /** Input columns that share a scale. */
  block: number;
}

export interface LayerPlan {
  /** Query, key and value: `3 * heads` groups of `depth` columns. */
  qkv: LinearPlan;
  attentionOutput: LinearPlan;
  /** Address of gamma and beta, `stride` values each. */
  attentionNorm: number;
  up: LinearPlan;
  down: LinearPlan;
  outputNorm: number;
}

export interface HeadPlan {
  dense: LinearPlan;
  activation: number;
  output: LinearPlan;
  labels: number;
}

export interface ModelPlan {
  hidden: number;
  /** Columns of a row of hidden values: `hidden` rounded up to 16, zeros behind. */
  stride: number;
  heads: number;
  headSize: number;
  /** `headSize` rounded up to 8: every head's columns begin a new panel. */
  depth: number;
  /** Rounded up to 16. */
  intermediate: number;
  epsilon: number;
  /** One of the ACTIVATION constants. */
  activation: number;
  attention: AttentionForm;
  maxTokens: number;
  vocabSize: number;
  typeCount: number;
  /** Addresses of the embedding tables; 0: the model has none. */
  words: number;
  positions: number;
  types: number;
  embeddingNorm: number;
  layers: LayerPlan[];
  /** Relative attention biases: address of the first head's distance 0 (times log2 e) and bytes between heads. */
  bias: { address: number; strideBytes: number } | null;
  head: HeadPlan | null;
}

/** Bytes of one value of a linear's quantised input. */
export function inputBytes(form: GemmForm): number {
  if (form === 'f32') return 4;
  return isI16(form) ? 2 : 1;
}

/** Whether a form takes symmetric inputs of 16 bits. */
export function isI16(form: GemmForm): boolean {
  return form === 'i16' || form === 'w16';
}

/** Bytes of one packed weight. */
export function weightBytes(form: GemmForm): number {
  if (form === 'f32') return 4;
  return form === 'w16' ? 2 : 1;
}

/** Scales of one row of a linear's input. */
export function blockCount(linear: LinearPlan): number {
  return Math.ceil(linear.width / linear.block);
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
