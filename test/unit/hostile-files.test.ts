/** Model files that were made to do harm, or damaged in ways that nobody thought of: an error with words, or the right vector. */
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { describeModel } from '../../src/backend/wasm/architectures.js';
import { setThreadFactory } from '../../src/backend/wasm/index.js';
import { VecinityError } from '../../src/errors.js';
import { type Content, type ModelHub, modelHub, nearestToGolden } from './model-hub.js';

const family = 'bert-cls';
const weights = 'model.safetensors';
const seed = Number(process.env.FUZZ_SEED ?? 20_261_121);
/** For a long run by hand: `FUZZ_RUNS=2000 FUZZ_SEED=7 npx vitest run test/unit/hostile-files.test.ts`. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 60);
const fuzzMs = 2_000 * numRuns;
let hub: ModelHub;

beforeEach(() => {
  setThreadFactory(null);
  hub = modelHub(family);
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('caches', undefined);
  vi.stubGlobal('fetch', hub.fetch);
});

afterEach(() => vi.unstubAllGlobals());

const original = modelHub(family).files;
const text = (value: string): Content => new TextEncoder().encode(value);
const served = (path: string): Content => original.get(path) ?? new Uint8Array(0);
const jsonOf = (path: string) => JSON.parse(new TextDecoder().decode(served(path)));

/** The file with members changed; a member that is undefined is left out. */
function changed(path: string, members: Record<string, unknown>): Content {
  return text(JSON.stringify({ ...jsonOf(path), ...members }));
}

const tokenizerModel = (members: object) =>
  changed('tokenizer.json', { model: { ...jsonOf('tokenizer.json').model, ...members } });
const normalizers = (...steps: object[]) =>
  changed('tokenizer.json', { normalizer: { type: 'Sequence', normalizers: steps } });
const preTokenizers = (...steps: object[]) =>
  changed('tokenizer.json', { pre_tokenizer: { type: 'Sequence', pretokenizers: steps } });
const replace = (text: string, content: string) => ({ type: 'Replace', pattern: { String: text }, content });
const vocab = jsonOf('tokenizer.json').model.vocab;
/** The file with one more member, a hundred thousand lists in each other. */
const deepened = (path: string) =>
  text(new TextDecoder().decode(served(path)).replace('{', `{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)},`));

/** A weights file with this header before the original's data. */
function withHeader(edit: (header: Record<string, Entry>) => Record<string, unknown>): Content {
  return withHeaderText((header) => JSON.stringify(edit(JSON.parse(header))));
}

function withHeaderText(edit: (header: string) => string): Content {
  const length = Number(new DataView(served(weights).buffer).getBigUint64(0, true));
  const bytes = text(edit(new TextDecoder().decode(served(weights).subarray(8, 8 + length))));
  const file = new Uint8Array(8 + bytes.length + served(weights).length - 8 - length);
  new DataView(file.buffer).setBigUint64(0, BigInt(bytes.length), true);
  file.set(bytes, 8);
  file.set(served(weights).subarray(8 + length), 8 + bytes.length);
  return file;
}

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

const words = 'embeddings.word_embeddings.weight';
const edited = (change: (entry: Entry) => Partial<Entry>, name = words) =>
  withHeader((header) => ({ ...header, [name]: { ...(header[name] as Entry), ...change(header[name] as Entry) } }));

