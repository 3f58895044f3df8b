import { describe, expect, it } from 'vitest';
import type { VecinityError } from '../../src/errors.js';
import type { ModelFiles, ReadOptions } from '../../src/models/files.js';
import { openSafetensors, openSafetensorsStream, type TensorChunk } from '../../src/models/safetensors.js';
import { writeSafetensors } from '../../src/models/safetensors-writer.js';
import { decodeFloats, decodeTensor } from '../../src/models/tensor-data.js';
import { fixtureFolder, modelFolder } from './model-folder.js';

const weights = Float32Array.from({ length: 12 }, (_, index) => index / 8);
const codes = Int8Array.from([1, -2, 3]);

describe('reading safetensors', () => {
  it('returns what was written, with the metadata', async () => {
    const file = await opened({
      'model.safetensors': writeSafetensors(
        [
          { name: 'codes', dtype: 'I8', shape: [3], data: codes },
          { name: 'weights', dtype: 'F32', shape: [4, 3], data: weights },
        ],
        { format: 'pt' },
      ),
    });
    expect(file.metadata).toEqual({ format: 'pt' });
    expect(await file.read('weights')).toEqual(weights);
    expect(await file.read('codes')).toEqual(codes);
    expect(file.sizeBytes).toBe(51);
  });

  it('reads the files of the Python library', async () => {
    const file = await openSafetensors(modelFolder(fixtureFolder('bert-cls')));
    const tensor = file?.tensors.get('encoder.layer.2.output.dense.weight');
    expect(tensor?.shape).toEqual([64, 256]);
    const values = await file?.read('encoder.layer.2.output.dense.weight');
    expect(values).toHaveLength(64 * 256);
  });

  it('is null for a model without such weights', async () => {
    expect(await openSafetensors(memoryFiles({}))).toBeNull();
  });

  it('widens F16 and BF16 exactly, subnormal and infinite values too', async () => {
    const halves = Uint16Array.from([0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0xfc00, 0x8000]);
    const brains = Uint16Array.from([0x3f80, 0xbfc0, 0x0001]);
    const file = await opened({
      'model.safetensors': writeSafetensors([
        { name: 'halves', dtype: 'F16', shape: [8], data: halves },
        { name: 'brains', dtype: 'BF16', shape: [3], data: brains },
      ]),
    });
    expect([...((await file.read('halves')) as Float32Array)]).toEqual([
      1,
      -2,
      2 ** -24,
      1023 * 2 ** -24,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      -0,
    ]);
    expect([...((await file.read('brains')) as Float32Array)]).toEqual([1, -1.5, 2 ** -133]);
  });

  it('reads whole numbers of every width as their own type', async () => {
    const tensors = [
      { name: 'a', dtype: 'I64', shape: [2], data: BigInt64Array.from([-1n, 2n]) },
      { name: 'b', dtype: 'I32', shape: [2], data: Int32Array.from([-3, 4]) },
      { name: 'c', dtype: 'U8', shape: [2], data: Uint8Array.from([5, 255]) },
    ] as const;
    const file = await opened({ 'model.safetensors': writeSafetensors(tensors) });
    for (const { name, data } of tensors) expect(await file.read(name)).toEqual(data);
  });

  it('joins the shards that an index names', async () => {
    const file = await opened({
      'model.safetensors.index.json': { weight_map: { a: 'one.safetensors', b: 'two.safetensors' } },
      'one.safetensors': writeSafetensors([{ name: 'a', dtype: 'F32', shape: [12], data: weights }]),
      'two.safetensors': writeSafetensors([{ name: 'b', dtype: 'I8', shape: [3], data: codes }]),
    });
    expect(await file.read('b')).toEqual(codes);
    expect(await streamed(file.stream())).toEqual(['a 0+12', 'b 0+3']);
  });

  it.each([
    ['a list of files says', true],
    ['their headers say', false],
  ])('tells the sizes of all shards, as %s, before the first one is read', async (_, isListed) => {
    const shards = ['one', 'two', 'three'].map((name) => {
      const bytes = writeSafetensors([{ name, dtype: 'F32', shape: [12], data: weights }]);
      return [`${name}.safetensors`, bytes] as const;
    });
    const map = Object.fromEntries(shards.map(([file]) => [file.replace('.safetensors', ''), file]));
    const files = memoryFiles({ 'model.safetensors.index.json': { weight_map: map }, ...Object.fromEntries(shards) });
    const sizes = new Map<string, number>(shards.map(([file, bytes]) => [file, bytes.length]));
    const read: string[] = [];
    const readRange: ModelFiles['readRange'] = async (path, ...rest) => {
      if (sizes.has(path)) read.push(path);
      return await files.readRange(path, ...rest);
    };
    const sizeOf = async (path: string) => sizes.get(path) ?? null;
    const told: Record<string, number | null> = {};
    const onProgress: ReadOptions['onProgress'] = ({ file, totalBytes }) => {
      if (isListed && read.length > 0) return;
      told[file] = totalBytes;
    };
    await openSafetensors({ ...files, readRange, ...(isListed ? { sizeOf } : {}) }, { onProgress });
    expect(told).toEqual(Object.fromEntries(sizes));
  });

  it.each(['ranges', 'a stream'])('hands out chunks of whole rows in file order from %s', async (source) => {
    const bytes = writeSafetensors([
      { name: 'weights', dtype: 'F32', shape: [4, 3], data: weights },
      { name: 'codes', dtype: 'I8', shape: [3, 1], data: codes },
      { name: 'skipped', dtype: 'F32', shape: [12], data: weights },
    ]);
    const files = memoryFiles({ 'model.safetensors': bytes }, source === 'a stream' ? 7 : null);
    const file = await openSafetensors(files);
    const select = ({ name }: { name: string }) => name !== 'skipped';
    const values: number[] = [];
    const seen: string[] = [];
    for await (const chunk of file?.stream({ select, chunkBytes: 30 }) ?? []) {
      seen.push(`${chunk.tensor.name} ${chunk.row}+${chunk.rows}`);
      values.push(...[...(decodeTensor(chunk.tensor, chunk.bytes) as Float32Array)]);
    }
    expect(seen).toEqual(['weights 0+2', 'weights 2+2', 'codes 0+3']);
    expect(values).toEqual([...weights, ...codes]);
  });

  it('opens each file once for a stream and gives it back when the reader stops', async () => {
    const bytes = writeSafetensors([{ name: 'a', dtype: 'F32', shape: [4, 3], data: weights }]);
    const files = memoryFiles({ 'model.safetensors': bytes }, 5);
    const file = await openSafetensors(files);
    for await (const _chunk of file?.stream({ chunkBytes: 12 }) ?? []) break;
    expect(files.opened).toBe(1);
    expect(files.cancelled).toBe(1);
  });
});

