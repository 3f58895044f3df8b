import { describe, expect, it } from 'vitest';
import { toJsonRows, writeEmbeddings } from '../../src/api/embeddings-json.js';

const dimensions = 64;
const count = 3;

/** Values whose texts are among the longest that a float32 has, with and without an exponent. */
const longest = [-0.0000012345678, -1.1754943508222875e-38, -3.4028234663852886e38, -0.0000010000001, -1.4e-45];

async function write(values: readonly number[], format: 'float' | 'base64', tail: object) {
  const embeddings = Float32Array.from({ length: count * dimensions }, (_, at) => values[at % values.length] ?? 0);
  const bytes = await writeEmbeddings(toJsonRows({ embeddings, count, dimensions }, format), tail);
  return { embeddings, json: JSON.parse(new TextDecoder().decode(bytes)) };
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