/** The header, of whose first tensor a member is a hundred thousand lists in each other. */
function deepEntry(member: keyof Entry): Content {
  const lists = `"${member}":${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  return withHeaderText((header) => header.replace(new RegExp(`"${member}":(?:\\[[^\\]]*\\]|"\\w+")`), lists));
}

const hostile: [string, string, () => Content][] = [
  ['a tensor past the end', weights, () => edited(({ data_offsets: [a, b] }) => ({ data_offsets: [a, b + 2 ** 40] }))],
  ['a tensor over another', weights, () => edited(() => ({ data_offsets: [0, 4], shape: [1] }))],
  ['a shape whose product overflows', weights, () => edited(() => ({ shape: [2 ** 31, 2 ** 31, 2 ** 31] }))],
  ['a shape that nests a hundred thousand times', weights, () => deepEntry('shape')],
  ['a type that nests a hundred thousand times', weights, () => deepEntry('dtype')],
  ['offsets that nest a hundred thousand times', weights, () => deepEntry('data_offsets')],
  ['a shape of many ones and a fraction', weights, () => edited(() => ({ shape: [1.5] }))],
  ['a transposed table', weights, () => edited(({ shape }) => ({ shape: [...shape].reverse() }))],
  ['a type that nobody knows', weights, () => edited(() => ({ dtype: 'F8_E4M3' }))],
  ['a type called constructor', weights, () => edited(() => ({ dtype: 'constructor' }))],
  ['whole numbers for floats', weights, () => edited(() => ({ dtype: 'I32' }))],
  [
    'a tensor called __proto__',
    weights,
    () => withHeader((header) => JSON.parse(JSON.stringify(header).replace(words, '__proto__'))),
  ],
  [
    'a bias that is missing',
    weights,
    () =>
      withHeader((header) =>
        JSON.parse(JSON.stringify(header).replace('encoder.layer.0.attention.self.query.bias', 'constructor')),
      ),
  ],
  [
    'a header of gigabytes',
    weights,
    () => {
      const file = served(weights).slice();
      new DataView(file.buffer).setBigUint64(0, 3n * 2n ** 30n, true);
      return file;
    },
  ],
  [
    'a header of one string of megabytes',
    weights,
    () => withHeader((header) => ({ ...header, __metadata__: { a: 'x'.repeat(17_000_000) } })),
  ],
  ['more words than the table has', 'config.json', () => changed('config.json', { vocab_size: 10_000_000 })],
  [
    'more positions than the table has',
    'config.json',
    () => changed('config.json', { max_position_embeddings: 2 ** 40 }),
  ],
  [
    'a width of terabytes',
    'config.json',
    () => changed('config.json', { hidden_size: 2 ** 45, num_attention_heads: 1 }),
  ],
  ['a feed-forward width of terabytes', 'config.json', () => changed('config.json', { intermediate_size: 2 ** 45 })],
  ['a config.json that nests a hundred thousand times', 'config.json', () => deepened('config.json')],
  ['a config.json of megabytes', 'config.json', () => changed('config.json', { padding: 'x'.repeat(5_000_000) })],
  ['a pooling folder outside of the model', 'modules.json', () => text('[{"type":"x.Pooling","path":"../../other"}]')],
  ['a pooling folder at an absolute path', 'modules.json', () => text('[{"type":"x.Pooling","path":"/etc"}]')],
  [
    'a pooling folder at another address',
    'modules.json',
    () => text('[{"type":"x.Pooling","path":"https://elsewhere.example/x"}]'),
  ],
  [
    'a tokenizer.json of gigabytes, packed',
    'tokenizer.json',
    () => tokenizerModel({ padding: 'x'.repeat(42 * 2 ** 20) }),
  ],
  [
    'a normalizer that nests a hundred thousand times',
    'tokenizer.json',
    () =>
      text(
        JSON.stringify(jsonOf('tokenizer.json')).replace(
          /"normalizer":\{[^}]*\}/,
          () =>
            `"normalizer":${'{"type":"Sequence","normalizers":['.repeat(100_000)}{"type":"Lowercase"}${']}'.repeat(100_000)}`,
        ),
      ),
  ],
  ['a token whose id is no number', 'tokenizer.json', () => tokenizerModel({ vocab: { ...vocab, the: '7' } })],
  ['a token whose id wraps around', 'tokenizer.json', () => tokenizerModel({ vocab: { ...vocab, the: 2 ** 53 } })],
  ['a token whose id is negative', 'tokenizer.json', () => tokenizerModel({ vocab: { ...vocab, the: -1 } })],
  [
    'an added token without an id',
    'tokenizer.json',
    () => changed('tokenizer.json', { added_tokens: [{ content: 'the' }] }),
  ],
  [
    'special tokens that take minutes to compare',
    'tokenizer_config.json',
    () => changed('tokenizer_config.json', { additional_special_tokens: Array.from({ length: 2_001 }, String) }),
  ],
  [
    'more tokens around a text than the model reads',
    'tokenizer.json',
    () =>
      changed('tokenizer.json', {
        post_processor: {
          type: 'TemplateProcessing',
          single: [...Array(200).fill({ SpecialToken: { id: '[CLS]', type_id: 0 } }), { Sequence: { id: 'A' } }],
          pair: [
            ...Array(200).fill({ SpecialToken: { id: '[CLS]', type_id: 0 } }),
            { Sequence: { id: 'A' } },
            { Sequence: { id: 'B' } },
          ],
        },
      }),
  ],
  [
    'a token of kilobytes in a list of scores',
    'tokenizer.json',
    () => tokenizerModel({ type: 'Unigram', unk_id: 0, vocab: [['x'.repeat(5_000), -1]] }),
  ],
  [
    'a score that is no number',
    'tokenizer.json',
    () => tokenizerModel({ type: 'Unigram', unk_id: 0, vocab: [['the', null]] }),
  ],
  [
    'a megabyte before every piece of a word',
    'tokenizer.json',
    () => tokenizerModel({ continuing_subword_prefix: '#'.repeat(1_000_000) }),
  ],
  ['steps that double a text thirty times', 'tokenizer.json', () => normalizers(...Array(30).fill(replace('a', 'aa')))],
  ['a letter that becomes a megabyte', 'tokenizer.json', () => normalizers(replace('a', 'b'.repeat(1_000_000)))],
  [
    'letters that Unicode takes apart, and puts together again',
    'tokenizer.json',
    () => normalizers(replace(' ', '\ufdfa'), { type: 'NFKD' }, replace(' ', '\ufdfa')),
  ],
  ['a text that is put in for every letter before it', 'tokenizer.json', () => normalizers(replace('a', '$`'))],
  [
    'a text between all letters, again and again',
    'tokenizer.json',
    () => normalizers(...Array(9).fill({ ...replace('', 'a'), pattern: { Regex: 'x*' } })),
  ],
  ['a megabyte before every text', 'tokenizer.json', () => normalizers({ type: 'Prepend', prepend: 'x'.repeat(1e6) })],
  ['a megabyte for a space', 'tokenizer.json', () => preTokenizers({ type: 'Metaspace', str_rep: '_'.repeat(1e6) })],
  ['bytes of bytes of bytes', 'tokenizer.json', () => preTokenizers(...Array(4).fill({ type: 'ByteLevel' }))],
  ...[0, -1, 0.001, null].map((length): [string, string, () => Content] => [
    `pieces of ${length} letters`,
    'tokenizer.json',
    () => preTokenizers({ type: 'FixedLength', length }),
  ]),
  ['words without a limit', 'tokenizer.json', () => tokenizerModel({ max_input_chars_per_word: 1e9 })],
  [
    'a template that names an unknown token',
    'tokenizer.json',
    () =>
      changed('tokenizer.json', {
        post_processor: { type: 'BertProcessing', sep: ['constructor', 3], cls: ['__proto__', 2] },
      }),
  ],
];

