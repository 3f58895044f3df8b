/** tokenizer.json is read as the platform reads it, whether its vocabulary becomes a table or not. */
import { describe, expect, it } from 'vitest';
import { createLibrary } from '../../src/core/tokenizer-library.js';
import { parseJson } from '../../src/models/content.js';
import { TokenTable } from '../../src/models/token-table.js';
import { parseTokenizerJson } from '../../src/models/tokenizer-json.js';

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** A file with this text as its vocabulary, with names and values around it that look like it. */
const fileOf = (vocab: string) =>
  `{ "vocab": {"a": 9}, "added_tokens": [{"content": "\\"model\\": {", "id": 1}],\n"decoder": null,
  "model" : {"type": "WordPiece", "note": ["]", {"vocab": {}}], "vocab" :${vocab}, "merges": [["a", "b"]]}, "last": -1.5e3}`;

const usual = [
  ['a few tokens', '{"cat": 4, "[UNK]": 1, "##s":2,"dog" : 3 }'],
  ['an empty one', '{"": 7}'],
  ['letters of all lengths', '{"é": 0, "##の": 1, "😀": 2, "a\u0301b": 3, "\uFEFF": 4}'],
  ['escapes', '{"\\"": 0, "\\\\": 1, "a\\u00e9\\n": 2, "\\ud83d\\ude00": 3, "\\ud800": 4, "}": 5, "\\\\\\"": 6}'],
  ['names of every object', '{"__proto__": 3, "constructor": 1, "toString": 0}'],
  ['numbers as names', '{"10": 0, "2": 1, "-1": 2}'],
  ['a token twice', '{"a": 1, "b": 2, "a": 3}'],
  ['the largest id', '{"a": 2147483647, "b": 0}'],
] as const;

const unusual = [
  ['no token', '{}'],
  ['other values', '{"a": "1"}'],
  ['fractions', '{"a": 1.5}'],
  ['signs', '{"a": -1}'],
  ['powers', '{"a": 1e3}'],
  ['ids that are none', '{"a": 2147483648}'],
  ['objects in it', '{"a": {"b": 1}}'],
  ['a list', '[["a", -1.5], ["}", 2]]'],
  ['nothing', 'null'],
  ['a second vocabulary', '{"a": 1}, "vocab": {"b": 2}'],
  ['a second one that is empty', '{"a": 1}, "vocab": {}'],
] as const;

const broken = [
  '{"a": 01}',
  '{"a": 1,}',
  '{"a" 1}',
  '{"a": }',
  '{"a": 1 "b": 2}',
  '{"a\n": 1}',
  '{"\\x": 1}',
  '{"a": 1]',
  '{,}',
  '{"a": 1}}',
  '{"a": 1',
  '{"a',
  '{"a\\',
];

/** What the platform makes of it, with the vocabulary as entries that can be compared. */
function expected(text: string) {
  const { model, ...rest } = JSON.parse(text);
  return { rest, model: { ...model, vocab: null }, vocab: model.vocab };
}

