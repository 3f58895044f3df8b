/** Places of tokens in their text, with real tokenizers of three kinds. */
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../src/core/load-tokenizer.js';
import { findSpans } from '../../src/core/token-spans.js';
import { fixtureFolder, modelFolder } from './model-folder.js';

async function tokenizerOf(family: string) {
  const files = modelFolder(fixtureFolder(family));
  const spec = { id: family, maxTokens: 64, vocabSize: 100_000, includePrompt: true, config: {} };
  return createTokenizer(await files.readJson('tokenizer.json'), await files.readJson('tokenizer_config.json'), spec);
}

const texts = [
  'The cat sat on a mat.',
  '  two  spaces ',
  'Crème BRÛLÉE, naïve',
  'tabs\tand\nlines',
  'the 猫 and 🙂 end',
];

describe.each(['bert-cls', 'roberta-mean', 'modernbert-mean', 'xlmr-cls'])('tokens of %s', (family) => {
  it.each(texts)('stand at their bytes of %j, in order and without overlap', async (text) => {
    const tokens = (await tokenizerOf(family)).tokenize(text, { addSpecialTokens: false });
    const bytes = Buffer.from(text);
    let end = 0;
    for (const { text: shown, start, stop } of tokens.filter((token) => token.start !== null)) {
      expect(start).toBeGreaterThanOrEqual(end);
      expect(bytes.subarray(start ?? 0, stop ?? 0).toString()).toBe(shown);
      end = stop ?? 0;
    }
    expect(tokens.some(({ start }) => start !== null)).toBe(true);
  });

  it('cover every letter of a plain sentence', async () => {
    const text = 'the model reads a text';
    const tokens = (await tokenizerOf(family)).tokenize(text, { addSpecialTokens: false });
    const covered = tokens.map(({ start, stop }) => text.slice(start ?? 0, stop ?? 0)).join('');
    expect(covered).toBe(text.replaceAll(' ', ''));
  });

  it('are between special tokens without a place, when those are asked for', async () => {
    const tokenizer = await tokenizerOf(family);
    const inner = tokenizer.tokenize('a text', { addSpecialTokens: false });
    const outer = tokenizer.tokenize('a text', { addSpecialTokens: true });
    expect(outer.slice(1, -1)).toEqual(inner);
    expect([outer.at(0), outer.at(-1)]).toMatchObject([
      { special: true, start: null, stop: null },
      { special: true, start: null, stop: null },
    ]);
    expect(outer.map(({ id }) => id)).toEqual([...tokenizer.encode('a text').inputIds]);
  });
});

it('accents and case do not move a token', async () => {
  const tokens = (await tokenizerOf('bert-cls')).tokenize('Ünited', { addSpecialTokens: false });
  expect(tokens.at(0)?.start).toBe(0);
  expect(tokens.at(-1)?.stop).toBe(7);
});

describe('the places of very many tokens', () => {
  it('take no more time each than those of few', async () => {
    const tokenizer = await tokenizerOf('bert-cls');
    const count = 200_000;
    const tokens = tokenizer.tokenize('a '.repeat(count), { addSpecialTokens: false });
    expect(tokens.at(-1)).toMatchObject({ text: 'a', start: 2 * count - 2, stop: 2 * count - 1 });
    expect(tokens).toHaveLength(count);
  }, 20_000);

  it('are not looked for again and again where the text has none of them', () => {
    const pieces = Array.from({ length: 3_000_000 }, () => '[UNK]');
    const spans = findSpans('a'.repeat(2_000_000), [...pieces, 'a']);
    expect(spans.slice(-2)).toEqual([null, { start: 0, stop: 1 }]);
  }, 20_000);
});
