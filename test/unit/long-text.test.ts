/** Giant texts: no more of them is tokenized than is needed, and what is kept is what the whole text would have kept. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { createTokenizer } from '../../src/core/load-tokenizer.js';
import { maxChars, tokenizeEnough, tokenizeRow } from '../../src/core/long-text.js';
import type { TokenizerSpec } from '../../src/core/tokenizer.js';

const fixtures = new URL('../fixtures/models/', import.meta.url);
const read = (model: string, file: string) => JSON.parse(readFileSync(new URL(`${model}/${file}`, fixtures), 'utf8'));

/** A number a word, so that every token says where it stood. */
const words = (count: number) => Array.from({ length: count }, (_, at) => `w${at}`).join(' ');
const placeOf = (text: string) => (text.match(/\S+/g) ?? []).map((word) => Number(word.slice(1)));

describe('a row of ids and texts', () => {
  it('has the tokens of each in their order, from either end', () => {
    const parts = [7, 'w1 w2', 8, '', 'w3'];
    for (const fromEnd of [false, true]) {
      const row = tokenizeRow(parts, { enough: 2, fromEnd, tokenize: placeOf });
      expect(row).toEqual({ ids: [7, 1, 2, 8, 3], whole: true });
    }
  });

  it.each([
    ['first', false],
    ['last', true],
  ])('of millions is tokenized no further than its %s tokens that are needed', (_name, fromEnd) => {
    const parts = Array.from({ length: 2_000_000 }, (_, at) => (at % 2 === 0 ? `w${at}` : at));
    const tokenize = vi.fn(placeOf);
    const { ids, whole } = tokenizeRow(parts, { enough: 500, fromEnd, tokenize });
    expect(whole).toBe(false);
    expect(ids.length).toBeGreaterThanOrEqual(500);
    expect(ids.slice(0, 3)).toEqual(
      fromEnd ? [2e6 - ids.length, 2e6 - ids.length + 1, 2e6 - ids.length + 2] : [0, 1, 2],
    );
    expect(tokenize.mock.calls.length).toBeLessThan(2_000);
  });

  it('is cut inside of a giant text', () => {
    const { ids, whole } = tokenizeRow([5, words(100_000), 6], { enough: 500, fromEnd: false, tokenize: placeOf });
    expect([whole, ids.slice(0, 3)]).toEqual([false, [5, 0, 1]]);
    expect(ids.length).toBeLessThan(20_000);
  });

  it('is refused where millions of texts hold too few tokens', () => {
    const tokenize = vi.fn(placeOf);
    const parts = Array.from({ length: 2_000_000 }, () => ' ');
    expect(() => tokenizeRow(parts, { enough: 5, fromEnd: false, tokenize })).toThrow(/The text is too large/);
    expect(tokenize.mock.calls.length).toBeLessThan(70_000);
  });
});

describe('as many tokens as are needed', () => {
  it.each([
    ['first', false],
    ['last', true],
  ])('are the %s of the whole text', (_name, fromEnd) => {
    const text = words(100_000);
    const tokenize = vi.fn(placeOf);
    const { ids, whole } = tokenizeEnough(text, { enough: 500, fromEnd, tokenize });
    const all = placeOf(text);
    expect(whole).toBe(false);
    expect(ids.length).toBeGreaterThanOrEqual(500);
    expect(ids).toEqual(fromEnd ? all.slice(-ids.length) : all.slice(0, ids.length));
    expect(tokenize.mock.calls.map(([part]) => part.length)).toSatisfy(([chars]: number[]) => (chars ?? 0) <= 65_536);
  });

  it('are looked for further on where a text begins or ends with nothing but space', () => {
    const space = ' '.repeat(300_000);
    const texts = [space + words(1_000), words(1_000) + space] as const;
    for (const [index, text] of texts.entries()) {
      const { ids } = tokenizeEnough(text, { enough: 500, fromEnd: index === 1, tokenize: placeOf });
      expect(ids).toEqual(placeOf(text));
    }
  });

  it('come whole from a text that is no longer than usual', () => {
    const tokenize = vi.fn(placeOf);
    expect(tokenizeEnough(words(5_000), { enough: 3, fromEnd: false, tokenize })).toMatchObject({ whole: true });
    expect(tokenize).toHaveBeenCalledTimes(1);
  });

  it('are refused where millions of characters hold too few', () => {
    const text = 'a'.repeat(maxChars + 1);
    expect(() => tokenizeEnough(text, { enough: 5, fromEnd: false, tokenize: placeOf })).toThrow(/4194305 characters/);
  });

  it('never come from half of a character', () => {
    const text = '𝒳'.repeat(200_000);
    const seen: string[] = [];
    const tokenize = (part: string) => {
      seen.push(part);
      return [...part].map(() => 1);
    };
    for (const fromEnd of [false, true]) tokenizeEnough(`a${text}b`, { enough: 10, fromEnd, tokenize });
    expect(seen.every((part) => part.isWellFormed())).toBe(true);
  });
});

describe.each(readdirSync(fixtures))('the tokenizer of %s', (model) => {
  const config = read(model, 'config.json');
  const spec: TokenizerSpec = {
    ...{ id: model, maxTokens: 128, vocabSize: config.vocab_size, includePrompt: true, lowercase: false, config },
  };
  const tokenizer = createTokenizer(read(model, 'tokenizer.json'), read(model, 'tokenizer_config.json'), spec);
  const sentence = 'Ein Über-Text: naïve 東京 words, 12.5% — "quoted"\tand\n\nmore… ';
  const long = sentence.repeat(1_500);

  it.each(['left', 'right'] as const)('cuts a giant text from the %s as it cuts a shorter one', (truncateSide) => {
    const options = { truncate: true, truncateSide };
    const near = truncateSide === 'left' ? long.slice(-sentence.length * 200) : long.slice(0, sentence.length * 200);
    const { inputIds, truncated } = tokenizer.encode(long, options);
    expect(inputIds).toEqual(tokenizer.encode(near, options).inputIds);
    expect(truncated).toBe(true);
  });

  it('cuts a giant document beside its query, and refuses both where nothing may be cut', () => {
    const near = long.slice(0, sentence.length * 200);
    for (const strategy of ['longest_first', 'only_second'] as const) {
      const options = { truncate: true, strategy };
      const { inputIds } = tokenizer.encodePair('a query', long, options);
      expect(inputIds).toEqual(tokenizer.encodePair('a query', near, options).inputIds);
    }
    const refusal = expect.objectContaining({ code: 'context_length_exceeded' });
    expect(() => tokenizer.encode(long)).toThrow(refusal);
    expect(() => tokenizer.encodePair('a query', long)).toThrow(refusal);
    expect(() => tokenizer.countTokens('a '.repeat(maxChars))).toThrow(refusal);
  });
});
