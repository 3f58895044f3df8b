/** Which files the weights of ONNX Runtime consist of: a graph names those of its tensors that lie beside it. */
import { afterEach, expect, it, vi } from 'vitest';
import type { BackendRequest } from '../../src/backend/backend.js';
import { readWeights } from '../../src/backend/onnx/weights.js';
import { memoryServer } from './memory-server.js';

const base = 'https://models.example/m/';
const windowBytes = 4 * 1024 * 1024;

afterEach(() => vi.unstubAllGlobals());

/** A field of a protocol buffer with a length of up to 16,383 bytes (https://protobuf.dev/programming-guides/encoding). */
function field(number: number, content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

/** A TensorProto's `external_data`, as onnx writes it. */
function external(name: string): Buffer {
  const entry = (key: string, value: string) => field(13, Buffer.concat([field(1, key), field(2, value)]));
  return Buffer.concat([entry('location', name), entry('offset', '4096'), entry('length', '16')]);
}

/** The external files that are read for a graph, when those of `there` exist. */
async function externalFiles(graph: Uint8Array, there: string[]): Promise<string[]> {
  const answers = Object.fromEntries(there.map((name) => [`${base}onnx/${encodeURI(name)}`, name]));
  vi.stubGlobal('fetch', memoryServer({ ...answers, [`${base}onnx/model.onnx`]: new Uint8Array(graph) }).fetch);
  // Nothing else of a request is looked at.
  const request = {
    location: { kind: 'url', base, headers: {}, cache: false },
    spec: { id: 'm', task: 'embedding' },
    ...{ dtype: 'f32', device: 'wasm' },
  } as BackendRequest;
  const { external: found } = await readWeights(request, false, {});
  expect(found.map(({ data }) => Buffer.from(data).toString())).toEqual(found.map(({ path }) => path));
  return found.map(({ path }) => path);
}

it.each([
  'model.onnx_data',
  'model.onnx.data',
  'model.onnx_data_12',
  'weights.bin',
  'modèle.data',
  // Its length is written as a letter.
  `${'long-'.repeat(13)}name.onnx_data`,
  `${'long-'.repeat(22)}name.onnx_data`,
])('%s is read beside the graph that names it', async (name) => {
  const graph = Buffer.concat([field(7, 'x'), external(name), external(name), field(7, 'y')]);
  expect(await externalFiles(graph, [name])).toEqual([name]);
});

it('a name is never cut, wherever in a large graph it stands', async () => {
  const entry = external('model.onnx_data_1');
  for (const edge of [windowBytes, windowBytes - 256]) {
    const places = Array.from({ length: 7 }, (_, i) => Math.floor((i * entry.length) / 6));
    for (const before of places) {
      const graph = Buffer.alloc(windowBytes + 1024, 'x ');
      entry.copy(graph, edge - before);
      expect(await externalFiles(graph, ['model.onnx_data_1'])).toEqual(['model.onnx_data_1']);
    }
  }
});

it('what only looks like a name of a file is none', async () => {
  const node = Buffer.concat([field(1, 'location'), field(2, 'output')]);
  const graph = Buffer.concat([field(6, 'saved as model.onnx_data'), field(1, node), Buffer.from('location')]);
  expect(await externalFiles(graph, [])).toEqual([]);
});

it('a file that the graph names and nobody has is missed by its name', async () => {
  const message = 'The file onnx/model.onnx_data, named by onnx/model.onnx, does not exist.';
  const expected = { code: 'model_file_missing', message };
  await expect(externalFiles(external('model.onnx_data'), [])).rejects.toMatchObject(expected);
});
