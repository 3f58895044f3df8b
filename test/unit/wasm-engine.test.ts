import { describe, expect, it } from 'vitest';
import { describeModel, type EncoderDescription } from '../../src/backend/wasm/architectures.js';
import {
  fitChannel,
  laneLimit,
  laneSpan,
  largestLaneSum,
  quantizeChannel,
  quantizeWords,
} from '../../src/backend/wasm/channel.js';
import {
  convertedForms,
  isWideSum,
  isX86NotANumber,
  pickAttention,
  pickExactForm,
  pickForm,
  plainForms,
} from '../../src/backend/wasm/features.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import * as layout from '../../src/backend/wasm/kernels/layout.js';
import { LinearPacker } from '../../src/backend/wasm/pack.js';
import { roundUp } from '../../src/backend/wasm/plan.js';
import { Region } from '../../src/backend/wasm/region.js';
import { cutSlices } from '../../src/backend/wasm/slices.js';

const description = describeModel({
  model_type: 'bert',
  hidden_size: 16,
  num_attention_heads: 2,
  num_hidden_layers: 1,
  intermediate_size: 32,
  vocab_size: 100,
  max_position_embeddings: 512,
}) as EncoderDescription;

function batchOf(lengths: readonly number[]) {
  const offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, text) => {
    offsets[text + 1] = (offsets[text] ?? 0) + length;
  });
  const inputIds = Int32Array.from({ length: offsets.at(-1) ?? 0 }, (_, token) => token % 100);
  return { inputIds, typeIds: null, offsets };
}

describe('a channel of 8-bit weights', () => {
  const wild = Float32Array.from({ length: 384 }, (_, k) => Math.sin(k * 7.3) ** 3 + (k % 50 === 0 ? 2 : 0));

  it.each(['quad', 'pair', 'single', 'add'] as const)('keeps the sums of its lanes within the limit for %s', (form) => {
    const { codes, scale } = quantizeChannel(wild, form);
    expect(largestLaneSum(codes, laneSpan(form))).toBeLessThanOrEqual(laneLimit);
    wild.forEach((weight, k) => {
      expect(Math.abs((codes[k] ?? 0) * scale - weight)).toBeLessThanOrEqual(scale / 2 + 1e-6);
    });
  });

  it('counts the weights of one sign in the lanes that the kernels add in', () => {
    const codes = new Int8Array(16);
    for (const k of [0, 1, 4, 5, 8, 9, 12, 13]) codes[k] = 10;
    for (const k of [2, 3, 6, 7]) codes[k] = -7;
    expect(largestLaneSum(codes, 16)).toBe(80);
    expect(largestLaneSum(codes, 8)).toBe(40);
    expect(largestLaneSum(codes, 4)).toBe(20);
  });

  it('leaves codes of a file alone when they fit, and coarsens them when they do not', () => {
    const small = Int8Array.from({ length: 32 }, (_, k) => (k % 7) - 3);
    expect(fitChannel(small, 'quad')).toEqual({ codes: small, scale: 1 });
    const large = new Int8Array(32).fill(127);
    const fitted = fitChannel(large, 'quad');
    expect(largestLaneSum(fitted.codes, 16)).toBeLessThanOrEqual(laneLimit);
    expect((fitted.codes[0] ?? 0) * fitted.scale).toBeCloseTo(127, 0);
  });

  it('is packed alike wherever its codes lie in what was read', () => {
    const codes = Int8Array.from({ length: 22 }, (_, k) => ((k * 37) % 41) - 20);
    const images = [0, 1].map((offset) => {
      const heap = new Heap(createMemory(false));
      const shape = { form: 'single', columns: 8, width: 22, block: 32, smooth: false } as const;
      const packer = new LinearPacker(heap, shape);
      const source = new Int8Array(offset + 22);
      source.set(codes, offset);
      for (let column = 0; column < 8; column++) packer.writeCodes(column, source.subarray(offset));
      return heap.i8.slice(packer.plan.address, heap.usedBytes);
    });
    expect(images[1]).toEqual(images[0]);
    // Column 2: the codes from 20 on, behind five groups of 8 columns by 4 inputs.
    const weights = roundUp(layout.LINEAR_BYTES, 64);
    expect([...(images[0] as Int8Array).subarray(weights + 5 * 32 + 8).subarray(0, 4)]).toEqual([
      ...codes.subarray(20),
      0,
      0,
    ]);
  });

  it('takes weights that are all zero', () => {
    expect(quantizeChannel(new Float32Array(16), 'quad')).toEqual({ codes: new Int8Array(16), scale: 1 });
  });
});

