// Where the kernels find what they are given: field offsets of the structures that the engine writes. Read by both sides,
// AssemblyScript and TypeScript, so without types that only one of them knows. All addresses are bytes in the imported
// memory; the modules have no static data, so that instances can share it.

// Constant vectors of 16 bytes, written by `heap.ts`. They are loaded and not spelled as constants, because V8 builds a
// constant vector anew wherever it is used, with three instructions, also inside a loop.
/** Sixteen-bit ones. */
export const ONES = 64;
/** 0x7f in every 32-bit lane. */
export const LEVEL_MASK = 80;
/** f32 from here on; `constants.ts` has the values. */
export const ROUNDER = 96;
export const LEAST_EXPONENT = 112;
export const EXP2_5 = 128;
export const EXP2_4 = 144;
export const EXP2_3 = 160;
export const EXP2_2 = 176;
export const EXP2_1 = 192;
export const ONE = 208;
export const HALF = 224;
export const ERF_LIMIT = 240;
export const ERF_MINUS_LIMIT = 256;
export const ERF_P4 = 272;
export const ERF_P3 = 288;
export const ERF_P2 = 304;
export const ERF_P1 = 320;
export const ERF_P0 = 336;
export const ERF_Q5 = 352;
export const ERF_Q4 = 368;
export const ERF_Q3 = 384;
export const ERF_Q2 = 400;
export const ERF_Q1 = 416;
export const TANH_LIMIT = 432;
export const TWO_LOG2_E = 448;
export const TWO = 464;
export const TANH_INNER = 480;
export const TANH_CUBE = 496;
/** |x| (1 - Phi(|x|)) on [0, TAIL_LIMIT], absolute error 1e-4. */
export const TAIL_LIMIT = 512;
export const TAIL_7 = 528;
export const TAIL_6 = 544;
export const TAIL_5 = 560;
export const TAIL_4 = 576;
export const TAIL_3 = 592;
export const TAIL_2 = 608;
export const TAIL_1 = 624;
export const TAIL_0 = 640;
/** 2^x on [-0.5, 0.5], relative error 8e-5. */
export const ROUGH_EXP2_3 = 656;
export const ROUGH_EXP2_2 = 672;
export const ROUGH_EXP2_1 = 688;
export const ROUGH_EXP2_0 = 704;

// A packed linear: panels of 8 output columns.
export const LINEAR_WEIGHTS = 0;
/** Per panel 8 scales and 8 biases, f32. */
export const LINEAR_COLUMNS = 4;
/** Per panel and block 8 column sums, f32. */
export const LINEAR_SUMS = 8;
/** Input width, a multiple of 16. */
export const LINEAR_WIDTH = 12;
/** Columns of the input that share one scale, a multiple of 16. */
export const LINEAR_BLOCK = 16;
export const LINEAR_BLOCKS = 20;
/** Multipliers of the input before it is quantised, f32, or 0. */
export const LINEAR_SMOOTH = 24;
/** How the input is stored: one of the INPUT constants. */
export const LINEAR_INPUT = 28;
export const LINEAR_BYTES = 32;

export const INPUT_F32 = 0;
export const INPUT_U7 = 1;
export const INPUT_I16 = 2;

// Blocks of 16-bit numbers, inputs and weights alike.
/** The largest size of a number. */
export const WORD_LIMIT = 32767;
/**
 * The largest length (root of the sum of squares) of a block before it is rounded. The sum of products of two blocks is
 * at most the product of their lengths, which stays below 2^31: rounding adds half the root of the count, at most 40.
 */
export const WORD_LENGTH = 46300;

// An embedding table.
export const TABLE_VALUES = 0;
/** One f32 a row for tables of whole numbers, or 0 for tables of f32. */
export const TABLE_SCALES = 4;
/** Bytes of one value: 1, 2 or 4. */
export const TABLE_SIZE = 8;
export const TABLE_BYTES = 12;

// What attention needs of one text, for all heads.
export const ATTEND_QUERY = 0;
export const ATTEND_KEY = 4;
export const ATTEND_VALUE = 8;
/** Bytes from one panel of 8 columns to the next. */
export const ATTEND_PANEL_STRIDE = 12;
export const ATTEND_TOKENS = 16;
export const ATTEND_HEADS = 20;
export const ATTEND_HEAD_SIZE = 24;
export const ATTEND_OUT = 28;
export const ATTEND_OUT_STRIDE = 32;
/** Queries from FIRST to LAST (exclusive) are answered; a thread may take a part of a long text. */
export const ATTEND_FIRST = 52;
export const ATTEND_LAST = 56;
export const ATTEND_BYTES = 64;
/** log2(e) / sqrt(head size), f32. */
export const ATTEND_SCALE = 36;
/** Address of distance 0 in the first head's biases (already times log2(e)), or 0. */
export const ATTEND_BIAS = 40;
/** Bytes from one head's biases to the next. */
export const ATTEND_BIAS_STRIDE = 44;
export const ATTEND_SCRATCH = 48;

// Activations.
export const ACTIVATION_NONE = 0;
export const ACTIVATION_GELU = 1;
export const ACTIVATION_GELU_TANH = 2;
export const ACTIVATION_RELU = 3;
export const ACTIVATION_TANH = 4;

/** Queries that attention takes at a time. */
export const QUERY_ROWS = 16;

// Attention in 16-bit numbers: 2^WEIGHT_BITS * VALUE_LIMIT * VALUE_TOKENS stays below 2^31.
/** The largest weight of a row is 2 to this power. */
export const WEIGHT_BITS = 13;
export const VALUE_LIMIT = 4095;
/** Tokens whose weighted values are added up as whole numbers. */
export const VALUE_TOKENS = 64;
