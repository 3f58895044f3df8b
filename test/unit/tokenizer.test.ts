import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createTokenizer } from '../../src/core/load-tokenizer.js';
import type { TokenizerSpec } from '../../src/core/tokenizer.js';
import { cutPair } from '../../src/core/truncation.js';

const folder = join(import.meta.dirname, '../fixtures/models/bert-cls');
const tokenizerJson = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8'));
const tokenizerConfig = JSON.parse(readFileSync(join(folder, 'tokenizer_config.json'), 'utf8'));
const cls = 2;
const sep = 3;
const spec: TokenizerSpec = {
  id: 'bert-cls',
  maxTokens: 16,
  vocabSize: 1800,
  includePrompt: true,
  config: { type_vocab_size: 2 },
};
const create = (changes: Partial<TokenizerSpec> = {}, json: unknown = tokenizerJson) =>
  createTokenizer(json, tokenizerConfig, { ...spec, ...changes });

const tokenizer = create();
const long = 'hello world this is a long text that goes on and on until it cannot fit';
const uncut = [...create({ maxTokens: 512 }).encode(long).inputIds];
const content = uncut.slice(1, -1);

describe('a text that is too long', () => {
  it('is cut at its end, and the special tokens stay', () => {
    const encoding = tokenizer.encode(long, { truncate: true });
    expect([...encoding.inputIds]).toEqual([cls, ...content.slice(0, 14), sep]);
    expect(encoding).toMatchObject({ truncated: true, totalTokens: uncut.length });
  });

  it('is cut at its start when asked', () => {
    const encoding = tokenizer.encode(long, { truncate: true, truncateSide: 'left' });
    expect([...encoding.inputIds]).toEqual([cls, ...content.slice(-14), sep]);
  });

  it('is cut to what the caller asks for, but never beyond what the model reads', () => {
    expect(tokenizer.encode(long, { truncate: true, maxTokens: 5 }).inputIds).toHaveLength(5);
    expect(tokenizer.encode(long, { truncate: true, maxTokens: 500 }).inputIds).toHaveLength(16);
  });

  it('has the more room without special tokens', () => {
    const options = { truncate: true, addSpecialTokens: false };
    expect([...tokenizer.encode(long, options).inputIds]).toEqual(content.slice(0, 16));
    const framed = [...tokenizer.encode('hello world').inputIds];
    expect([...tokenizer.encode('hello world', options).inputIds]).toEqual(framed.slice(1, -1));
    expect(() => tokenizer.encode('', { ...options, index: 4 })).toThrow(/^input 4 has no tokens at all/);
  });

  it('is refused without truncation, in the words that clients look for', () => {
    expect(() => tokenizer.encode(long, { index: 3 })).toThrow(
      expect.objectContaining({
        code: 'context_length_exceeded',
        message: expect.stringMatching(
          new RegExp(`^input 3 is too large: ${uncut.length} tokens, the model's maximum context length is 16 tokens`),
        ),
      }),
    );
  });

  it('is not one that just fits', () => {
    const exact = create({ maxTokens: uncut.length });
    expect(exact.encode(long)).toMatchObject({ truncated: false, totalTokens: uncut.length });
  });

  it('cannot be cut to no content at all', () => {
    expect(() => tokenizer.encode(long, { truncate: true, maxTokens: 2 })).toThrow(/max_tokens is 2; it must be 3/);
  });
});

describe('a text', () => {
  it('that is empty still has its special tokens', () => {
    expect([...tokenizer.encode('').inputIds]).toEqual([cls, sep]);
    expect(tokenizer.countTokens('')).toBe(2);
  });

  it('is read behind its prompt', () => {
    expect(tokenizer.encode('world', { prompt: 'hello ' }).inputIds).toEqual(tokenizer.encode('hello world').inputIds);
  });

  it('names the tokens of its prompt only when pooling leaves them out', () => {
    const excluding = create({ includePrompt: false });
    const promptTokens = excluding.countTokens('hello ') - 2;
    expect(excluding.encode('world', { prompt: 'hello ' }).skippedTokens).toBe(1 + promptTokens);
    expect(excluding.encode('world').skippedTokens).toBe(0);
    expect(tokenizer.encode('world', { prompt: 'hello ' }).skippedTokens).toBe(0);
  });

  it.each(['roberta-mean', 'modernbert-mean', 'xlmr-cls'])(
    'keeps its first word where %s has tokens for spaces, and its prompt ends in one',
    (family) => {
      const read = (file: string) => JSON.parse(readFileSync(join(folder, '..', family, file), 'utf8'));
      const shape = { ...spec, id: family, vocabSize: 100_000, includePrompt: false };
      const spaced = createTokenizer(read('tokenizer.json'), read('tokenizer_config.json'), shape);
      // As sentence-transformers counts: the trimmed prompt as a text of its own, without the token that ends it.
      const promptTokens = spaced.countTokens('query:') - 1;
      expect(spaced.countTokens('query: ') - 1).toBeGreaterThan(promptTokens);
      expect(spaced.encode('hello', { prompt: 'query: ' }).skippedTokens).toBe(promptTokens);
    },
  );

  it('is turned to lower case for models that ask for it', () => {
    const { normalizer } = tokenizerJson;
    const cased = { ...tokenizerJson, normalizer: { ...normalizer, lowercase: false } };
    expect(create({ lowercase: true }, cased).encode('HELLO').inputIds).toEqual(tokenizer.encode('hello').inputIds);
    expect(create({}, cased).encode('HELLO').inputIds).not.toEqual(tokenizer.encode('hello').inputIds);
  });

  it('ignores padding and truncation that the file asks for', () => {
    const padded = {
      ...tokenizerJson,
      truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0 },
      padding: { strategy: { Fixed: 128 }, direction: 'Right', pad_id: 0, pad_type_id: 0, pad_token: '[PAD]' },
    };
    expect(create({}, padded).encode('hello world').inputIds).toEqual(tokenizer.encode('hello world').inputIds);
  });

  it('comes back from its tokens', () => {
    expect(tokenizer.decode(tokenizer.encode('hello world').inputIds)).toBe('hello world');
    expect(tokenizer.decode([])).toBe('');
  });
});