describe('a channel of 16-bit weights', () => {
  const wild = Float32Array.from({ length: 200 }, (_, k) => Math.sin(k * 7.3) ** 3 + (k % 50 === 0 ? 2 : 0));
  const even = new Float32Array(200).fill(-0.03);

  it.each([
    ['of many sizes', wild],
    ['of one size', even],
    ['of which one is large', Float32Array.from(even, (weight, k) => (k === 70 ? 5 : weight))],
  ])('%s keeps every block within its length, and every weight within half a step', (_, weights) => {
    const { codes, scale } = quantizeWords(weights, 64);
    for (let start = 0; start < codes.length; start += 64) {
      expect(Math.hypot(...codes.subarray(start, start + 64)) ** 2).toBeLessThan(2 ** 31);
    }
    weights.forEach((weight, k) => {
      expect(Math.abs((codes[k] ?? 0) * scale - weight)).toBeLessThanOrEqual(scale / 2 + 1e-9);
    });
  });

  it('has as many digits as its block allows', () => {
    expect(quantizeWords(even, 64).codes[0]).toBe(-Math.round(layout.WORD_LENGTH / 8));
    expect(quantizeWords(Float32Array.of(0, 2, -0.1), 64).codes).toEqual(Int16Array.of(0, 32_767, -1638));
  });

  it('takes weights that are all zero', () => {
    expect(quantizeWords(new Float32Array(16), 16)).toEqual({ codes: new Int16Array(16), scale: 1 });
  });
});

describe('the form of the 8-bit product', () => {
  const host = (exact: readonly string[], wide = false, spills = false) => ({
    isExact: (form: string) => exact.includes(form),
    addsWide: () => wide,
    spillsQuad: () => spills,
    dotsWords: () => true,
  });
  const all = ['quad', 'pair', 'single', 'add'];

  it('is the one with the longest sums that the weights allow', () => {
    expect(pickForm(convertedForms, host(all))).toBe('quad');
    expect(pickForm(plainForms, host(all))).toBe('pair');
  });

  it('is the add-dot where that is one instruction', () => {
    expect(pickForm(convertedForms, host(all, true))).toBe('add');
    expect(pickForm(plainForms, host(all, true))).toBe('add');
  });

  it('is never one that computes something else here', () => {
    expect(pickForm(convertedForms, host(['pair', 'single']))).toBe('pair');
    expect(pickForm(convertedForms, host(['single', 'quad'], true))).toBe('quad');
    expect(pickForm(plainForms, host(['quad', 'add']))).toBe('add');
    expect(pickForm(convertedForms, host([]))).toBe('i16');
    expect(pickForm(convertedForms, host(all, false, true))).toBe('pair');
    expect(pickForm(convertedForms, host(['quad'], false, true))).toBe('i16');
  });

  // A lane's four products of 127 * 0xff and of -128 * 0x80, 16 times: what the instructions are defined to give.
  it.each([
    ['VNNI', 4 * 127 * 255, 4 * -128 * 128, true],
    ['SDOT', 4 * 127 * -1, 4 * -128 * -128, true],
    ['saturating pairs of SSSE3', 2 * 32_767, 2 * -32_768, false],
    ['wrapping pairs of ARM without SDOT', 2 * -254, 2 * -32_768, false],
  ])('is told by the sums of %s whether the add-dot adds in 32 bits', (_, ofOnes, ofLeast, wide) => {
    expect(isWideSum(16 * ofOnes, 16 * ofLeast)).toBe(wide);
  });
});

describe('the form of the exact mode, and that of attention in 8 bits', () => {
  it('is of whole numbers where their dot product is one instruction, else of floats', () => {
    expect(pickExactForm({ dotsWords: () => true })).toBe('w16');
    expect(pickExactForm({ dotsWords: () => false })).toBe('f32');
    expect(pickAttention({ dotsWords: () => true })).toBe('words');
    expect(pickAttention({ dotsWords: () => false })).toBe('floats');
  });

  // What 0 * infinity gives, and the like with a payload that an addition has passed on.
  it.each([
    ['x86', 0xffc00000, true],
    ['x86, with a payload', 0xffc00001, true],
    ['ARM', 0x7fc00000, false],
    ['a machine that makes all ones of it', 0x7fffffff, false],
    ['zero', 0, false],
  ])('is told by the not-a-number of %s', (_, bits, isX86) => {
    expect(isX86NotANumber(bits | 0)).toBe(isX86);
  });
});