describe('safetensors in one stream', () => {
  const bytes = writeSafetensors([
    { name: 'a', dtype: 'F32', shape: [4, 3], data: weights },
    { name: 'b', dtype: 'I8', shape: [3], data: codes },
  ]);

  it('ask for a single file once, header and tensors together', async () => {
    const files = memoryFiles({ 'model.safetensors': bytes }, 7);
    files.readRange = () => Promise.reject(new Error('No range is needed.'));
    const file = await openSafetensorsStream(files);
    expect([...(file?.tensors.keys() ?? [])]).toEqual(['a', 'b']);
    expect(await streamed(file?.stream() ?? none())).toEqual(['a 0+4', 'b 0+3']);
    expect(files.opened).toBe(1);
  });

  it('are opened anew when they are streamed again', async () => {
    const files = memoryFiles({ 'model.safetensors': bytes }, 7);
    const file = await openSafetensorsStream(files);
    const first = await streamed(file?.stream() ?? none());
    expect(await streamed(file?.stream() ?? none())).toEqual(first);
    expect(files.opened).toBe(2);
  });

  it('give the file back when nobody streams it', async () => {
    const files = memoryFiles({ 'model.safetensors': bytes }, 7);
    const file = await openSafetensorsStream(files);
    await file?.close();
    await file?.close();
    expect(files.cancelled).toBe(1);
  });

  it('are read as shards, or not at all, where there is no single file', async () => {
    const files = memoryFiles(
      { 'model.safetensors.index.json': { weight_map: { a: 'one.safetensors' } }, 'one.safetensors': bytes },
      7,
    );
    const file = await openSafetensorsStream(files);
    expect(await streamed(file?.stream() ?? none())).toEqual(['a 0+4', 'b 0+3']);
    expect(await openSafetensorsStream(memoryFiles({}, 7))).toBeNull();
  });

  it.each([
    ['an empty file', '', '0 bytes'],
    ['a header longer than the file', withHeader('{}', '', 5000), 'ends inside its header'],
    ['a header that is not JSON', withHeader('{"a":', ''), 'not JSON'],
  ])('refuse %s and give it back', async (_, content, reason) => {
    const files = memoryFiles({ 'model.safetensors': Buffer.from(content, 'latin1') }, 7);
    expect((await rejection(openSafetensorsStream(files))).message).toContain(reason);
    expect(files.opened).toBe(1);
  });
});