describe('token ids', () => {
  it('are used as given', () => {
    expect(tokenizer.encodeIds([5, 6, 7])).toMatchObject({ inputIds: Int32Array.of(5, 6, 7), totalTokens: 3 });
  });

  it('are cut like texts', () => {
    const ids = Array.from({ length: 20 }, (_, id) => id);
    expect([...tokenizer.encodeIds(ids, { truncate: true, truncateSide: 'left' }).inputIds]).toEqual(ids.slice(4));
    expect(() => tokenizer.encodeIds(ids)).toThrow(/too large: 20 tokens/);
  });

  it('among texts without end cost no more than what fits of them', () => {
    const parts = [5, ...Array.from({ length: 100_000 }, () => 'hello world')];
    expect(tokenizer.encodeIds(parts, { truncate: true })).toMatchObject({ truncated: true });
    expect(() => tokenizer.encodeIds(parts)).toThrow(/too large: \d{1,4} tokens/);
    const chunks = Array.from({ length: 2_048 }, () => 'hello world '.repeat(1_000));
    expect(() => tokenizer.encodeChunks(chunks)).toThrow(/too large: \d{1,5} tokens/);
  });

  it.each([1800, -1, 1.5, Number.NaN])('outside the vocabulary are refused with a hint: %d', (id) => {
    expect(() => tokenizer.encodeIds([5, id])).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringMatching(/0 to 1799.*check_embedding_ctx_length=False/),
      }),
    );
  });
});

describe('a pair', () => {
  const wide = create({ maxTokens: 64 });

  it('marks the second text by its segment', () => {
    const { inputIds, typeIds } = wide.encodePair('hello', 'world');
    const first = wide.encode('hello').inputIds.length;
    expect(inputIds[first - 1]).toBe(sep);
    expect([...(typeIds ?? [])]).toEqual([...new Array(first).fill(0), ...new Array(inputIds.length - first).fill(1)]);
    expect(create({ config: {} }).encodePair('hello', 'world').typeIds).toBeNull();
  });

  it('loses the end of the document, never the query', () => {
    const { inputIds, truncated } = tokenizer.encodePair('hello', long, { truncate: true });
    const query = [...tokenizer.encode('hello').inputIds];
    expect(inputIds).toHaveLength(16);
    expect([...inputIds]).toEqual([...query, ...content.slice(0, 16 - query.length - 1), sep]);
    expect(truncated).toBe(true);
  });

  it('loses tokens of both when the longest goes first', () => {
    const { inputIds } = tokenizer.encodePair(long, long, { truncate: true, strategy: 'longest_first' });
    expect([...inputIds]).toEqual([cls, ...content.slice(0, 6), sep, ...content.slice(0, 7), sep]);
  });

  it('keeps as many tokens of the document as asked for', () => {
    const { inputIds } = wide.encodePair('hello', long, { maxTokensPerDocument: 2 });
    expect([...inputIds.slice(-3)]).toEqual([...content.slice(0, 2), sep]);
  });

  it('that is too long is refused without truncation, and a query that leaves no room always', () => {
    expect(() => tokenizer.encodePair('hello', long, { index: 1 })).toThrow(/^document 1 is too large/);
    expect(() => tokenizer.encodePair(long, 'x', { truncate: true })).toThrow(/^query is too large/);
    expect(() => tokenizer.encodePair(long, '', { truncate: true })).toThrow(/^query is too large/);
  });
});

describe('cutting two texts to one room', () => {
  /** The rule itself, one token at a time; which of two equals gives one up is not part of it. */
  function oneByOne(first: number, second: number, room: number): { first: number; second: number } {
    const kept = { first, second };
    while (kept.first + kept.second > room) kept[kept.first > kept.second ? 'first' : 'second']--;
    return kept;
  }

  it('takes from the longer text until they fit', () => {
    for (let first = 0; first < 12; first++) {
      for (let second = 0; second < 12; second++) {
        for (let room = 1; room < 24; room++) {
          const limits = { room, second: Number.POSITIVE_INFINITY, strategy: 'longest_first' } as const;
          const kept = cutPair(first, second, limits);
          const expected = oneByOne(first, second, room);
          expect((kept?.first ?? 0) + (kept?.second ?? 0)).toBe(expected.first + expected.second);
          expect(Math.abs((kept?.first ?? 0) - expected.first)).toBeLessThanOrEqual(1);
        }
      }
    }
  });
});

describe('files that do not describe a tokenizer', () => {
  it.each([null, {}, [], { model: { type: 'Nonsense' } }])('are refused: %j', (json) => {
    expect(() => create({}, json)).toThrow(expect.objectContaining({ code: 'model_file_invalid' }));
  });
});