describe('a model file is refused with model_file_invalid', () => {
  it.each(hostile)('for %s', async (_, path, content) => {
    hub.files.set(path, content());
    await expect(nearestToGolden(family)).rejects.toMatchObject({ code: 'model_file_invalid' });
    expect(hub.requests.every((request) => !/\.\.|elsewhere|etc/.test(request))).toBe(true);
  });
});

it.each([
  '../model.safetensors',
  '/etc/passwd',
  'https://elsewhere.example/a.safetensors',
  'a/b.safetensors',
  'a\\b.safetensors',
  '%2e%2e%2fa.safetensors',
])('an index leads nowhere else: %s', async (shard) => {
  hub.files.delete(weights);
  hub.files.set('model.safetensors.index.json', text(JSON.stringify({ weight_map: { [words]: shard } })));
  await expect(nearestToGolden(family)).rejects.toMatchObject({ code: 'model_file_invalid' });
  expect(hub.requests.filter((request) => /safetensors$/.test(request))).toEqual([weights]);
});

it.each([
  ['config.json', 'has more than the 4 MiB allowed'],
  ['tokenizer.json', 'has more than the 40 MiB allowed'],
])('%s is not waited for when its server says that it has petabytes', async (path, message) => {
  const { fetch: answer } = hub;
  vi.stubGlobal('fetch', async (input: string) => {
    const response = await answer(input);
    if (!input.endsWith(`/${path}`)) return response;
    return new Response(response.body, { headers: { 'content-length': String(2 ** 50) } });
  });
  const error = { code: 'model_file_invalid', message: expect.stringContaining(message) };
  await expect(nearestToGolden(family)).rejects.toMatchObject(error);
});

