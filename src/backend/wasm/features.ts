/**
 * What this host can run and which form of a product is its fastest: probe modules and products whose results
 * tell how they were computed. Never asks for the browser's name and measures nothing, so one host always chooses alike.
 */
import { VecinityError } from '../../errors.js';
import type { Level } from './assets.js';
import { createMemory, Heap } from './heap.js';
import { instantiate } from './kernels.js';
import { LinearPacker } from './pack.js';
import type { AttentionForm, GemmForm } from './plan.js';

// A module of one function; its body is the instruction that is asked about.
const header = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0];
const splat = [0x41, 0, 0xfd, 0x0f];
const simdProbe = moduleOf(splat);
/** i16x8.relaxed_dot_i8x16_i7x16_s */
const relaxedProbe = moduleOf([...splat, ...splat, 0xfd, 0x92, 0x02]);

/**
 * A type of the proposal for garbage collection, which V8 has had since 11.9. The compiler before it (Node 20) keeps too
 * few values of `quad` in registers: 90 GOPS where `pair` has 120; since then it is 144 to 133.
 */
const structProbe = Uint8Array.from([...header.slice(0, 8), 1, 3, 1, 0x5f, 0]);

/** The feature level, by validation. Throws `device_unavailable` where there is no 128-bit SIMD. */
export function detectLevel(): Level {
  if (typeof WebAssembly === 'undefined' || !WebAssembly.validate(simdProbe)) {
    throw new VecinityError('device_unavailable', 'This runtime has no WebAssembly SIMD.');
  }
  return WebAssembly.validate(relaxedProbe) ? 'relaxed' : 'simd';
}

/** Whether memory can be shared between threads here: in a browser, only on cross-origin isolated pages. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === 'undefined') return false;
  return (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
}

type ByteForm = Exclude<GemmForm, 'f32' | 'w16' | 'i16'>;

/** Forms of the 8-bit product, the fastest first where no single instruction does the whole of it. */
export type FormOrder = readonly ByteForm[];

/** For files whose weights were fitted to the lanes of all forms. */
export const convertedForms: FormOrder = ['quad', 'pair', 'single', 'add'];
/** For weights as they come: they lose more in `quad` than it gains. */
export const plainForms: FormOrder = ['pair', 'single', 'add'];

/** What products tell of a host. */
export interface HostArithmetic {
  /** The form gives the exact sums of the widest numbers that its lanes allow. */
  isExact(form: ByteForm): boolean;
  /** The add-dot has no sums in 16 bits: it is one instruction (VNNI, SDOT), where it is three to five elsewhere. */
  addsWide(): boolean;
  /** The compiler of this host is one that makes `quad` slower than `pair`. */
  spillsQuad(): boolean;
  /** The dot product of 16-bit numbers is one instruction (x86), where it is three elsewhere. */
  dotsWords(): boolean;
}

/** The fastest exact form; `i16` where none is. */
export function pickForm(order: FormOrder, host: HostArithmetic): GemmForm {
  if (host.addsWide() && host.isExact('add')) return 'add';
  const forms = host.spillsQuad() ? order.filter((form) => form !== 'quad') : order;
  return forms.find((form) => host.isExact(form)) ?? 'i16';
}

/** The faster form of the exact mode: ARM multiplies twice as many floats as 16-bit numbers, x86 two thirds as many. */
export function pickExactForm(host: Pick<HostArithmetic, 'dotsWords'>): 'f32' | 'w16' {
  return host.dotsWords() ? 'w16' : 'f32';
}

/** The faster form of attention where the linears round their inputs further than 16 bits do. */
export function pickAttention(host: Pick<HostArithmetic, 'dotsWords'>): AttentionForm {
  return host.dotsWords() ? 'words' : 'floats';
}

/** Asks the kernels of a module for what they compute. */
export function probeArithmetic(module: WebAssembly.Module, shared: boolean): HostArithmetic {
  return {
    isExact: (form) => isExact(module, form, shared),
    addsWide: () => addsWide(module, shared),
    spillsQuad: () => !WebAssembly.validate(structProbe),
    dotsWords: () => isX86NotANumber(multiplyInfinity(module, shared)),
  };
}

const probeWidth = 64;
const probeColumns = 8;
const probeRows = 4;

interface Product {
  form: ByteForm;
  /** Codes of every column. */
  channels: readonly Int8Array[];
  /** `[probeRows, probeWidth]` */
  inputs: Int8Array;
}

