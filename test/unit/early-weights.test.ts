import { afterEach, expect, it, vi } from 'vitest';
import { dropWeights, expectWeights, takeWeights } from '../../src/backend/wasm/early-weights.js';
import type { ModelLocation } from '../../src/models/files.js';
import { memoryServer } from './memory-server.js';

const place: ModelLocation = { kind: 'url', base: 'https://app.example/models/a/', headers: {}, cache: false };
const other: ModelLocation = { ...place, base: 'https://app.example/models/b/' };
const address = `${place.base}model.safetensors`;

function safetensors(name = 'w'): Uint8Array<ArrayBuffer> {
  const header = new TextEncoder().encode(`{"${name}":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`);
  const file = new Uint8Array(8 + header.length + 8);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  return file;
}

/** A site with these weights, whose transfer goes on until its reader lets go. */
function serveEndless() {
  const ended = vi.fn();
  const body = () =>
    new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(safetensors()), cancel: ended });
  const server = memoryServer({ [address]: () => new Response(body()) });
  vi.stubGlobal('fetch', server.fetch);
  return { ended, server };
}

afterEach(() => {
  dropWeights();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

it('weights that were expected are asked for once, and their load is told how far they are', async () => {
  const server = memoryServer({ [address]: safetensors() });
  vi.stubGlobal('fetch', server.fetch);
  expectWeights(place);
  const loaded: number[] = [];
  const weights = await takeWeights(place, { onProgress: ({ loadedBytes }) => loaded.push(loadedBytes) });
  const rows = [];
  for await (const { tensor, rows: count } of weights?.stream() ?? []) rows.push([tensor.name, count]);
  expect(rows).toEqual([['w', 2]]);
  expect(loaded.at(-1)).toBe(safetensors().length);
  expect(server.requests.map(({ url }) => url)).toEqual([address]);
  expect(await takeWeights(place, {})).toBeNull();
});

it('a load of another model ends the request for what was expected', async () => {
  const { ended } = serveEndless();
  expectWeights(place);
  expect(await takeWeights(other, {})).toBeNull();
  await vi.waitFor(() => expect(ended).toHaveBeenCalled());
});

it('weights that no load takes are let go after a while', async () => {
  vi.useFakeTimers();
  const { ended } = serveEndless();
  expectWeights(place);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(ended).toHaveBeenCalled();
  expect(await takeWeights(place, {})).toBeNull();
});

it('what goes wrong with expected weights is left to the load that asks again, and waits for a server', async () => {
  vi.useFakeTimers();
  const server = memoryServer({ [address]: () => new Response('', { status: 503 }) });
  vi.stubGlobal('fetch', server.fetch);
  expectWeights(place);
  expect(await takeWeights(place, {})).toBeNull();
  expect(server.requests).toHaveLength(2);
});

it('a load is told what expected weights of several files have said before it came', async () => {
  const shards = { a: 'model-1.safetensors', b: 'model-2.safetensors' };
  const server = memoryServer({
    [`${place.base}model.safetensors.index.json`]: JSON.stringify({ weight_map: shards }),
    [`${place.base}${shards.a}`]: safetensors('a'),
    [`${place.base}${shards.b}`]: safetensors('b'),
  });
  vi.stubGlobal('fetch', server.fetch);
  expectWeights(place);
  await vi.waitFor(() => expect(server.requests.filter(({ url }) => url.endsWith(shards.b))).toHaveLength(2));
  const told = new Map<string, number | null>();
  await takeWeights(place, { onProgress: ({ file, totalBytes }) => told.set(file, totalBytes) });
  const size = safetensors('a').length;
  expect([told.get(shards.a), told.get(shards.b)]).toEqual([size, size]);
});
