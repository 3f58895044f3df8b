/** A vocabulary that is put into the tokenizer's library beside its constructor is the one that it would have read. */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { createLibrary } from '../../src/core/tokenizer-library.js';
import { parseTokenizerJson } from '../../src/models/tokenizer-json.js';

const frame = {
  normalizer: null,
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: null,
  decoder: null,
};
const wordPiece = {
  type: 'WordPiece',
  unk_token: '[UNK]',
  continuing_subword_prefix: '##',
  // Ids out of order, and one that the added tokens take over.
  vocab: { cat: 4, '[UNK]': 1, '##s': 2, dog: 3, '[CLS]': 0, toString: 5 },
};
const bpe = {
  type: 'BPE',
  unk_token: null,
  vocab: { a: 0, b: 1, ab: 2, c: 3, abc: 4 },
  merges: ['a b', 'ab c'],
};
const added = (id: number, content: string) => ({ id, content, special: true, normalized: false });
const files = [
  [
    'WordPiece',
    {
      ...frame,
      model: wordPiece,
      added_tokens: [added(0, '[CLS]'), added(9, '[NEW]'), added(4, 'bird'), added(2, 'dog')],
    },
  ],
  ['BPE', { ...frame, model: bpe, added_tokens: [] }],
  [
    'a type without a name',
    { ...frame, model: { vocab: { a: 0, b: 1 } }, added_tokens: [added(2, 'c'), added(1, 'a')] },
  ],
  [
    'Unigram',
    {
      ...frame,
      model: {
        type: 'Unigram',
        unk_id: 0,
        vocab: [
          ['<unk>', 0],
          ['a', -1],
        ],
      },
      added_tokens: [],
    },
  ],
] as const;

describe('the vocabulary of the tokenizer library', () => {
  it.each(files)('is as the library reads it: %s', (_, file) => {
    const [ours, own] = [createLibrary(file, {}), new Library(structuredClone(file), {})];
    const sorted = (ids: ReadonlyMap<string, number> | undefined) => [...(ids ?? [])].sort();
    expect(sorted(ours.model?.tokens_to_ids)).toEqual(sorted(own.model?.tokens_to_ids));
    expect([...(ours.model?.vocab ?? [])]).toEqual([...(own.model?.vocab ?? [])]);
    expect(ours.model?.unk_token_id).toBe(own.model?.unk_token_id);
    for (const text of ['cats dog [NEW] bird', 'abc ab x', 'toString constructor']) {
      expect(ours.encode(text)).toEqual(own.encode(text));
    }
  });

  it.each(files)('is the same when it comes in a table: %s', (_, file) => {
    const parsed = parseTokenizerJson(new TextEncoder().encode(JSON.stringify(file))) as object;
    const [ours, own] = [createLibrary(parsed, {}), new Library(structuredClone(file), {})];
    expect([...(ours.model?.vocab ?? [])]).toEqual([...(own.model?.vocab ?? [])]);
    for (const text of ['cats dog [NEW] bird', 'abc ab x', 'toString constructor', 'a b c']) {
      expect(ours.encode(text)).toEqual(own.encode(text));
    }
  });

  it.each(files)('leaves the file as it was: %s', (_, file) => {
    const before = structuredClone(file);
    createLibrary(file, {});
    expect(file).toEqual(before);
  });

  it('is not kept a second time', () => {
    const file = { ...frame, model: wordPiece, added_tokens: [] };
    expect(createLibrary(file, {}).model?.config).toMatchObject({ vocab: { '[UNK]': 1 } });
  });
});