describe('refusing broken safetensors', () => {
  const data = Buffer.from(weights.buffer).toString('latin1');

  it.each([
    ['a page of HTML', '<!doctype html><title>404</title>', 'header would have'],
    ['an empty file', '', '0 bytes'],
    ['a header longer than the file', withHeader('{}', '', 5000), 'ends inside its header'],
    ['a header that claims terabytes', withHeader('{}', '', 2 ** 42), 'are allowed'],
    ['a header that is not JSON', withHeader('{"a":', ''), 'not JSON'],
    ['a header that is a list', withHeader('[]', ''), 'not a JSON object'],
    ['an unknown type', withHeader(tensorJson({ dtype: 'F8' }), data), '"F8"'],
    ['a negative length', withHeader(tensorJson({ shape: [-12] }), data), 'shape'],
    ['a shape that does not fit its bytes', withHeader(tensorJson({ shape: [13] }), data), 'needs 52 bytes'],
    ['a shape beyond whole numbers', withHeader(tensorJson({ shape: [2 ** 52, 2 ** 52] }), data), 'needs'],
    ['offsets that run backwards', withHeader(tensorJson({ data_offsets: [48, 0] }), data), 'offsets'],
    ['bytes of no tensor', withHeader(tensorJson({ data_offsets: [4, 52] }), data), 'belong to no tensor'],
    ['metadata that is no text', withHeader('{"__metadata__":{"a":1}}', ''), '__metadata__'],
    ['a name that occurs twice', withHeader(`{"a":${entry()},"\\u0061":${entry()}}`, data), 'twice'],
    ['tensors that overlap', withHeader(`{"a":${entry()},"b":${entry()}}`, data), '"b" overlaps'],
  ])('names the fault of %s', async (_case, content, words) => {
    const error = await rejection(
      openSafetensors(memoryFiles({ 'model.safetensors': Buffer.from(content, 'latin1') })),
    );
    expect(error.code).toBe('model_file_invalid');
    expect(error.message).toContain('model.safetensors');
    expect(error.message).toContain(words);
  });

  it('says which tensor a file ends in, by range and in a stream', async () => {
    const content = Buffer.from(withHeader(tensorJson({}), data.slice(0, 40)), 'latin1');
    for (const pieceBytes of [null, 16]) {
      const file = await opened({ 'model.safetensors': content }, pieceBytes);
      expect((await rejection(streamed(file.stream()))).message).toContain('ends before tensor "a"');
      expect((await rejection(file.read('a'))).message).toContain('ends before tensor "a"');
    }
  });

  it('takes no shard from outside the model', async () => {
    const files = memoryFiles({ 'model.safetensors.index.json': { weight_map: { a: '../other/model.safetensors' } } });
    expect((await rejection(openSafetensors(files))).message).toContain('../other');
  });

  it('says which shard is missing', async () => {
    const files = memoryFiles({ 'model.safetensors.index.json': { weight_map: { a: 'one.safetensors' } } });
    const error = await rejection(openSafetensors(files));
    expect(error.code).toBe('model_file_missing');
    expect(error.message).toContain('one.safetensors');
  });

  it('refuses whole numbers where floats are needed', async () => {
    const file = await opened({
      'model.safetensors': writeSafetensors([{ name: 'codes', dtype: 'I8', shape: [3], data: codes }]),
    });
    const tensor = file.tensors.get('codes');
    if (tensor === undefined) throw new Error('The tensor is missing.');
    expect(() => decodeFloats(tensor, new Uint8Array(codes.buffer))).toThrow('"codes" is I8');
  });
});