it('a normalizer that puts a word for each of a few signs is no hostile one', async () => {
  const { normalizer } = jsonOf('tokenizer.json');
  hub.files.set('tokenizer.json', normalizers(normalizer, replace('\n', ' line '), replace('\t', ' tab ')));
  expect(await nearestToGolden(family)).toBeGreaterThan(0.99999);
});

it.each([
  ['name', () => withHeader((header) => ({ ...header, ['n'.repeat(1e6)]: {} }))],
  ['type', () => edited(() => ({ dtype: 'F'.repeat(1e6) }))],
  ['shape', () => edited(({ shape }) => ({ shape: [...Array(1e6).fill(1), ...shape] }))],
] as [string, () => Content][])('a %s of a million characters is not in the message', async (_, content) => {
  hub.files.set(weights, content());
  const error = await nearestToGolden(family).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'model_file_invalid' });
  expect(String(error).length).toBeLessThan(1_000);
});

it('a billion layers are refused before they are counted', async () => {
  hub.files.set('config.json', changed('config.json', { num_hidden_layers: 1e9 }));
  await expect(nearestToGolden(family)).rejects.toBeInstanceOf(VecinityError);
  expect(() => describeModel({ ...jsonOf('config.json'), num_hidden_layers: 1e9 })).toThrow(/1000 are allowed/);
});

it('a header with a text of fifteen megabytes is read all the same', async () => {
  const metadata = { a: '\\":{'.repeat(2_500_000) };
  hub.files.set(
    weights,
    withHeader((header) => ({ ...header, __metadata__: metadata })),
  );
  expect(await nearestToGolden(family)).toBeGreaterThan(0.99999);
});

it('keys of prototypes are plain names everywhere', async () => {
  const poison = '"__proto__":{"hidden_size":1,"polluted":true},"constructor":{"prototype":{"polluted":true}}';
  for (const path of [
    'config.json',
    'tokenizer_config.json',
    'sentence_bert_config.json',
    'config_sentence_transformers.json',
  ]) {
    hub.files.set(path, text(new TextDecoder().decode(served(path)).replace('{', `{${poison},`)));
  }
  expect(await nearestToGolden(family)).toBeGreaterThan(0.99999);
  expect('polluted' in {}).toBe(false);
});

/** What a load of the mutated files ends with: an error of ours, or a cosine. */
async function outcome(): Promise<{ code: string } | { cosine: number }> {
  try {
    return { cosine: await nearestToGolden(family) };
  } catch (error) {
    if (!(error instanceof VecinityError)) throw error;
    return { code: error.code };
  }
}

