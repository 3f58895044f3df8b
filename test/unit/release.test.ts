import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ComputePort, serveCompute } from '../../src/backend/compute-host.js';
import { joinParts } from '../../src/backend/wasm/computer.js';
import { cutSlices, releaseSlices } from '../../src/backend/wasm/slices.js';
import { Batcher } from '../../src/core/batcher.js';
import { openBody } from '../../src/models/body-reader.js';
import { StreamSource } from '../../src/models/byte-source.js';
import { readBody, TransientError } from '../../src/models/download.js';
import { UrlFiles } from '../../src/models/url-files.js';
import type { FromCompute } from '../../src/protocol.js';
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
    // Throws for a buffer that was handed over, as `transfer` does.
    new Uint8Array(this);
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

it('takes the tokens that came with a run once it is answered', async () => {
  const answers: FromCompute[] = [];
  const listeners: ((event: { data: unknown }) => void)[] = [];
  let tell = () => {};
  const port: ComputePort = {
    postMessage(message) {
      answers.push(message);
      tell();
    },
    addEventListener: (_, listener) => void listeners.push(listener),
  };
  const ask = (data: object) =>
    new Promise<void>((resolve) => {
      tell = resolve;
      for (const listener of listeners) listener({ data });
    });
  serveCompute(port, { wasm: async () => async () => fakeBackend() });
  await ask({ type: 'load', id: 1, request: { backend: 'wasm' } });
  const batch = { inputIds: Int32Array.of(1, 2), typeIds: null, offsets: Int32Array.of(0, 2) };
  await ask({ type: 'run', id: 2, batch });
  expect(answers.map(({ type }) => type)).toEqual(['loaded', 'result']);
  expect(freed.map(({ buffer }) => buffer)).toEqual([batch.inputIds.buffer]);
});

it('takes what slices have copied, and leaves the batch', () => {
  const description = { positionOffset: 0, positions: 'absolute' } as unknown as Parameters<typeof cutSlices>[0];
  const batch = {
    inputIds: Int32Array.of(1, 2, 3),
    typeIds: Int32Array.of(0, 0, 1),
    offsets: Int32Array.of(0, 2, 3),
  };
  const slices = cutSlices(description, batch, 1);
  releaseSlices(slices);
  const copies = slices.flatMap(({ inputIds, typeIds, positionIds }) => [inputIds, typeIds, positionIds]);
  expect(freed.map(({ buffer }) => buffer)).toEqual(copies.map((copy) => copy?.buffer));
  freed = [];
  releaseSlices(cutSlices(description, { ...batch, typeIds: null }, 1));
  expect(freed).toHaveLength(2);
});

it('takes the buffer of a body that is through', async () => {
  const body = new Response(new Uint8Array(100)).body as ReadableStream<Uint8Array<ArrayBuffer>>;
  const reader = openBody(body, 64);
  const { value } = await reader.read();
  expect(freed).toEqual([]);
  await reader.cancel();
  expect(freed.map(({ buffer }) => buffer)).toEqual([value?.buffer]);
});

it('leaves the buffer that a body has taken when it breaks, so that its download can go on', async () => {
  const broken = new ReadableStream({
    type: 'bytes',
    start: (controller) => controller.enqueue(Uint8Array.of(1, 2)),
    pull: (controller) => controller.error(new Error('the line is dead')),
  });
  const request = { url: 'https://models.test/w', path: 'w', headers: {}, fetch, pieceBytes: 64 };
  const lengths: number[] = [];
  const reading = (async () => {
    for await (const { length } of readBody(request, new Response(broken))) lengths.push(length);
  })();
  await expect(reading).rejects.toThrow(TransientError);
  await expect(reading).rejects.toThrow('the line is dead');
  expect(lengths).toEqual([2]);
  expect(freed).toEqual([]);
});

it('takes the buffer in which the pieces of a stream were joined', async () => {
  const pieces = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Uint8Array.of(1, 2));
      controller.enqueue(Uint8Array.of(3));
    },
  });
  const source = new StreamSource(pieces);
  const joined = await source.take(3);
  expect([...(joined ?? [])]).toEqual([1, 2, 3]);
  await source.close();
  expect(freed.map(({ buffer }) => buffer)).toEqual([joined?.buffer]);
});

it('takes the bytes of a JSON file once they are parsed', async () => {
  const location = { kind: 'url', base: 'https://models.test/', headers: {}, cache: false } as const;
  const files = new UrlFiles(location, async () => new Response('{"a": 1}'));
  expect(await files.readJson('config.json')).toEqual({ a: 1 });
  expect(freed.map(({ buffer }) => new TextDecoder().decode(buffer))).toContain('{"a": 1}');
});