/** `[probeRows, probeColumns]` plain sums of products. */
function multiply(module: WebAssembly.Module, shared: boolean, { form, channels, inputs }: Product): Float32Array {
  const heap = new Heap(createMemory(shared, 2 ** 20));
  const { gemm } = instantiate(module, heap.memory);
  const shape = { form, columns: probeColumns, width: probeWidth, block: probeWidth, smooth: false };
  const packer = new LinearPacker(heap, shape);
  channels.forEach((codes, column) => {
    packer.writeCodes(column, codes);
  });
  const input = heap.allocate(inputs.length);
  heap.i8.set(inputs, input);
  const params = heap.allocate(probeRows * 8);
  for (let row = 0; row < probeRows; row++) heap.f32[params / 4 + row * 2] = 1;
  const out = heap.allocate(probeRows * probeColumns * 4);
  const { address, panels } = packer.plan;
  gemm[form](address, input, params, out, probeRows, probeColumns * 4, 32, 0, panels);
  return heap.f32.slice(out / 4, out / 4 + probeRows * probeColumns);
}

/** Codes as large as the form's lanes allow, of one sign in one column and mixed in the next; rows of 0..127, one all 127. */
function isExact(module: WebAssembly.Module, form: ByteForm, shared: boolean): boolean {
  const most = { quad: 32, pair: 64, single: 127, add: 127 }[form];
  const channels = Array.from({ length: probeColumns }, (_, column) =>
    Int8Array.from({ length: probeWidth }, (_, k) => {
      if (column % 4 < 2) return column % 4 === 0 ? most : -most;
      return ((k * 37 + column * 11) % (2 * most + 1)) - most;
    }),
  );
  const inputs = Int8Array.from({ length: probeRows * probeWidth }, (_, i) => (i < probeWidth ? 127 : (i * 29) % 128));
  const products = multiply(module, shared, { form, channels, inputs });
  return products.every((product, at) => {
    const row = Math.floor(at / probeColumns) * probeWidth;
    const codes = channels[at % probeColumns] as Int8Array;
    return product === codes.reduce((sum, code, k) => sum + code * (inputs[row + k] as number), 0);
  });
}

/**
 * Whether an add-dot of bytes beyond its 7 bits overflows nowhere. What sums pairs in 16 bits saturates (pmaddubsw) or
 * wraps (smull, addp) here; VNNI reads the input as unsigned, SDOT as signed.
 */
function addsWide(module: WebAssembly.Module, shared: boolean): boolean {
  const channels = Array.from({ length: probeColumns }, (_, column) =>
    new Int8Array(probeWidth).fill(column === 0 ? 127 : -128),
  );
  const inputs = new Int8Array(probeRows * probeWidth).fill(-128).fill(-1, 0, probeWidth);
  const products = multiply(module, shared, { form: 'add', channels, inputs });
  return isWideSum(products[0] as number, products[probeColumns + 1] as number);
}

/** By the sums of 64 times 127 * 0xff and of 64 times -128 * 0x80. */
export function isWideSum(ofOnes: number, ofLeast: number): boolean {
  const unsigned = ofOnes === 64 * 127 * 255 && ofLeast === 64 * -128 * 128;
  const signed = ofOnes === 64 * 127 * -1 && ofLeast === 64 * -128 * -128;
  return unsigned || signed;
}

/** The bits of infinity times zero. */
function multiplyInfinity(module: WebAssembly.Module, shared: boolean): number {
  const heap = new Heap(createMemory(shared, 2 ** 20));
  const { gemm } = instantiate(module, heap.memory);
  const shape = { form: 'f32' as const, columns: 8, width: 16, block: 16, smooth: false };
  const { address, panels, width } = new LinearPacker(heap, shape).plan;
  const input = heap.allocate(probeRows * width * 4);
  heap.f32[input / 4] = Number.POSITIVE_INFINITY;
  const out = heap.allocate(probeRows * 32);
  gemm.f32(address, input, 0, out, probeRows, 32, 32, 0, panels);
  return heap.i32[out / 4] as number;
}

/** The not-a-number that an instruction makes has its sign set on x86 and nowhere else. */
export function isX86NotANumber(bits: number): boolean {
  return bits >> 22 === -1;
}

function moduleOf(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const code = [0, ...body, 0x0b];
  return Uint8Array.from([...header, 10, code.length + 2, 1, code.length, ...code]);
}
