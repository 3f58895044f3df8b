import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { pickExactForm, probeArithmetic } from '../../src/backend/wasm/features.js';
import type { GemmForm } from '../../src/backend/wasm/plan.js';
import {
  checkActivations,
  checkAll,
  checkAttention,
  checkExactProducts,
  checkNorm,
  checkPacking,
} from '../wasm/kernel-checks.js';

let module: WebAssembly.Module;

beforeAll(async () => {
  await ensureKernels();
  const file = new URL('../../src/backend/wasm/generated/simd.wasm', import.meta.url);
  module = new WebAssembly.Module(readFileSync(file));
}, 60_000);

describe('the kernels for plain SIMD', () => {
  it.each(['w16', 'i16', 'f32'] as const)('multiply whole numbers exactly in %s', (form: GemmForm) => {
    expect(checkExactProducts(module, { form, rows: 7, width: 208, columns: 20, block: 208 })).toEqual([]);
  });

  it('tell x86, where 16-bit numbers are multiplied faster than floats', () => {
    expect(pickExactForm(probeArithmetic(module, false))).toBe(process.arch === 'x64' ? 'w16' : 'f32');
  });

  it('pack channels of codes together as they are packed one by one', () => {
    expect(checkPacking(module, { form: 'i16', width: 48, columns: 20, block: 48 })).toEqual([]);
    // The lanes of bytes are counted here, too; only their products need another build.
    for (const form of ['quad', 'pair', 'single', 'add'] as const) {
      expect(checkPacking(module, { form, width: 208, columns: 20, block: 64 })).toEqual([]);
    }
  });

  it.each(['floats', 'words'] as const)('attend to one text and see nothing of its neighbours in %s', (form) => {
    const shape = { form, tokens: 37, heads: 3, headSize: 20, first: 0, last: 37, bias: false };
    expect(checkAttention(module, shape)).toEqual([]);
  });

  it('normalise rows with padding and a large mean', () => {
    expect(checkNorm(module, { rows: 3, width: 20, mean: 100 })).toEqual([]);
  });

  it('apply GELU in both forms, ReLU and tanh', () => {
    expect(checkActivations(module)).toEqual([]);
  });

  it('agree with plain arithmetic over shapes, tails, lengths and extreme values', () => {
    expect(checkAll(module, ['w16', 'i16', 'f32'])).toEqual([]);
  }, 60_000);
});
