import { expect, it } from 'vitest';
import { Attention } from '../../src/backend/wasm/attention.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import * as layout from '../../src/backend/wasm/kernels/layout.js';
import type { Kernels } from '../../src/backend/wasm/kernels.js';
import type { AttentionForm, ModelPlan } from '../../src/backend/wasm/plan.js';
import type { Scratch } from '../../src/backend/wasm/scratch.js';

/** The forms that rows `from` to `to` of texts of 32, 33 and 64 tokens are computed in. */
function formsOf(attention: AttentionForm, from: number, to: number): AttentionForm[] {
  const heap = new Heap(createMemory(false));
  const forms: AttentionForm[] = [];
  const kernels = { attend: () => forms.push('floats'), attendWords: () => forms.push('words') };
  const plan = { attention, heads: 1, headSize: 8, depth: 8, stride: 16, bias: null };
  const scratch = { job: heap.allocate(layout.ATTEND_BYTES), qkv: [0, 0], panelRows: 136, context: 0, attention: 0 };
  // Only what tells the kernel about a job is read here.
  const parts = [kernels as unknown as Kernels, plan as unknown as ModelPlan, scratch as unknown as Scratch] as const;
  const offsets = Int32Array.of(0, 32, 65, 129);
  new Attention(parts[0], heap, parts[1]).runRows(parts[2], { buffer: 0, offsets, from, to });
  return forms;
}

it('attends to short texts in floats also where longer ones are computed in 16-bit numbers', () => {
  expect(formsOf('words', 0, 129)).toEqual(['floats', 'words', 'words']);
});

it('takes the form by the whole text, however few of its rows a thread has', () => {
  expect(formsOf('words', 16, 48)).toEqual(['floats', 'words']);
});

it('attends in floats alone where 16-bit products are no faster', () => {
  expect(formsOf('floats', 0, 129)).toEqual(['floats', 'floats', 'floats']);
});
