import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTextsOfLength, readCorpus, readGoldens, repeatTo } from '../../bench/corpus.js';

const countWords = (text: string) => text.split(' ').length + 2;

describe('texts of an exact length', () => {
  it('are cut from the corpus, all different', () => {
    const texts = makeTextsOfLength(['one two three four', 'five six', 'one two three four'], 4, 3, countWords);
    expect(texts).toEqual(['one two', 'three four', 'five six']);
  });

  it('leave out a run of words that jumps over the length', () => {
    const countLetters = (text: string) => text.replaceAll(' ', '').length;
    expect(makeTextsOfLength(['aa bbb cc d e'], 4, 1, countLetters)).toEqual(['cc d e']);
  });

  it('are fewer when the corpus does not give enough, and are then used again', () => {
    const texts = makeTextsOfLength(['one two', 'one two', 'three four'], 4, 5, countWords);
    expect(texts).toEqual(['one two', 'three four']);
    expect(repeatTo(texts, 3)).toEqual(['one two', 'three four', 'one two']);
    expect(repeatTo(makeTextsOfLength(['one'], 4, 5, countWords), 3)).toEqual([]);
  });
});

describe('files of the benchmark', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'vecinity-bench-test-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function write(name: string, content: string): Promise<string> {
    const file = path.join(folder, name);
    await writeFile(file, content);
    return file;
  }

  it('give a corpus the name of its file', async () => {
    const file = await write('short.json', '["a", "b"]');
    expect(await readCorpus(file)).toEqual({ name: 'short', texts: ['a', 'b'] });
  });

  it.each([
    ['[1]', 'is not a JSON list of texts'],
    ['{"texts": []}', 'is not a JSON list of texts'],
    ['[]', 'is not a JSON list of texts'],
    ['<html>', 'cannot be read as JSON'],
  ])('refuse the corpus %s by name', async (content, reason) => {
    const file = await write('bad.json', content);
    await expect(readCorpus(file)).rejects.toThrow(`${file} ${reason}`);
  });

  it('refuse references whose texts and embeddings are not equally many', async () => {
    const file = await write('goldens.json', '{"texts": ["a", "b"], "embeddings": [[1, 0]]}');
    await expect(readGoldens(file)).rejects.toThrow('2 texts and 1 embeddings');
  });

  it('take model and length from the references', async () => {
    const file = await write(
      'full.json',
      '{"model": "m", "max_seq_length": 128, "texts": ["a"], "embeddings": [[1, 0]], "tokens": [3]}',
    );
    expect(await readGoldens(file)).toEqual({ model: 'm', maxTokens: 128, texts: ['a'], embeddings: [[1, 0]] });
  });
});