describe('a vocabulary of tokenizer.json', () => {
  it.each(usual)('becomes a table, with %s', (_, vocab) => {
    const text = fileOf(vocab);
    const { model, ...rest } = parseTokenizerJson(bytesOf(text)) as { model: { vocab: TokenTable } };
    const wanted = expected(text);
    expect({ rest, model: { ...model, vocab: null } }).toEqual({ rest: wanted.rest, model: wanted.model });
    expect(model.vocab).toBeInstanceOf(TokenTable);
    const sorted = (entries: Iterable<[string, unknown]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(model.vocab)).toEqual(sorted(Object.entries(wanted.vocab)));
    for (const [token, id] of Object.entries(wanted.vocab)) expect(model.vocab.get(token)).toBe(id);
    expect(model.vocab.largestId).toBe(Math.max(-1, ...(Object.values(wanted.vocab) as number[])));
    for (const other of ['x', 'ca', 'cats', ' cat', 'hasOwnProperty']) expect(model.vocab.has(other)).toBe(false);
  });

  it.each(unusual)('stays what the platform reads, with %s', (_, vocab) => {
    const text = fileOf(vocab);
    // A table without fields to see would equal an empty object.
    expect(parseTokenizerJson(bytesOf(text))).toStrictEqual(JSON.parse(text));
  });

  it.each([
    '[]',
    '7',
    '{}',
    '{"model": 3}',
    '{"model": {}}',
    '{"model": {"vocab": 1}}',
    '{"mo\\u0064el": {"vocab": {}}}',
  ])('is not needed: %s', (text) => expect(parseTokenizerJson(bytesOf(text))).toEqual(JSON.parse(text)));

  it.each(broken)('that is no JSON is refused: %s', (vocab) => {
    const bytes = bytesOf(
      vocab.endsWith('}') || vocab.endsWith(']') ? fileOf(vocab) : (fileOf(vocab).split(', "merges"')[0] ?? ''),
    );
    const parse = () => parseJson(bytes, 'tokenizer.json', 'here');
    expect(parse).toThrow(expect.objectContaining({ code: 'model_file_invalid' }));
  });

  it('is no JSON with a byte order mark behind it', () => {
    const bytes = bytesOf(fileOf('{"a": 1}\uFEFF'));
    expect(() => parseTokenizerJson(bytes)).toThrow(SyntaxError);
  });

  it('ends with the file, wherever that is cut', () => {
    const bytes = bytesOf(fileOf('{"cat": 4, "é": 1}'));
    for (let end = 0; end < bytes.length; end++)
      expect(() => parseTokenizerJson(bytes.subarray(0, end))).toThrow(SyntaxError);
  });

  it('is read as before where its bytes are no UTF-8', () => {
    const bytes = bytesOf(fileOf('{"xy": 4}')).map((byte) => (byte === 0x78 ? 0xff : byte));
    expect(parseTokenizerJson(bytes)).toEqual(JSON.parse(new TextDecoder().decode(bytes)));
  });
});

describe('a table of tokens', () => {
  const tableOf = (tokens: readonly string[]) =>
    TokenTable.create({
      units: Uint16Array.from(tokens.join(''), (unit) => unit.charCodeAt(0)),
      starts: Uint32Array.from([0, ...tokens.map(sumUp(({ length }) => length))]),
      ids: Int32Array.from(tokens, (_, i) => i),
    });

  it('finds each of thousands of tokens, and none of as many others', () => {
    const tokens = Array.from({ length: 5_000 }, (_, i) => `${i * 7_919}`);
    const table = tableOf(tokens);
    expect(tokens.map((token) => table?.get(token))).toEqual(tokens.map((_, i) => i));
    expect(tokens.filter((token) => table?.has(`${token}x`))).toEqual([]);
  });

  it('takes tokens and ids that come later', () => {
    const table = tableOf(['a', 'b']);
    table?.set('a', 0).set('b', 5).set('new', 6);
    expect(['a', 'b', 'new', 'c'].map((token) => table?.get(token))).toEqual([0, 5, 6, undefined]);
    expect([...(table ?? [])].map(([token]) => token)).toEqual(['a', 'b']);
  });

  it('is not made of tokens that were chosen to collide, and the file is read as any other', () => {
    const colliding = collidingTokens(300);
    expect(tableOf(colliding)).toBeNull();
    const vocab = Object.fromEntries(colliding.map((token, id) => [token, id]));
    expect(parseTokenizerJson(bytesOf(fileOf(JSON.stringify(vocab))))).toMatchObject({ model: { vocab } });
  });

  it('gives the library words for ids only when they are asked for', () => {
    const text = fileOf('{"[UNK]": 1, "cat": 2, "##s": 0}').replace('"note"', '"unk_token": "[UNK]", "note"');
    const file = { ...(JSON.parse(text) as object), ...(parseTokenizerJson(bytesOf(text)) as object) };
    const frame = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
    const library = createLibrary({ ...file, ...frame }, {});
    expect(library.id_to_token(2)).toBe('cat');
    expect(library.token_to_id('##s')).toBe(0);
    expect(library.id_to_token(3)).toBeUndefined();
  });
});

/** Sums of all so far, for `map`. */
function sumUp<Item>(of: (item: Item) => number): (item: Item) => number {
  let sum = 0;
  return (item) => {
    sum += of(item);
    return sum;
  };
}

/** Tokens with the same lowest bits of the hash, of which tables of up to 1,024 places see no others. */
function collidingTokens(count: number): string[] {
  const tokens: string[] = [];
  for (let number = 0; tokens.length < count; number++) {
    let hash = 0;
    for (const unit of String(number)) {
      const product = Math.imul(hash ^ unit.charCodeAt(0), 16_777_619);
      hash = product ^ (product >>> 15);
    }
    if ((hash & 1_023) === 0) tokens.push(String(number));
  }
  return tokens;
}
