import { describe, expect, it, onTestFinished } from 'vitest';
import { toJsonRows, writeEmbeddings, writeJson } from '../../src/api/vectors/embeddings-json.js';
import type { WrittenJson } from '../../src/api/vectors/written-json.js';

const dimensions = 64;
const count = 3;

/** Values whose texts are among the longest that a float32 has, with and without an exponent. */
const longest = [-0.0000012345678, -1.1754943508222875e-38, -3.4028234663852886e38, -0.0000010000001, -1.4e-45];

const textOf = async (json: WrittenJson) => await new Response(json.toBody()).text();

async function write(values: readonly number[], format: 'float' | 'base64', tail: object) {
  const embeddings = Float32Array.from({ length: count * dimensions }, (_, at) => values[at % values.length] ?? 0);
  const written = await writeEmbeddings(toJsonRows({ embeddings, count, dimensions }, format), tail);
  return { embeddings, json: JSON.parse(await textOf(written)) };
}

describe('writeEmbeddings', () => {
  it.each(longest)('has room for vectors full of %d', async (value) => {
    const { embeddings, json } = await write([value], 'float', { model: 'm' });
    expect(json.data.flatMap(({ embedding }: { embedding: number[] }) => embedding)).toEqual([...embeddings]);
  });

  it.each(['float', 'base64'] as const)(
    'writes %s rows between their index and a model named in any script',
    async (format) => {
      const { json } = await write([0.5], format, { model: '模型/😀"\\', usage: { prompt_tokens: 1 } });
      expect(json).toMatchObject({ object: 'list', model: '模型/😀"\\', usage: { prompt_tokens: 1 } });
      expect(json.data.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    },
  );
});

describe('writeJson', () => {
  it('splits long texts into pieces that are whole again together, letters of several bytes included', async () => {
    const row = (index: number) => JSON.stringify('é😀語'.repeat(9_000 + index));
    const written = await writeJson(['[', { count: 7, row }, ']']);
    const body = written.toBody();
    expect(body).toBeInstanceOf(ReadableStream);
    const bytes = new Uint8Array(await new Response(body).arrayBuffer());
    expect(written.byteLength).toBe(bytes.byteLength);
    const rows: string[] = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    expect(rows.map((text) => text.length)).toEqual(Array.from({ length: 7 }, (_, index) => (9_000 + index) * 4));
  });

  it('gives short texts as bytes', async () => {
    expect((await writeJson(['[', { count: 2, row: String }, ']'])).toBody()).toEqual(
      new TextEncoder().encode('[0,1]'),
    );
  });

  it('lets other work happen between its turns, however many rows there are', async () => {
    let others = 0;
    const ticking = setInterval(() => (others += 1));
    onTestFinished(() => clearInterval(ticking));
    const row = () => {
      // A row that takes a turn of its own.
      const end = performance.now() + 5;
      while (performance.now() < end);
      return '0';
    };
    await writeJson(['[', { count: 20, row }, ']']);
    expect(others).toBeGreaterThan(0);
  });
});