const headerLength = 8 + Number(new DataView(served(weights).buffer).getBigUint64(0, true));

/** Bytes overwritten, put in, or cut away, all before the data begins or at the very end. */
const damage = fc.oneof(
  fc.record({ kind: fc.constant('overwrite' as const), at: fc.nat(headerLength - 1), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(headerLength - 1), byte: fc.nat(255) }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(headerLength - 1), byte: fc.nat(64) }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(served(weights).length - 1), byte: fc.constant(0) }),
);

function damaged(bytes: Content, { kind, at, byte }: { kind: string; at: number; byte: number }): Content {
  if (kind === 'cut') return bytes.slice(0, at);
  const removed = kind === 'overwrite' ? 1 : kind === 'remove' ? byte + 1 : 0;
  const added = kind === 'remove' ? [] : [byte];
  return Uint8Array.from([...bytes.subarray(0, at), ...added, ...bytes.subarray(at + removed)]);
}

it(
  'weights with random damage outside of their values give an error or the right vector',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (steps) => {
        hub.files.set(weights, steps.reduce(damaged, served(weights)));
        const result = await outcome();
        if ('cosine' in result) expect(result.cosine).toBeGreaterThan(0.99999);
        else expect(['model_file_invalid', 'backend_failed']).toContain(result.code);
      }),
      { numRuns, seed },
    );
  },
  fuzzMs,
);

const wild = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    -1,
    0,
    0.5,
    1e9,
    2 ** 53,
    1e300,
    '',
    'constructor',
    '__proto__',
    '../..',
    [],
    {},
  ),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Puts a value in the place that a list of numbers leads to. */
function withValue(json: unknown, path: readonly number[], value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined || typeof json !== 'object' || json === null) return value;
  const keys = Object.keys(json);
  const key = keys[first % Math.max(1, keys.length)];
  if (key === undefined) return value;
  if (Array.isArray(json)) return json.map((item, at) => (String(at) === key ? withValue(item, rest, value) : item));
  return { ...json, [key]: withValue(json[key as keyof typeof json], rest, value) };
}

/** The model in the form with an index, and with what its publisher says of its files. */
function inShards(files: ReadonlyMap<string, Content>): Map<string, Content> {
  const shard = 'model-00001-of-00001.safetensors';
  const parts = new Map([...files].filter(([path]) => path !== weights)).set(shard, served(weights));
  const names = [...new TextDecoder().decode(served(weights).subarray(8, headerLength)).matchAll(/"([\w.]+)":\{/g)];
  const map = Object.fromEntries(names.map(([, name]) => [name, shard]));
  const sizes = Object.fromEntries([...parts].map(([path, { length }]) => [path, { sizeBytes: length }]));
  parts.set('model.safetensors.index.json', text(JSON.stringify({ weight_map: map })));
  return parts.set('vecinity.json', text(JSON.stringify({ files: sizes })));
}

const jsonFiles = [
  'model.safetensors.index.json',
  'vecinity.json',
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'modules.json',
  '1_Pooling/config.json',
  'sentence_bert_config.json',
  'config_sentence_transformers.json',
];

it(
  'JSON files with random values in random places never crash or hang a load',
  async () => {
    hub.files = inShards(original);
    expect(await nearestToGolden(family)).toBeGreaterThan(0.99999);
    const place = fc.array(fc.nat(1_000), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...jsonFiles), place, wild, async (path, at, value) => {
        hub.files = inShards(original);
        const json = JSON.parse(new TextDecoder().decode(hub.files.get(path)));
        hub.files.set(path, text(JSON.stringify(withValue(json, at, value))));
        const result = await outcome();
        if ('cosine' in result) expect(result.cosine).not.toBeNaN();
        else expect(result.code).not.toBe('internal_error');
      }),
      { numRuns, seed },
    );
  },
  fuzzMs,
);
