import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinParts } from '../../src/backend/wasm/computer.js';
import { Batcher } from '../../src/core/batcher.js';
import { release } from '../../src/release.js';
import { fakeBackend } from './fake-backend.js';

const original = Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'transfer');
let freed: { buffer: ArrayBuffer; length: number }[] = [];

/** Node 20 has no `transfer`; what matters here is which buffers it is called for. */
function setTransfer(transfer: ((this: ArrayBuffer, length: number) => void) | undefined): void {
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', { configurable: true, writable: true, value: transfer });
}

beforeEach(() => {
  freed = [];
  setTransfer(function (length) {
    freed.push({ buffer: this, length });
  });
});

afterEach(() => {
  if (original) Object.defineProperty(ArrayBuffer.prototype, 'transfer', original);
  else Reflect.deleteProperty(ArrayBuffer.prototype, 'transfer');
});

it('empties a buffer where the platform can, and never one that threads share', () => {
  const values = new Float32Array(4);
  release(values);
  release(new Float32Array(new SharedArrayBuffer(16)));
  expect(freed).toEqual([{ buffer: values.buffer, length: 0 }]);
  setTransfer(undefined);
  release(values);
  expect(values).toHaveLength(4);
});

it('takes the parts of a batch once they are joined', () => {
  const parts = [Float32Array.of(1, 2), Float32Array.of(3, 4)].map((values, text) => ({ texts: [text], values }));
  expect([...joinParts(parts).values]).toEqual([1, 2, 3, 4]);
  expect(freed.map(({ buffer }) => buffer)).toEqual(parts.map(({ values }) => values.buffer));
});

it('takes the result of a run once its jobs have their rows, and not the rows', async () => {
  const results: Float32Array[] = [];
  const runner = fakeBackend({
    onRun: (_, values) => {
      results.push(values);
      return values;
    },
  });
  const batcher = new Batcher({ runner, maxBatchTokens: 64, maxQueue: 8, now: () => 0 });
  const job = batcher.open(1);
  job.add([{ inputIds: Int32Array.of(1, 2), typeIds: null, skippedTokens: 0 }]);
  const { values } = await job.result;
  expect(freed.map(({ buffer }) => buffer)).toEqual(results.map(({ buffer }) => buffer));
  expect(freed.map(({ buffer }) => buffer)).not.toContain(values.buffer);
});
