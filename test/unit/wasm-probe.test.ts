/** What the probes find out about a host: plain arithmetic stands for the kernels, and is wrong where another host is. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { probeArithmetic } from '../../src/backend/wasm/features.js';
import { LINEAR_WEIGHTS, LINEAR_WIDTH } from '../../src/backend/wasm/kernels/layout.js';
import type { Kernels } from '../../src/backend/wasm/kernels.js';

const [rows, columns] = [4, 8];

/** Rewrites right products, `[4, 8]`, in place; `bits` are the same numbers as they lie in memory. */
type Host = (products: Float32Array, bits: Int32Array) => void;

let host: Host = () => {};

/** Every form of the one panel that a probe makes: four inputs of each column lie together. */
function multiply(memory: WebAssembly.Memory, args: number[]): void {
  const [linear = 0, input = 0, , out = 0] = args;
  const [words, bytes] = [new Int32Array(memory.buffer), new Int8Array(memory.buffer)];
  const weights = words[(linear + LINEAR_WEIGHTS) / 4] ?? 0;
  const width = words[(linear + LINEAR_WIDTH) / 4] ?? 0;
  const products = new Float32Array(memory.buffer, out, rows * columns);
  products.forEach((_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    products[at] = 0;
    for (let k = 0; k < width; k++) {
      const code = bytes[weights + (k >> 2) * 32 + column * 4 + (k & 3)] ?? 0;
      products[at] += code * (bytes[input + row * width + k] ?? 0);
    }
  });
  host(products, new Int32Array(memory.buffer, out, rows * columns));
}

vi.mock('../../src/backend/wasm/kernels.js', () => ({
  instantiate: (_: WebAssembly.Module, memory: WebAssembly.Memory): Pick<Kernels, 'gemm'> => {
    const gemm = (...args: number[]) => multiply(memory, args);
    return { gemm: { f32: gemm, w16: gemm, i16: gemm, add: gemm, single: gemm, pair: gemm, quad: gemm } };
  },
}));

let module: WebAssembly.Module;

beforeAll(async () => {
  await ensureKernels();
  module = new WebAssembly.Module(readFileSync(new URL('../../src/backend/wasm/generated/simd.wasm', import.meta.url)));
}, 60_000);

function probe(other: Host) {
  host = other;
  return probeArithmetic(module, false);
}

describe('the probe of a form', () => {
  it('takes every form whose sums are right', () => {
    const { isExact } = probe(() => {});
    expect((['quad', 'pair', 'single', 'add'] as const).filter(isExact)).toEqual(['quad', 'pair', 'single', 'add']);
  });

  // Codes as wide as the lanes of each form allow, times 127, in all 64 places.
  it.each([
    ['quad', 64 * 32 * 127],
    ['pair', 64 * 64 * 127],
    ['single', 64 * 127 * 127],
    ['add', 64 * 127 * 127],
  ] as const)('refuses %s where only its widest sums come out wrong', (form, widest) => {
    const saturating: Host = (products) => {
      products.forEach((product, at) => {
        products[at] = Math.max(1 - widest, Math.min(widest - 1, product));
      });
    };
    expect(probe(saturating).isExact(form)).toBe(false);
    const wrapping: Host = (products) => {
      products.forEach((product, at) => {
        if (product === -widest) products[at] = widest;
      });
    };
    expect(probe(wrapping).isExact(form)).toBe(false);
  });

  it('refuses a form that is wrong in any one place', () => {
    for (let place = 0; place < rows * columns; place++) {
      const offByOne: Host = (products) => {
        products[place] = (products[place] ?? 0) + 1;
      };
      expect([place, probe(offByOne).isExact('single')]).toEqual([place, false]);
    }
  });
});

describe('the probe of the add-dot', () => {
  // The sums of 127 * 0xff in the first row and column, of -128 * 0x80 in the second.
  it.each([
    ['VNNI', 64 * 127 * 255, 64 * -128 * 128, true],
    ['SDOT', 64 * 127 * -1, 64 * -128 * -128, true],
    ['pmaddubsw', 32 * 32_767, 32 * -32_768, false],
  ])('tells %s by its sums', (_, ofOnes, ofLeast, isWide) => {
    const sums: Host = (products) => {
      products.fill(Number.NaN);
      products[0] = ofOnes;
      products[columns + 1] = ofLeast;
    };
    expect(probe(sums).addsWide()).toBe(isWide);
  });

  it('asks about bytes beyond seven bits, which plain arithmetic reads as SDOT does', () => {
    expect(probe(() => {}).addsWide()).toBe(true);
  });
});

describe('the probe of the words', () => {
  it.each([
    ['x86', 0xffc00000, true],
    ['ARM', 0x7fc00000, false],
    ['a host without a number of that kind', 0xff800000, false],
  ])('tells %s by infinity times zero', (_, value, isX86) => {
    const product: Host = (__, bits) => {
      bits[0] = value;
    };
    expect(probe(product).dotsWords()).toBe(isX86);
  });
});