describe('slices', () => {
  it('hold every text once, whole, and most of them little more than a thread can keep in its cache', () => {
    const lengths = Array.from({ length: 60 }, (_, text) => 1 + ((text * 37) % 150));
    const batch = batchOf(lengths);
    const slices = cutSlices(description, batch, 2);
    expect(slices.flatMap(({ texts }) => texts).sort((a, b) => a - b)).toEqual(lengths.map((_, text) => text));
    for (const slice of slices) {
      expect(slice.inputIds.length).toBeLessThanOrEqual(192);
      slice.texts.forEach((text, index) => {
        const ids = slice.inputIds.subarray(slice.offsets[index], slice.offsets[index + 1]);
        expect(ids).toEqual(batch.inputIds.subarray(batch.offsets[text], batch.offsets[text + 1]));
        expect(slice.positionIds[slice.offsets[index] ?? 0]).toBe(0);
      });
    }
  });

  it('give every thread something to do when there are only a few texts', () => {
    expect(cutSlices(description, batchOf([60, 60, 60, 60]), 4)).toHaveLength(4);
  });

  it('never cut a text, however long', () => {
    expect(cutSlices(description, batchOf([500, 3]), 2).map(({ longest }) => longest)).toEqual([500, 3]);
  });
});

describe('the heap', () => {
  it('gives zeroed, aligned, separate addresses and keeps its values when it grows', () => {
    const heap = new Heap(createMemory(false));
    const first = heap.allocate(10);
    heap.f32[first / 4] = 42;
    const second = heap.allocate(1_000_000);
    expect(second % 64).toBe(0);
    expect(second - first).toBeGreaterThanOrEqual(10);
    expect(heap.f32[first / 4]).toBe(42);
    expect(heap.i8.subarray(second, second + 1_000_000).every((byte) => byte === 0)).toBe(true);
  });

  it('says how much memory it could not get', () => {
    expect(() => new Heap(createMemory(false)).allocate(2 ** 33)).toThrow(/8193 MiB/);
  });

  it('prolongs the working memory at its end instead of losing it', () => {
    const heap = new Heap(createMemory(false));
    const region = new Region(heap, 0);
    const address = region.atLeast(1_000);
    expect(region.atLeast(500)).toBe(address);
    expect(region.atLeast(100_000)).toBe(address);
    heap.allocate(64);
    expect(region.atLeast(200_000)).not.toBe(address);
  });

  it('sets no more aside than is needed where memory is scarce', () => {
    const heap = new Heap(createMemory(false, 2 ** 20));
    const region = new Region(heap, 2 ** 21);
    expect(region.atLeast(1_000)).toBeGreaterThan(0);
    expect(() => region.atLeast(2 ** 21)).toThrow(/needs 3 MiB/);
  });

  it('leaves the working memory of two threads where it is as their texts get longer', () => {
    const heap = new Heap(createMemory(false));
    const regions = [new Region(heap, 100_000), new Region(heap, 100_000)];
    const addresses = regions.map((region) => region.atLeast(1_000));
    const { usedBytes } = heap;
    for (const bytes of [2_000, 50_000, 100_000]) {
      expect(regions.map((region) => region.atLeast(bytes))).toEqual(addresses);
    }
    expect(heap.usedBytes).toBe(usedBytes);
  });
});

describe('a packed linear', () => {
  it('takes little more memory than its codes', () => {
    const heap = new Heap(createMemory(false));
    const before = heap.usedBytes;
    new LinearPacker(heap, { form: 'quad', columns: 1_536, width: 384, block: 128, smooth: true });
    expect(heap.usedBytes - before).toBeLessThan(1_536 * 384 * 1.07);
  });
});

describe('the engine', () => {
  it('knows no families but those of its table', () => {
    const described = ['modernbert', 'qwen3', 'constructor', ''].map((name) => describeModel({ model_type: name }));
    expect(described).toEqual([null, null, null, null]);
  });
});