describe('writing safetensors', () => {
  it('aligns every tensor and gives the same bytes for any order', () => {
    const a = { name: 'a', dtype: 'I8', shape: [3], data: codes } as const;
    const b = { name: 'b', dtype: 'F32', shape: [12], data: weights } as const;
    const bytes = writeSafetensors([a, b]);
    expect(writeSafetensors([b, a])).toEqual(bytes);
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    expect(bytes.length).toBe(8 + length + 51);
  });

  it('refuses data that does not fit the shape', () => {
    expect(() => writeSafetensors([{ name: 'a', dtype: 'F32', shape: [5], data: weights }])).toThrow('"a" of F32 [5]');
  });
});

function entry(change: Record<string, unknown> = {}): string {
  return JSON.stringify({ dtype: 'F32', shape: [12], data_offsets: [0, 48], ...change });
}

function tensorJson(change: Record<string, unknown>): string {
  return `{"a":${entry(change)}}`;
}

/** A file with this header and these bytes behind it (latin1); `length` lies about the header's. */
function withHeader(json: string, data: string, length = json.length): string {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return prefix.toString('latin1') + json + data;
}

interface MemoryFiles extends ModelFiles {
  opened: number;
  cancelled: number;
}

/** Files in memory; with `pieceBytes` they can be streamed, in pieces of that size. */
function memoryFiles(contents: Record<string, Uint8Array | object>, pieceBytes: number | null = null): MemoryFiles {
  const bytesOf = (path: string) => (contents[path] instanceof Uint8Array ? contents[path] : null);
  const files: MemoryFiles = {
    opened: 0,
    cancelled: 0,
    location: { kind: 'folder', base: '/memory/', headers: {}, cache: false },
    readJson: async (path) => contents[path] ?? null,
    readBytes: async (path) => bytesOf(path),
    readRange: async (path, start, end) => bytesOf(path)?.slice(start, end) ?? null,
  };
  if (pieceBytes === null) return files;
  files.readStream = async (path) => {
    const bytes = bytesOf(path);
    if (bytes === null) return null;
    files.opened++;
    let position = 0;
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        if (position >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(position, position + pieceBytes));
        position += pieceBytes;
      },
      cancel() {
        files.cancelled++;
      },
    });
  };
  return files;
}

async function opened(contents: Record<string, Uint8Array | object>, pieceBytes: number | null = null) {
  const file = await openSafetensors(memoryFiles(contents, pieceBytes));
  if (file === null) throw new Error('The file was not found.');
  return file;
}

async function streamed(chunks: AsyncIterable<TensorChunk>): Promise<string[]> {
  const seen: string[] = [];
  for await (const { tensor, row, rows } of chunks) seen.push(`${tensor.name} ${row}+${rows}`);
  return seen;
}

async function* none(): AsyncGenerator<TensorChunk> {}

async function rejection(promise: Promise<unknown>): Promise<VecinityError> {
  return promise.then(
    () => {
      throw new Error('It did not reject.');
    },
    (error: VecinityError) => error,
  );
}
